#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "table/json.h"
#include "table/row.h"

static void
a_profile_goes_there_and_back(void **state)
{
	static const char *const lines[] = {
	    "{\"uid\":\"u\"}",
	    "{\"uid\":\"u\",\"gw\":[\"10.0.2.1\",\"fe80::1\"],\"routes\":[{\"dst\":\"10.9.0.0/16\"}],\"handover\":\"Available\"}",
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		scoped_buf out = buf_make(4096);
		static struct profile profile;
		struct err err = {0};
		assert_int_equal(
		    profile_decode("!ns/a", lines[i], strlen(lines[i]), &profile, &err), 0);
		assert_int_equal(profile.available, i == 1);
		assert_string_equal(profile.allocation, "ns/a");
		profile_encode(&profile, &out);
		assert_string_equal(buf_string(&out), lines[i]);
	}
}

static void
strict_is_what_is_not_said(void **state)
{
	static const char line[] = "{\"uid\":\"u\",\"handover\":\"Strict\"}";
	static struct profile profile = {.available = true};
	scoped_buf out = buf_make(4096);

	(void)state;
	assert_int_equal(profile_decode("!ns/a", line, strlen(line), &profile, NULL), 0);
	assert_false(profile.available);
	profile_encode(&profile, &out);
	assert_string_equal(buf_string(&out), "{\"uid\":\"u\"}");
}

static void
what_is_no_profile_is_refused(void **state)
{
	static const char *const wrong[] = {"{}", "[]", "", "{\"uid\":7}",
	    "{\"uid\":\"u\",\"handover\":\"available\"}", "{\"uid\":\"u\",\"handover\":\"\"}",
	    "{\"uid\":\"u\",\"handover\":true}", "{\"uid\":\"u\",\"gw\":[\"x\"]}"};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		static struct profile profile;
		struct err err = {0};
		assert_true(profile_decode("!ns/a", wrong[i], strlen(wrong[i]), &profile, &err) < 0);
		assert_non_null(strstr(err.text, "!ns/a"));
	}
}

static void
routes_are_written_as_their_tree_is_printed(void **state)
{
	static struct routes routes;
	const char *text = "[{\"dst\":\"10.9.0.0/16\"},{\"dst\":\"fd00::/64\",\"gw\":\"fd00::1\","
	                   "\"priority\":0,\"table\":4294967295,\"scope\":253,\"mtu\":1400,\"advmss\":1}]";
	scoped_json *read = NULL;
	scoped_buf out = buf_make(4096);
	scoped_buf expected = buf_make(4096);

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), "it", &read, NULL), 0);
	assert_int_equal(routes_decode(read, "it", ROUTE_STRICT, &routes, NULL), 0);
	scoped_json *tree = routes_encode(routes.list, routes.count);
	(void)buf_print(&expected, "\"routes\":%s,", json_print(tree));
	routes_write(routes.list, routes.count, &out);
	assert_string_equal(out.data, expected.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_profile_goes_there_and_back),
	    cmocka_unit_test(strict_is_what_is_not_said),
	    cmocka_unit_test(what_is_no_profile_is_refused),
	    cmocka_unit_test(routes_are_written_as_their_tree_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
