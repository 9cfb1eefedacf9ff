#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "table/json.h"
#include "table/route.h"
#include "table/route_extra.h"

static int
decode(const char *text, uint8_t family, struct ip *gw, struct route_extra *extra, struct err *err)
{
	scoped_json *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), "x", &object, err), 0);
	return route_extra_decode(object, "r", family, gw, extra, err);
}

static void
every_key_is_read(void **state)
{
	struct ip gw = {0};
	struct route_extra extra;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(decode("{}", 4, &gw, &extra, NULL), 0);
	assert_int_equal(extra.type, ROUTE_UNICAST);
	assert_int_equal(extra.hop_count + extra.src.family + extra.onlink, 0);
	assert_int_equal(decode("{\"gw\":\"x\",\"onlink\":true,\"src\":\"FD00::0:1\"}", 6, &gw, &extra, NULL), 0);
	assert_true(extra.onlink);
	assert_string_equal(ip_print(&extra.src, text), "fd00::1");
	for (unsigned i = 0; i < ROUTE_TYPES; i++) {
		char object[64];
		(void)snprintf(object, sizeof(object), "{\"type\":\"%s\"}", route_type_name((enum route_type)i));
		assert_int_equal(decode(object, 4, &gw, &extra, NULL), 0);
		assert_int_equal(extra.type, i);
	}
}

static void
next_hops_have_weights_and_a_single_one_is_the_gateway(void **state)
{
	struct ip gw = {0};
	struct route_extra extra;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(decode("{\"nexthops\":[{\"gw\":\"10.0.0.1\",\"weight\":256},{\"gw\":\"10.0.0.2\",\"onlink\":true}]}",
	                     4, &gw, &extra, NULL), 0);
	assert_int_equal(extra.hop_count, 2);
	assert_int_equal(extra.hops[0].weight, 256);
	assert_int_equal(extra.hops[1].weight, 1);
	assert_true(extra.hops[1].onlink && !extra.hops[0].onlink);
	assert_int_equal(gw.family, 0);
	assert_int_equal(decode("{\"nexthops\":[{\"gw\":\"10.0.0.2\",\"onlink\":true,\"weight\":7}]}", 4, &gw, &extra, NULL), 0);
	assert_int_equal(extra.hop_count, 0);
	assert_true(extra.onlink);
	assert_string_equal(ip_print(&gw, text), "10.0.0.2");
}

static void
contradictions_are_refused_by_name(void **state)
{
	static const char *const rows[][2] = {
	    {"{\"type\":\"throw\"}", "r.type"}, {"{\"type\":1}", "r.type"}, {"{\"src\":\"fd00::1\"}", "two families"},
	    {"{\"src\":\"10.0.0\"}", "r.src"}, {"{\"onlink\":1}", "r.onlink"}, {"{\"onlink\":true}", "onlink"},
	    {"{\"type\":\"blackhole\",\"gw\":\"x\"}", "leads nowhere"}, {"{\"type\":\"blackhole\",\"src\":\"10.0.0.1\"}", "leads nowhere"},
	    {"{\"nexthops\":[]}", "empty"}, {"{\"nexthops\":[{\"weight\":1}]}", "nexthops[0]"},
	    {"{\"nexthops\":[{\"gw\":\"10.0.0.1\",\"weight\":0}]}", "1 to 256"}, {"{\"nexthops\":[{\"gw\":\"10.0.0.1\",\"metric\":0}]}", "metric"},
	    {"{\"nexthops\":[{\"gw\":\"10.0.0.1\"},{\"gw\":\"10.0.0.1\"}]}", "10.0.0.1 twice"},
	    {"{\"gw\":\"x\",\"nexthops\":[{\"gw\":\"10.0.0.1\"}]}", "gw and nexthops"},
	    {"{\"onlink\":false,\"nexthops\":[{\"gw\":\"10.0.0.1\"}]}", "onlink and nexthops"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip gw = {0};
		struct route_extra extra;
		struct err err = {0};
		if (decode(rows[i][0], 4, &gw, &extra, &err) == 0)
			fail_msg("%s was taken", rows[i][0]);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("'%s' does not have '%s'", err.text, rows[i][1]);
	}
}

static void
only_the_chained_dialect_takes_these_keys(void **state)
{
	static const char *const values[] = {"onlink\":true", "src\":\"10.0.0.1\"", "type\":\"unicast\"", "nexthops\":[]"};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[128];
		struct routes routes;
		struct err err = {0};
		scoped_json *list = NULL;
		(void)snprintf(text, sizeof(text), "[{\"dst\":\"10.9.0.0/16\",\"%s}]", values[i]);
		assert_int_equal(json_parse(text, strlen(text), "x", &list, &err), 0);
		assert_int_equal(routes_decode(list, "spec.routes", ROUTE_CHAINED, &routes, &err), 0);
		for (int dialect = ROUTE_STRICT; dialect < ROUTE_CHAINED; dialect++) {
			assert_int_not_equal(routes_decode(list, "spec.routes", (enum route_dialect)dialect, &routes, &err), 0);
			assert_non_null(strstr(err.text, "spec.routes[0]."));
			assert_non_null(strstr(err.text, "needs the chained role"));
		}
	}
}

