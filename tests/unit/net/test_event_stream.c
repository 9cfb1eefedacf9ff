/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "net/event_stream.h"
#include "table/json.h"

/* Two- to four-byte characters, escapes with surrogates, numbers, nesting, all
 * kinds of space between the values. */
static const char usual[] =
    "{\"type\":\"ADDED\",\"n\":-12.5e3,\"t\":[true,false,null,{}]}\n"
    "  {\"name\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\",\"e\":\"\\u00e4\\ud83d\\udc27\\n\"}"
    "{\"type\":\"BOOKMARK\"}\r\n\t{\"last\":[[[1]]]}";
static const char usual_seen[] =
    "{\"type\":\"ADDED\",\"n\":-12.5e3,\"t\":[true,false,null,{}]}|"
    "{\"name\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7\",\"e\":\"\xc3\xa4\xf0\x9f\x90\xa7\\n\"}|"
    "{\"type\":\"BOOKMARK\"}|{\"last\":[[[1]]]}|";

struct seen {
	struct buf text;
	int stop_after; /* values; 0 = never */
	int count;
};

static bool
note(void *cookie, struct json_object *value)
{
	struct seen *seen = cookie;

	(void)buf_text(&seen->text, json_print(value));
	(void)buf_text(&seen->text, "|");
	return ++seen->count != seen->stop_after;
}

/* Feeds in two pieces, cut at that byte; returns the result of the last feed. */
static int
feed_cut(const char *bytes, size_t length, size_t cut, size_t max, struct seen *seen,
    struct err *err)
{
	struct event_stream *stream = event_stream_new(max);

	buf_clear(&seen->text);
	seen->count = 0;
	int rc = event_stream_feed(stream, bytes, cut, note, seen, err);
	if (rc == 0)
		rc = event_stream_feed(stream, bytes + cut, length - cut, note, seen, err);
	event_stream_free(stream);
	return rc;
}

static void
gives_the_same_values_wherever_the_bytes_are_cut(void **state)
{
	struct seen seen = {.text = buf_make(4096)};
	struct err err = {0};

	(void)state;
	for (size_t cut = 0; cut < sizeof(usual); cut++) {
		assert_int_equal(
		    feed_cut(usual, sizeof(usual) - 1, cut, 1000, &seen, &err), 0);
		assert_string_equal(buf_string(&seen.text), usual_seen);
	}
	buf_release(&seen.text);
}

static void
gives_the_same_values_byte_by_byte(void **state)
{
	struct seen seen = {.text = buf_make(4096)};
	struct event_stream *stream = event_stream_new(1000);
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(usual) - 1; i++)
		assert_int_equal(event_stream_feed(stream, usual + i, 1, note, &seen, &err), 0);
	assert_string_equal(buf_string(&seen.text), usual_seen);
	event_stream_free(stream);
	buf_release(&seen.text);
}

/* Rubbish behind one good value: the value is seen, then the error, wherever the
 * bytes are cut. */
static void
refuses_rubbish_wherever_the_bytes_are_cut(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
	} rows[] = {
#define ROW(text) {"{\"a\":1}" text, sizeof("{\"a\":1}" text) - 1}
	    ROW("x"),
	    ROW("[1]"),
	    ROW("12 "),
	    ROW("null"),
	    ROW("{\"a\":1,}"),
	    ROW("{/* */}"),
	    ROW("{\"a\":\"\xff\"}"),
	    ROW("{\"a\":\"\xe2\x82\"}"),
	    ROW("{\"a\":\"\xa4\"}"),
	    ROW("{\"a\":\"\xe2x\"}"),
	    ROW("{\"a\":\"\0\"}"),
	    ROW("\0"),
	    ROW("{\0}"),
	    ROW("{\"a\":1\0}"),
	    ROW("{\"a\":[\0]}"),
	    ROW("{\"a\":tru\0e}"),
	    ROW("{]"),
#undef ROW
	};
	struct seen seen = {.text = buf_make(4096)};
	struct err err = {0};

	(void)state;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (size_t cut = 0; cut <= rows[row].length; cut++) {
			int rc = feed_cut(
			    rows[row].bytes, rows[row].length, cut, 1000, &seen, &err);
			if (rc != -EBADMSG)
				print_error("row %zu (%s), cut at %zu\n", row, rows[row].bytes, cut);
			assert_int_equal(rc, -EBADMSG);
			assert_string_equal(buf_string(&seen.text), "{\"a\":1}|");
		}
	}
	buf_release(&seen.text);
}

