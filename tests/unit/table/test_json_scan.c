#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/json_escape.h"
#include "table/json_scan.h"

/* json-c's own reader, in its strictest mode, makes the same tree. */
static void
assert_tree_of_json_c(const char *text, size_t length, struct json_object *tree)
{
	struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
	scoped_free char *whole = mem_format("%.*s", (int)length, text);

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* with its NUL: a number at the very end is only over when something follows */
	scoped_json *theirs = json_tokener_parse_ex(tokener, whole, (int)length + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success)
		fail_msg("json_scan takes what json-c does not: %s", whole);
	assert_string_equal(json_print(tree), json_print(theirs));
	assert_true(json_object_equal(tree, theirs));
	json_tokener_free(tokener);
}

/* In memory of exactly its size, so that the sanitizer sees a byte read too far. */
static int
scan(const char *text, size_t length, struct err *err)
{
	scoped_free char *exact = mem_new(length, 1);
	scoped_json *value = NULL;

	memcpy(exact, text, length);
	*err = (struct err){0};
	int rc = json_scan(exact, length, "it", &value, err);
	if (rc)
		assert_null(value);
	else
		assert_tree_of_json_c(text, length, value);
	return rc;
}

static void
accept(const char *text)
{
	struct err err;

	if (scan(text, strlen(text), &err))
		fail_msg("%s | %s", text, err.text);
}

static void
refuse_bytes(const char *text, size_t length, const char *why)
{
	struct err err;
	int rc = scan(text, length, &err);

	if (rc != -EBADMSG || !strstr(err.text, why))
		fail_msg("%.*s | %d: %s, not: %s", (int)length, text, rc, err.text, why);
}

static void
refuse(const char *text, const char *why)
{
	refuse_bytes(text, strlen(text), why);
}

static void
what_RFC_8259_has_is_accepted(void **state)
{
	static const char *const good[] = {"7", " null\r\n\t", "true", "false", "\"\"", "[]", "{}",
	    "[[],[[]],{}]", "{\"a\":1,\"b\":{\"a\":[{\"a\":null}]}}", "{ \"\" : 0 , \"a\" : -0 }",
	    "[0,-1,10,0.5,-0.0,1e5,1E+5,1.5e-05,0e0,1e-400]", "[9223372036854775807,-9223372036854775808]",
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00fF\\uFFFF\\ud83d\\uDE00\\u0000\"",
	    "\"\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf\""};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		accept(good[i]);
}

static void
what_is_no_JSON_is_refused_with_its_position(void **state)
{
	static const char *const bad[][2] = {{"", "no value at byte 0"}, {" ", "no value at byte 1"},
	    {"{'a':1}", "no key at byte 1"}, {"{\"a\":'b'}", "no value at byte 5"},
	    {"{a:1}", "no key"}, {"{\"a\" 1}", "no ':'"}, {"{\"a\":1,}", "no key at byte 7"},
	    {"{\"a\":1", "no ',' or '}'"}, {"{\"a\":}", "no value"}, {"{,}", "no key"}, {"{", "no key"},
	    {"[1,]", "no value at byte 3"}, {"[1 2]", "no ',' or ']'"}, {"[,1]", "no value"},
	    {"[1", "no ',' or ']'"}, {"[", "no value"}, {"[}", "no value"},
	    {"NaN", "no value"}, {"Infinity", "no value"}, {"-Infinity", "no value"}, {"nan", "no value"},
	    {"True", "no value"}, {"tru", "no value"}, {"NULL", "no value"}, {"nullx", "behind the value"},
	    {"{}{}", "something behind the value at byte 2"}, {"1 //x", "behind the value"},
	    {"/**/1", "no value"}, {"[1/**/]", "no ','"}, {"\v1", "no value"}, {"1\f", "behind"},
	    {"\xef\xbb\xbf{}", "no value at byte 0"}};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i][0], bad[i][1]);
	refuse_bytes("{}\0", 3, "something behind the value at byte 2");
	refuse_bytes("\"a\0\"", 4, "a control character in a string at byte 2");
	refuse_bytes("\"\\\0\"", 4, "an escape that JSON does not have");
}

