#include "net/api_json.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "core/mem.h"

static int
parse(struct json_tokener *tokener, const char *text, size_t length,
    struct json_object **ret_value, struct err *err)
{
	struct json_object *value = json_tokener_parse_ex(tokener, text, (int)length);
	enum json_tokener_error code = json_tokener_get_error(tokener);

	if (code != json_tokener_success) {
		json_object_put(value);
		return err_set(err, EBADMSG, "not JSON: %s", json_tokener_error_desc(code));
	}
	if (!json_object_is_type(value, json_type_object)) {
		json_object_put(value);
		return err_set(err, EBADMSG, "JSON, but not an object");
	}
	*ret_value = value;
	return 0;
}

int
api_json_parse(const char *text, size_t length, struct json_object **ret_value,
    struct err *err)
{
	if (length > INT_MAX)
		return err_set(err, EBADMSG, "longer than json-c can take");
	/* json-c takes a NUL for the end of its input */
	if (length && memchr(text, '\0', length))
		return err_set(err, EBADMSG, "not JSON: it contains a NUL byte");
	struct json_tokener *tokener = json_tokener_new_ex(API_JSON_DEPTH_MAX);
	if (!tokener)
		mem_exhausted();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	int rc = parse(tokener, text, length, ret_value, err);
	json_tokener_free(tokener);
	return rc;
}
