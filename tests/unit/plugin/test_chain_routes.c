#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "plugin/chain_wanted.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static int
decode(const char *routes, struct chain_routes *ret_wanted, struct err *err)
{
	scoped_free char *text = mem_format("{\"routes\":%s}", routes);
	scoped_json *config = NULL;
	struct chain_wanted wanted;

	assert_int_equal(json_parse(text, strlen(text), "x", &config, err), 0);
	int rc = chain_wanted_decode(config, &wanted, err);
	if (!rc)
		*ret_wanted = wanted.routes;
	return rc;
}

static struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {0};

	if (text)
		assert_int_equal(cidr_parse(text, strlen(text), &cidr, NULL), 0);
	return cidr;
}

static struct chain_facts
facts_of(const char *host4, const char *host6, const char *pod4, const char *pod6)
{
	return (struct chain_facts){.host = {cidr_of(host4).ip, cidr_of(host6).ip},
	    .pod = {cidr_of(pod4), cidr_of(pod6)}};
}

/* "DST>GW DST>GW" of what the configuration makes, or "error CODE". */
static void
plans(const char *routes, const struct chain_facts *facts, const char *wanted_text)
{
	struct chain_routes wanted;
	struct chain_route_list plan;
	struct err err = {0};
	scoped_buf out = buf_make(16384);
	char text[ADDRESS_TEXT_MAX];

	assert_int_equal(decode(routes, &wanted, &err), 0);
	if (chain_routes_plan(&wanted, facts, &plan, &err)) {
		(void)buf_print(&out, "error %d", cni_error_code(&err));
		plan.count = 0;
	}
	for (unsigned i = 0; i < plan.count; i++) {
		(void)buf_print(&out, "%s%s>", i ? " " : "", cidr_print(&plan.list[i].route.dst, text));
		if (plan.list[i].route.gw.family)
			(void)buf_text(&out, ip_print(&plan.list[i].route.gw, text));
	}
	assert_string_equal(buf_string(&out), wanted_text);
}

static void
written_routes_are_taken_as_they_are(void **state)
{
	const struct chain_facts nothing = {0};

	(void)state;
	plans("[]", &nothing, "");
	plans("null", &nothing, "");
	plans("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.0.1\"},{\"dst\":\"fd09::/32\"}]", &nothing,
	    "10.9.0.0/16>10.0.0.1 fd09::/32>");
	plans("[{\"dst\":\"10.9.1.1/16\"},{\"dst\":\"FD09:0::1/32\"}]", &nothing, "10.9.0.0/16> fd09::/32>");
}

