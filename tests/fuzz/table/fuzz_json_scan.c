/* Rule: of what json_scan accepts json-c's own reader, in its strictest mode, makes the same
 * tree; what is printed from that is accepted again. A refusal has its sentence. */
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
	assert(json_scan(text, size, "it", &value, NULL) && !value);
}

/* What json-c makes of it: a number at the very end is only over when something follows. */
static struct json_object *
read_by_json_c(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *value = json_tokener_parse_ex(tokener, text, (int)size);
	if (json_tokener_get_error(tokener) == json_tokener_continue)
		value = json_tokener_parse_ex(tokener, "", 1);
	assert(json_tokener_get_error(tokener) == json_tokener_success);
	json_tokener_free(tokener);
	return value;
}

static void
judge_tree(const char *text, size_t size, struct json_object *value)
{
	scoped_json *theirs = read_by_json_c(text, size);
	scoped_json *again = NULL;
	const char *printed = json_print(value);

	assert(json_object_equal(value, theirs));
	assert(strcmp(printed, json_print(theirs)) == 0);
	assert(json_scan(printed, strlen(printed), "it", &again, NULL) == 0);
	assert(json_object_equal(value, again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	scoped_json *value = NULL;
	struct err err = {0};

	if (json_scan(text, size, "it", &value, &err))
		judge_refusal(text, size, &err);
	else
		judge_tree(text, size, value);
	return 0;
}