static void
any_difference_makes_two_routes(void **state)
{
	const struct route_extra one = {.hops = {{.gw.family = 4, .weight = 1}, {.gw.family = 4, .weight = 2}}, .hop_count = 2};
	struct route_extra others[6];

	(void)state;
	for (size_t i = 0; i < 6; i++)
		others[i] = one;
	assert_true(route_extra_equal(&one, &others[0]));
	others[0].type = ROUTE_PROHIBIT;
	others[1].onlink = true;
	others[2].src.family = 4;
	others[3].hop_count = 1;
	others[4].hops[1].weight = 3;
	others[5].hops[0].onlink = true;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(route_extra_equal(&one, &others[i]));
}

static unsigned
count_decoded(unsigned count, enum route_dialect dialect)
{
	scoped_json *list = json_object_new_array();
	struct routes routes;
	struct err err = {0};
	char text[32];

	for (unsigned i = 0; i < count; i++) {
		struct json_object *route = json_object_new_object();
		(void)snprintf(text, sizeof(text), "10.%u.0.0/16", i);
		json_put_text(route, "dst", text);
		json_object_array_add(list, route);
	}
	if (!routes_decode(list, "routes", dialect, &routes, &err))
		return routes.count;
	(void)snprintf(text, sizeof(text), "at most %u are", count - 1);
	assert_non_null(strstr(err.text, text));
	return 0;
}

static void
a_configuration_may_have_more_routes_than_an_allocation(void **state)
{
	(void)state;
	assert_int_equal(count_decoded(ALLOCATION_ROUTES_MAX, ROUTE_STRICT), ALLOCATION_ROUTES_MAX);
	assert_int_equal(count_decoded(ALLOCATION_ROUTES_MAX + 1, ROUTE_STRICT), 0);
	for (int dialect = ROUTE_LAX; dialect <= ROUTE_CHAINED; dialect++) {
		assert_int_equal(count_decoded(ROUTES_MAX, (enum route_dialect)dialect), ROUTES_MAX);
		assert_int_equal(count_decoded(ROUTES_MAX + 1, (enum route_dialect)dialect), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_key_is_read),
	    cmocka_unit_test(next_hops_have_weights_and_a_single_one_is_the_gateway),
	    cmocka_unit_test(contradictions_are_refused_by_name),
	    cmocka_unit_test(only_the_chained_dialect_takes_these_keys),
	    cmocka_unit_test(any_difference_makes_two_routes),
	    cmocka_unit_test(a_configuration_may_have_more_routes_than_an_allocation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
