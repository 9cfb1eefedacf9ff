#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "plugin/cni_error.h"
#include "table/json.h"

static struct json_object *
printed(const struct err *err, const struct cni_version *version)
{
	scoped_buf out = buf_make(8192);
	struct json_object *object = NULL;
	struct err parse = {0};

	cni_error_print(err, version, &out);
	if (json_parse(buf_string(&out), out.length, "the error", &object, &parse))
		fail_msg("%s: %s", parse.text, buf_string(&out));
	return object;
}

static void
own_codes_are_seen_as_they_are_and_errnos_by_their_class(void **state)
{
	static const struct {
		int code, wanted;
	} rows[] = {{CNI_ERROR_VERSION, 1}, {CNI_ERROR_ENVIRONMENT, 4}, {CNI_ERROR_IO, 5},
	    {CNI_ERROR_DECODE, 6}, {CNI_ERROR_CONFIG, 7}, {CNI_ERROR_TRY_LATER, 11},
	    {CNI_ERROR_NOT_READY, 50}, {CNI_ERROR_NO_ALLOCATION, 100},
	    {CNI_ERROR_NOT_PERMITTED, 102}, {CNI_ERROR_NO_TABLE, 104}, {CNI_ERROR_ROUTE, 105},
	    {EINVAL, 7}, {EBADMSG, 6}, {EFBIG, 6}, {EAGAIN, 11}, {ETIMEDOUT, 11}, {EIO, 5},
	    {ENOENT, 5}, {EPERM, 5}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct err err = {.code = rows[i].code};
		assert_int_equal(cni_error_code(&err), rows[i].wanted);
	}
}

static void
the_sentence_is_parted_into_msg_and_details(void **state)
{
	struct err err = {0};

	(void)state;
	(void)err_set(&err, CNI_ERROR_CONFIG, "missing network name; call it; something");
	scoped_json *object = printed(&err, cni_version_find("0.3.1"));
	assert_string_equal(json_path_text(object, "cniVersion"), "0.3.1");
	assert_int_equal(json_path_number(object, "code", 0), 7);
	assert_string_equal(json_path_text(object, "msg"), "missing network name");
	assert_string_equal(json_path_text(object, "details"), "call it; something");
}

static void
a_sentence_in_one_piece_has_empty_details(void **state)
{
	struct err err = {0};

	(void)state;
	(void)err_set(&err, EIO, "cannot read x");
	scoped_json *object = printed(&err, cni_version_newest());
	assert_string_equal(json_path_text(object, "msg"), "cannot read x");
	assert_string_equal(json_path_text(object, "details"), "");
}

static void
the_object_is_JSON_for_each_byte_there_is(void **state)
{
	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		struct err err = {0};
		(void)err_set(&err, EIO, "a%cb; c%cd", byte, byte);
		scoped_json *object = printed(&err, cni_version_newest());
		assert_non_null(json_path_text(object, "msg"));
		assert_true(strlen(json_path_text(object, "details")) >= 3);
	}
}

static void
a_sentence_of_the_longest_kind_of_rubbish_fits(void **state)
{
	struct err err = {.code = EIO};

	(void)state;
	memset(err.text, 0xff, sizeof(err.text) - 1);
	scoped_json *object = printed(&err, cni_version_newest());
	assert_int_equal(strlen(json_path_text(object, "msg")), 3 * (sizeof(err.text) - 1));
}

static void
the_last_words_are_JSON_too(void **state)
{
	scoped_json *object = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(json_parse(CNI_ERROR_NO_MEMORY, strlen(CNI_ERROR_NO_MEMORY) - 1, "x", &object, &err), 0);
	assert_int_equal(json_path_number(object, "code", 0), 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(own_codes_are_seen_as_they_are_and_errnos_by_their_class),
	    cmocka_unit_test(the_sentence_is_parted_into_msg_and_details),
	    cmocka_unit_test(a_sentence_in_one_piece_has_empty_details),
	    cmocka_unit_test(the_object_is_JSON_for_each_byte_there_is),
	    cmocka_unit_test(a_sentence_of_the_longest_kind_of_rubbish_fits),
	    cmocka_unit_test(the_last_words_are_JSON_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