static void
numbers_are_written_as_JSON_writes_them(void **state)
{
	static const char *const bad[] = {"01", "-01", "00", "+1", ".5", "1.", "1.e5", "-.5", "1e",
	    "1e+", "1.5E-", "0x10", "1_0", "-", "--1", "-a", "1e5.5"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (scan(bad[i], strlen(bad[i]), &err) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
}

static void
a_number_that_would_become_another_is_refused(void **state)
{
	static const char *const bad[] = {"9223372036854775808", "-9223372036854775809",
	    "18446744073709551616", "99999999999999999999999999999999999999999", "1e309", "-1e309",
	    "1.7976931348623159e308",
	    "0.00000000000000000000000000000000000000000000000000000000000000001"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i], "a number that 64 bits cannot hold");
	accept("1.7976931348623157e308");
}

static void
strings_are_well_formed(void **state)
{
	static const char *const bad[][2] = {{"\"a", "a string without end at byte 2"},
	    {"\"\n\"", "control character"}, {"\"\x1f\"", "control character"},
	    {"\"\\", "an escape that JSON does not have"}, {"\"\\'\"", "an escape that JSON does not have"},
	    {"\"\\x41\"", "an escape"}, {"\"\\u12\"", "hexadecimal"}, {"\"\\u12g4\"", "hexadecimal"},
	    {"\"\\u", "hexadecimal"}, {"\"\\ud83d\"", "half a surrogate pair at byte 1"},
	    {"\"\\ude00\"", "half a surrogate"}, {"\"\\ud83d\\ud83d\"", "half a surrogate"},
	    {"\"\\ud83d\\u0041\"", "half"}, {"\"\\ud83dxude00\"", "half"}, {"\"\\ud83d\\nde00\"", "half"},
	    {"\"\\ud83d\\ude0", "half a surrogate"}};
	static const char *const no_utf8[] = {"\"\xff\"", "\"\x80\"", "\"\xc3\"", "\"\xc0\x80\"",
	    "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf0\x9f\x98\"",
	    "{\"\xc1\xbf\":1}", "\"\xe2\x82"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(bad[i][0], bad[i][1]);
	for (size_t i = 0; i < sizeof(no_utf8) / sizeof(no_utf8[0]); i++)
		refuse(no_utf8[i], "no UTF-8 at byte");
}

static void
a_key_that_stands_twice_is_named_with_both_positions(void **state)
{
	(void)state;
	refuse("{\"a\":1,\"b\":2,\"a\":3}",
	    "it has the key \"a\" twice in one object, at bytes 2 and 14; keep one of them");
	refuse("{\"a\":1,\"\\u0061\":2}", "\"\\u0061\" twice in one object, at bytes 2 and 8");
	refuse("{\"\\u0061\":1,\"a\":2}", "\"a\" twice in one object, at bytes 2 and 13");
	refuse("{\"\\u00E9\":1,\"\xc3\xa9\":2}", "twice");
	refuse("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "twice");
	refuse("{\"a\\/b\":1,\"a/b\":2}", "twice");
	refuse("{\"x\":[{\"y\":{\"\":1,\"\":2}}]}", "twice");
	refuse("{\"a\":{\"a\":1,\"b\":{}},\"b\":{},\"a\":{}}", "\"a\" twice in one object, at bytes 2 and 28");
	/* the same key in different objects, and one that is the start of another */
	accept("{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}],\"aa\":1,\"\":1,\"A\":1,\"a\\u0020\":1}");
	/* json-c would cut the key at the NUL */
	refuse("{\"a\\u0000b\":1}", "a NUL character in the key");
}

static void
nesting_ends_at_its_maximum(void **state)
{
	char text[4 * JSON_DEPTH_MAX];

	(void)state;
	memset(text, '[', JSON_DEPTH_MAX);
	text[JSON_DEPTH_MAX] = '7';
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX);
	text[2 * JSON_DEPTH_MAX + 1] = '\0';
	accept(text);
	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	text[2 * JSON_DEPTH_MAX + 2] = '\0';
	refuse(text, "too deep nesting at byte 32");
}

/* One mebibyte of keys that differ in their last bytes only, in the worst order. */
static void
a_large_object_is_searched_whole(void **state)
{
	scoped_buf text = buf_make(STDIN_BYTES_MAX);
	const char *twice = ",\"a shared prefix 12345\":0}";

	(void)state;
	for (unsigned i = 0; i < 30000; i++)
		assert_true(buf_print(&text, "%s\"a shared prefix %u\":%u", i ? "," : "{", 30000 - i, i));
	size_t length = text.length;
	assert_true(buf_text(&text, "}"));
	accept(buf_string(&text));
	text.length = length;
	assert_true(buf_text(&text, twice));
	refuse(buf_string(&text), "the key \"a shared prefix 12345\" twice");
}

/* Half a minute would be needed, were each put behind all the earlier ones. */
static void
one_key_that_stands_there_again_and_again_is_refused(void **state)
{
	scoped_buf text = buf_make(STDIN_BYTES_MAX);

	(void)state;
	assert_true(buf_text(&text, "{\"a\":1"));
	while (text.length + 8 < STDIN_BYTES_MAX)
		assert_true(buf_text(&text, ",\"a\":1"));
	assert_true(buf_text(&text, "}"));
	refuse(buf_string(&text), "the key \"a\" twice");
}

static void
unescaped_strings_compare_by_code_points(void **state)
{
	static const char *const sorted[] = {"", "\\u0001", "\\n", "A", "\\u0061", "ab", "b\\u00e9",
	    "\xc3\xaa", "\\u20ac", "\xef\xbf\xbf", "\\ud83d\\ude00", "\xf0\x9f\x98\x81"};
	enum { COUNT = sizeof(sorted) / sizeof(sorted[0]) };

	(void)state;
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < COUNT; j++)
			assert_int_equal(json_escaped_compare(sorted[i], strlen(sorted[i]),
			                     sorted[j], strlen(sorted[j])),
			    (i > j) - (i < j));
}

/* What two readers could understand differently never becomes a tree. */
static void
json_parse_refuses_what_json_c_would_take(void **state)
{
	static const char *const bad[] = {"{'a':1}", "NaN", "[Infinity]", "{\"a\":1,\"a\":2}",
	    "18446744073709551616", "\"\xed\xa0\x80\"", "\"\\ud800\"", "[1]\n\v"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct json_object *value = NULL;
		struct err err = {0};
		assert_int_equal(json_parse(bad[i], strlen(bad[i]), "it", &value, &err), -EBADMSG);
		assert_null(value);
		assert_ptr_equal(strstr(err.text, "it "), err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_RFC_8259_has_is_accepted),
	    cmocka_unit_test(what_is_no_JSON_is_refused_with_its_position),
	    cmocka_unit_test(numbers_are_written_as_JSON_writes_them),
	    cmocka_unit_test(a_number_that_would_become_another_is_refused),
	    cmocka_unit_test(strings_are_well_formed),
	    cmocka_unit_test(a_key_that_stands_twice_is_named_with_both_positions),
	    cmocka_unit_test(nesting_ends_at_its_maximum),
	    cmocka_unit_test(a_large_object_is_searched_whole),
	    cmocka_unit_test(one_key_that_stands_there_again_and_again_is_refused),
	    cmocka_unit_test(unescaped_strings_compare_by_code_points),
	    cmocka_unit_test(json_parse_refuses_what_json_c_would_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