static void
an_event_may_have_as_many_bytes_as_the_maximum_and_not_one_more(void **state)
{
	static const char text[] = "{\"a\":\"123456\"}   \n{\"b\":\"123456\"}";
	struct seen seen = {.text = buf_make(4096)};
	struct err err = {0};

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		assert_int_equal(feed_cut(text, sizeof(text) - 1, cut, 14, &seen, &err), 0);
		assert_int_equal(seen.count, 2);
		assert_int_equal(feed_cut(text, sizeof(text) - 1, cut, 13, &seen, &err), -EFBIG);
		assert_int_equal(seen.count, 0);
	}
	assert_string_equal(err.text, "an event is larger than 13 bytes");
	buf_release(&seen.text);
}

static void
an_event_without_end_is_refused_when_it_passes_the_maximum(void **state)
{
	struct seen seen = {.text = buf_make(4096)};
	struct event_stream *stream = event_stream_new(1000);
	struct err err = {0};
	int fed = 0;

	(void)state;
	assert_int_equal(event_stream_feed(stream, "{\"a\":\"", 6, note, &seen, &err), 0);
	while (fed < 2000 && event_stream_feed(stream, "x", 1, note, &seen, &err) == 0)
		fed++;
	assert_int_equal(fed, 994);
	assert_int_equal(err.code, EFBIG);
	event_stream_free(stream);
}

/* TEXT nested so deep, in an object. */
static char *
nested(int depth)
{
	struct buf text = buf_make(4096);

	(void)buf_text(&text, "{\"a\":");
	for (int i = 1; i < depth; i++)
		(void)buf_text(&text, "[");
	for (int i = 1; i < depth; i++)
		(void)buf_text(&text, "]");
	(void)buf_text(&text, "}");
	return buf_take(&text);
}

static void
objects_may_be_deeper_than_our_own_documents_but_not_without_end(void **state)
{
	struct seen seen = {.text = buf_make(4096)};
	struct err err = {0};
	char *deep = nested(100);
	char *too_deep = nested(200);

	(void)state;
	assert_int_equal(feed_cut(deep, strlen(deep), 3, 1000, &seen, &err), 0);
	assert_int_equal(seen.count, 1);
	assert_int_equal(feed_cut(too_deep, strlen(too_deep), 3, 1000, &seen, &err), -EBADMSG);
	mem_free(deep);
	mem_free(too_deep);
	buf_release(&seen.text);
}

static void
stops_when_the_reader_has_enough(void **state)
{
	struct seen seen = {.text = buf_make(4096), .stop_after = 2};
	struct event_stream *stream = event_stream_new(1000);
	struct err err = {0};

	(void)state;
	assert_int_equal(event_stream_feed(stream, "{}{}{}rubbish", 13, note, &seen, &err), 0);
	assert_int_equal(seen.count, 2);
	event_stream_free(stream);
	buf_release(&seen.text);
}

static void
freeing_in_the_middle_of_a_value_leaks_nothing(void **state)
{
	struct seen seen = {.text = buf_make(4096)};
	struct event_stream *stream = event_stream_new(1000);
	struct err err = {0};

	(void)state;
	assert_int_equal(event_stream_feed(stream, "{\"a\":{\"b\":[1,\"\xe2", 15, note, &seen, &err), 0);
	event_stream_free(stream);
	event_stream_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gives_the_same_values_wherever_the_bytes_are_cut),
	    cmocka_unit_test(gives_the_same_values_byte_by_byte),
	    cmocka_unit_test(refuses_rubbish_wherever_the_bytes_are_cut),
	    cmocka_unit_test(an_event_may_have_as_many_bytes_as_the_maximum_and_not_one_more),
	    cmocka_unit_test(an_event_without_end_is_refused_when_it_passes_the_maximum),
	    cmocka_unit_test(objects_may_be_deeper_than_our_own_documents_but_not_without_end),
	    cmocka_unit_test(stops_when_the_reader_has_enough),
	    cmocka_unit_test(freeing_in_the_middle_of_a_value_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
