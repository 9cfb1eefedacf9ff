/* CNI_ARGS, and the addresses that are asked for in it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/cni_args.h"
#include "plugin/cni_error.h"
#include "plugin/requested.h"
#include "table/json.h"

static void
judge(int rc, const struct err *err)
{
	scoped_buf out = buf_make(64 * 1024);
	scoped_json *object = NULL;

	if (!rc)
		return;
	assert(err->code > 0 && err->text[0]);
	cni_error_print(err, cni_version_newest(), &out);
	assert(json_parse(buf_string(&out), out.length - 1, "error", &object, NULL) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = mem_new(size + 1, 1);
	scoped_args args = {0};
	const struct cni_config config = {0};
	struct cni_result result = {.ip_count = 1};
	struct requested requested;
	struct err err = {0};

	memcpy(text, data, size); /* an environment variable ends at the first NUL */
	int rc = cni_args_parse(text, &args, &err);
	judge(rc, &err);
	if (rc)
		return 0;
	judge(cni_args_need_pod(&args, &err), &err);
	(void)cidr_parse("10.0.2.40/24", 12, &result.ips[0].cidr, NULL);
	rc = requested_read(&config, &args, &requested, &err);
	judge(rc ? rc : requested_check(&requested, &result, "it", &err), &err);
	return 0;
}
