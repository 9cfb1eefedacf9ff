#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "table/json.h"
#include "table/json_write.h"

static void
reads_back(const char *text)
{
	scoped_buf out = buf_make(4096);
	scoped_json *object = NULL;
	struct err err = {0};

	(void)buf_text(&out, "{");
	json_write_member(&out, "key", text);
	(void)buf_text(&out, "\"list\":[");
	json_write_text(&out, text);
	(void)buf_text(&out, "]}");
	if (json_parse(out.data, out.length, "what was written", &object, &err))
		fail_msg("%s: %s", err.text, out.data);
	assert_string_equal(json_path_text(object, "key"), text);
}

static void
every_character_reads_back(void **state)
{
	char text[0x80] = "";

	(void)state;
	for (unsigned i = 1; i < sizeof(text); i++) {
		char one[] = {(char)i, '\0'};
		text[i - 1] = (char)i;
		reads_back(one);
	}
	reads_back(text);
	reads_back("");
	reads_back("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	reads_back("\"\\\"\\");
}

static void
what_stands_for_itself_is_written_as_it_is(void **state)
{
	scoped_buf out = buf_make(4096);

	(void)state;
	json_write_member(&out, "netns", "/run/netns/\xc3\xa9");
	assert_string_equal(out.data, "\"netns\":\"/run/netns/\xc3\xa9\",");
}

static void
what_is_opened_is_closed_without_a_comma_too_many(void **state)
{
	scoped_buf out = buf_make(4096);

	(void)state;
	json_write_open(&out, NULL, '{');
	json_write_open(&out, "none", '[');
	json_write_close(&out, ']');
	json_write_open(&out, "list", '[');
	json_write_open(&out, NULL, '{');
	json_write_close(&out, '}');
	json_write_open(&out, NULL, '{');
	json_write_number(&out, "n", UINT64_MAX);
	json_write_member(&out, "t", ",");
	json_write_close(&out, '}');
	json_write_close(&out, ']');
	json_write_close(&out, '}');
	json_write_end(&out);
	assert_string_equal(out.data,
	    "{\"none\":[],\"list\":[{},{\"n\":18446744073709551615,\"t\":\",\"}]}");
}

static void
what_does_not_fit_is_told_at_the_end(void **state)
{
	scoped_buf out = buf_make(10);

	(void)state;
	json_write_open(&out, NULL, '{');
	json_write_member(&out, "key", "too long");
	json_write_close(&out, '}');
	json_write_end(&out);
	assert_int_equal(buf_whole(&out, "it", NULL), -EFBIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_character_reads_back),
	    cmocka_unit_test(what_stands_for_itself_is_written_as_it_is),
	    cmocka_unit_test(what_is_opened_is_closed_without_a_comma_too_many),
	    cmocka_unit_test(what_does_not_fit_is_told_at_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