static void
host_is_each_family_that_pod_and_node_both_have(void **state)
{
	static const struct {
		const char *host4, *host6, *pod4, *pod6, *wanted;
	} rows[] = {
	    {"10.0.32.2/20", "fd32::2/64", "10.131.0.43/23", "fd31::43/64", "10.0.32.2/32>10.131.0.1 fd32::2/128>fd31::1"},
	    {"10.0.32.2/20", "fd32::2/64", "10.131.0.43/23", NULL, "10.0.32.2/32>10.131.0.1"},
	    {"10.0.32.2/20", "fd32::2/64", NULL, "fd31::43/64", "fd32::2/128>fd31::1"},
	    {NULL, "fd32::2/64", "10.131.0.43/23", "fd31::43/64", "fd32::2/128>fd31::1"},
	    {NULL, "fd32::2/64", "10.131.0.43/23", NULL, "error 105"},
	    {NULL, NULL, "10.131.0.43/23", "fd31::43/64", "error 105"},
	    {"10.0.32.2/20", "fd32::2/64", NULL, NULL, "error 11"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct chain_facts facts = facts_of(rows[i].host4, rows[i].host6, rows[i].pod4, rows[i].pod6);
		plans("[{\"dst\":\"host\",\"gw\":\"auto\"}]", &facts, rows[i].wanted);
	}
}

static void
a_node_that_is_the_gateway_needs_no_route(void **state)
{
	struct chain_facts facts = facts_of("10.131.0.1/23", "fd32::2/64", "10.131.0.43/23", "fd31::43/64");

	(void)state;
	plans("[{\"dst\":\"host\",\"gw\":\"auto\"}]", &facts, "fd32::2/128>fd31::1");
	plans("[{\"dst\":\"host\",\"gw\":\"10.131.0.1\"}]", &facts, "");
}

static void
host_with_a_written_gateway_is_of_its_family(void **state)
{
	struct chain_facts facts = facts_of("10.0.32.2/20", "fd32::2/64", NULL, NULL);

	(void)state;
	plans("[{\"dst\":\"host\",\"gw\":\"fd00::9\"},{\"dst\":\"host\",\"gw\":\"10.0.0.9\"}]", &facts,
	    "fd32::2/128>fd00::9 10.0.32.2/32>10.0.0.9");
	facts.host[1].family = 0;
	plans("[{\"dst\":\"host\",\"gw\":\"fd00::9\"}]", &facts, "error 105");
}

static void
the_first_address_of_each_kind_of_subnet(void **state)
{
	static const struct {
		const char *pod, *first;
	} rows[] = {{"10.131.0.43/23", "10.131.0.1"}, {"10.0.0.6/30", "10.0.0.5"}, {"10.0.0.5/30", NULL},
	    {"10.0.0.5/31", "10.0.0.4"}, {"10.0.0.4/31", "10.0.0.5"}, {"10.0.0.5/32", NULL}, {"10.0.0.5/0", "0.0.0.1"},
	    {"255.255.255.254/31", "255.255.255.255"}, {"2001:db8::43/64", "2001:db8::1"}, {"2001:db8::1/64", NULL},
	    {"2001:db8::2/127", "2001:db8::3"}, {"2001:db8::3/127", "2001:db8::2"}, {"2001:db8::3/128", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr pod = cidr_of(rows[i].pod);
		struct ip first;
		char text[ADDRESS_TEXT_MAX];
		assert_int_equal(chain_first_address(&pod, &first), rows[i].first != NULL);
		if (rows[i].first)
			assert_string_equal(ip_print(&first, text), rows[i].first);
	}
}

static void
auto_falls_back_to_the_default_gateway(void **state)
{
	struct chain_facts facts = facts_of(NULL, NULL, "10.0.0.5/32", "fd00::1/64");

	(void)state;
	plans("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"auto\"}]", &facts, "error 105");
	plans("[{\"dst\":\"fd09::/32\",\"gw\":\"auto\"}]", &facts, "error 105");
	facts.gateway[0] = cidr_of("169.254.1.1/32").ip;
	facts.gateway[1] = cidr_of("fe80::1/64").ip;
	plans("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"auto\"},{\"dst\":\"fd09::/32\",\"gw\":\"auto\"}]", &facts,
	    "10.9.0.0/16>169.254.1.1 fd09::/32>fe80::1");
	facts.pod[0].ip.family = 0;
	plans("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"auto\"}]", &facts, "error 11");
}

static void
only_what_is_used_has_to_be_asked_for(void **state)
{
	struct chain_routes wanted;

	(void)state;
	assert_int_equal(decode("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.0.1\"}]", &wanted, NULL), 0);
	assert_false(chain_routes_need_host(&wanted));
	assert_int_equal(decode("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"auto\"}]", &wanted, NULL), 0);
	assert_false(chain_routes_need_host(&wanted));
	assert_int_equal(decode("[{\"dst\":\"host\"}]", &wanted, NULL), 0);
	assert_true(chain_routes_need_host(&wanted));
}

static void
the_same_route_twice_is_one(void **state)
{
	struct chain_facts facts = facts_of(NULL, NULL, "10.0.0.5/24", NULL);

	(void)state;
	plans("[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.0.1\"},{\"dst\":\"10.9.7.0/16\",\"gw\":\"auto\"},"
	      "{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.0.1\",\"priority\":5}]",
	    &facts, "10.9.0.0/16>10.0.0.1 10.9.0.0/16>10.0.0.1");
}

static void
sixty_four_routes_fit_and_no_more(void **state)
{
	scoped_buf text = buf_make(16384);
	struct chain_routes wanted;
	struct chain_route_list plan;
	struct chain_facts facts = facts_of("10.0.0.1/24", "fd00::1/64", "10.1.0.2/24", "fd01::2/64");
	struct err err = {0};

	(void)state;
	(void)buf_text(&text, "[{\"dst\":\"host\"}");
	for (unsigned i = 1; i < ROUTES_MAX; i++)
		(void)buf_print(&text, ",{\"dst\":\"10.%u.0.0/16\"}", i);
	(void)buf_text(&text, "]");
	assert_int_equal(decode(buf_string(&text), &wanted, &err), 0);
	assert_int_equal(chain_routes_plan(&wanted, &facts, &plan, &err), -CNI_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "more than 128"));
	facts.pod[1].ip.family = 0;
	assert_int_equal(chain_routes_plan(&wanted, &facts, &plan, &err), 0);
	assert_int_equal(plan.count, ROUTES_MAX);
}

static void
refused(const char *routes, const char *words)
{
	struct chain_routes wanted;
	struct err err = {0};

	assert_int_equal(decode(routes, &wanted, &err), -CNI_ERROR_CONFIG);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
what_is_no_route_is_refused_by_its_place(void **state)
{
	(void)state;
	refused("{}", "routes");
	refused("[7]", "routes[0]");
	refused("[{\"dst\":\"host\"},{\"dst\":\"Host\"}]", "routes[1].dst");
	refused("[{\"dst\":\"host\",\"gw\":\"AUTO\"}]", "routes[0].gw");
	refused("[{\"gw\":\"auto\"}]", "routes[0].dst");
	refused("[{\"dst\":\"host\",\"gw\":7}]", "routes[0].gw");
	refused("[{\"dst\":\"host\",\"onlink\":true}]", "onlink");
	refused("[{\"dst\":\"host\",\"nexthops\":[{\"gw\":\"10.0.0.1\"}]}]", "nexthops");
	refused("[{\"dst\":\"host\",\"gw\":\"10.0.0.1\",\"src\":\"fd00::1\"}]", "two families");
	refused("[{\"dst\":\"10.0.0.0/8\",\"gw\":\"fd00::1\"}]", "two families");
}

static void
an_entry_to_host_is_of_its_source_s_family(void **state)
{
	struct chain_facts facts = facts_of("10.0.32.2/20", "fd32::2/64", "10.131.0.43/23", "fd31::43/64");

	(void)state;
	plans("[{\"dst\":\"host\",\"gw\":\"auto\",\"src\":\"fd31::43\"}]", &facts, "fd32::2/128>fd31::1");
	plans("[{\"dst\":\"host\",\"type\":\"blackhole\"}]", &facts, "10.0.32.2/32> fd32::2/128>");
}

static void
every_next_hop_is_over_the_interface(void **state)
{
	struct chain_facts facts = {.index = 7};
	struct chain_routes wanted;
	struct chain_route_list plan;

	(void)state;
	assert_int_equal(decode("[{\"dst\":\"10.9.0.0/16\",\"nexthops\":[{\"gw\":\"10.0.0.1\"},{\"gw\":\"10.0.0.2\"}]},"
	                        "{\"dst\":\"10.8.0.0/16\",\"type\":\"prohibit\"}]", &wanted, NULL), 0);
	assert_int_equal(chain_routes_plan(&wanted, &facts, &plan, NULL), 0);
	assert_int_equal(plan.list[0].index, 7);
	assert_int_equal(plan.list[0].hop_indexes[0], 7);
	assert_int_equal(plan.list[0].hop_indexes[1], 7);
	assert_int_equal(plan.list[1].index, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(written_routes_are_taken_as_they_are),
	    cmocka_unit_test(host_is_each_family_that_pod_and_node_both_have),
	    cmocka_unit_test(a_node_that_is_the_gateway_needs_no_route),
	    cmocka_unit_test(host_with_a_written_gateway_is_of_its_family),
	    cmocka_unit_test(the_first_address_of_each_kind_of_subnet),
	    cmocka_unit_test(auto_falls_back_to_the_default_gateway),
	    cmocka_unit_test(only_what_is_used_has_to_be_asked_for),
	    cmocka_unit_test(the_same_route_twice_is_one),
	    cmocka_unit_test(sixty_four_routes_fit_and_no_more),
	    cmocka_unit_test(what_is_no_route_is_refused_by_its_place),
	    cmocka_unit_test(an_entry_to_host_is_of_its_source_s_family),
	    cmocka_unit_test(every_next_hop_is_over_the_interface),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
