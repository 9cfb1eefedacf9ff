/* Rule: what json_scan accepts, json-c takes too, in its strictest mode and to the last
 * byte; what is printed from that tree is accepted again. A refusal has its sentence. */
#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

#include "table/json.h"
#include "table/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
judge_refusal(const char *text, size_t size, const struct err *err)
{
	struct json_object *value = NULL;

	assert(err->code == EBADMSG && strncmp(err->text, "it ", 3) == 0);
	assert(json_parse(text, size, "it", &value, NULL) && !value);
}

static void
judge_tree(const char *text, size_t size)
{
	scoped_json *value = NULL;
	scoped_json *again = NULL;
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *theirs = json_tokener_parse_ex(tokener, text, (int)size);
	enum json_tokener_error code = json_tokener_get_error(tokener);
	assert(code == json_tokener_success || code == json_tokener_continue);
	json_object_put(theirs);
	json_tokener_free(tokener);

	assert(json_parse(text, size, "it", &value, NULL) == 0);
	const char *printed = json_print(value);
	assert(json_parse(printed, strlen(printed), "it", &again, NULL) == 0);
	assert(json_object_equal(value, again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct err err = {0};

	if (size == 0)
		return 0;
	if (json_scan(text, size, "it", &err))
		judge_refusal(text, size, &err);
	else
		judge_tree(text, size);
	return 0;
}
