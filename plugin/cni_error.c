#include "plugin/cni_error.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/utf8.h"
#include "table/json.h"

int
cni_error_code(const struct err *err)
{
	if (err->code > ERR_CODE_OWN)
		return err->code - ERR_CODE_OWN;
	switch (err->code) {
	case EBADMSG:
	case EFBIG:
		return CNI_ERROR_DECODE - ERR_CODE_OWN;
	case EINVAL:
		return CNI_ERROR_CONFIG - ERR_CODE_OWN;
	case EAGAIN:
	case ETIMEDOUT:
		return CNI_ERROR_TRY_LATER - ERR_CODE_OWN;
	default:
		return CNI_ERROR_IO - ERR_CODE_OWN;
	}
}

int
cni_error_as(struct err *err, enum cni_error code)
{
	if (err)
		err->code = (int)code;
	return -(int)code;
}

static void
put_clean(struct json_object *object, const char *key, const char *text, size_t length)
{
	scoped_buf clean = buf_make(3 * (size_t)ERR_TEXT_MAX);

	utf8_clean(text, length, &clean);
	json_put_text(object, key, buf_string(&clean));
}

void
cni_error_print(const struct err *err, const struct cni_version *version, struct buf *out)
{
	scoped_json *object = json_object_new_object();
	const char *parting = strstr(err->text, "; ");
	size_t msg = parting ? (size_t)(parting - err->text) : strlen(err->text);
	const char *details = parting ? parting + 2 : "";

	json_put_text(object, "cniVersion", version->text);
	json_put_number(object, "code", (uint64_t)cni_error_code(err));
	put_clean(object, "msg", err->text, msg);
	put_clean(object, "details", details, strlen(details));
	(void)buf_print(out, "%s\n", json_print(object));
}
