#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/allocation.h"
#include "controller/validate.h"
#include "core/mem.h"
#include "table/json.h"

#define POD "\"network\":\"net\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"p\"},"
#define SET "\"network\":\"net\",\"targetRef\":{\"kind\":\"StatefulSet\",\"name\":\"s\"},"

#define ONE POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],"

/* Decodes and validates {TEXT}. NULL = accepted; else the sentence (mem_free). */
static char *
judge(const char *text)
{
	scoped_free char *json = mem_format("{%s}", text);
	scoped_json *spec = NULL;
	struct allocation *allocation = NULL;
	struct err err = {0};

	assert_int_equal(json_parse(json, strlen(json), "test", &spec, &err), 0);
	int rc = allocation_decode(spec, &allocation, &err);
	if (!rc)
		rc = validate(allocation, &err);
	allocation_free(allocation);
	assert_true(rc == 0 || rc == -EINVAL);
	return rc ? mem_text(err.text) : NULL;
}

static void
valid_specs_are_accepted(void **state)
{
	static const char *const good[] = {
	    POD "\"addresses\":[{\"ips\":[\"10.0.2.40/24\"]}]",
	    SET "\"addresses\":[{\"ips\":[\"10.0.2.40/24\",\"fec0::40/64\"],\"gateways\":[\"10.0.2.1\"]}]",
	    SET "\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\",\"fec0::40-fec0::49/64\"]",
	    SET "\"addressRanges\":[\"10.0.2.0-10.0.2.1/31\"]",
	    SET "\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\"],\"gateways\":[\"10.0.2.1\"],"
	        "\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.99\",\"priority\":100}]",
	    POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"handover\":\"Strict\",\"onNodeFailure\":\"Hold\"",
	    POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"handover\":\"Available\",\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":604800",
	    POD "\"interface\":\"net1\",\"addresses\":[{\"ips\":[\"fec0::40/64\"]}],\"gateways\":[\"fe80::1\"]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		scoped_free char *refusal = judge(good[i]);
		if (refusal)
			fail_msg("%s: %s", good[i], refusal);
	}
}

static void
bad_specs_are_refused_with_field_and_rule(void **state)
{
	static const char *const bad[][2] = {
	    {POD "\"x\":1", "rule V2"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\"]", "rule V2"},
	    {POD "\"addresses\":[]", "rule V2"},
	    {POD "\"addresses\":[{\"ips\":[]}]", "spec.addresses[0].ips is empty"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]},{\"ips\":[\"10.0.2.5/24\"]}]", "rule V3"},
	    {POD "\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\"]", "rule V3"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4\"]}]", "spec.addresses[0].ips[0]: '10.0.2.4' has no /prefix length (rule V1)"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.04/24\"]}]", "spec.addresses[0].ips[0]"},
	    {POD "\"addresses\":[{\"ips\":[7]}]", "spec.addresses[0].ips[0]"},
	    {SET "\"addressRanges\":[\"10.0.2.40-10.0.2.49\"]", "rule V4"},
	    {SET "\"addressRanges\":[\"10.0.2.40-10.0.3.49/24\"]", "rule V4"},
	    {SET "\"addressRanges\":[\"10.0.0.1-10.0.8.1/16\"]", "rule V4"},
	    {SET "\"addressRanges\":[\"10.0.2.49-10.0.2.40/24\"]", "ends before it starts"},
	    {SET "\"addressRanges\":[\"10.0.2.40-fec0::1/64\"]", "mixes"},
	    {SET "\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\",\"fec0::1-fec0::2/64\"]",
	        "spec.addressRanges[1] has 2 addresses, spec.addressRanges[0] has 10"},
	    {SET "\"addressRanges\":[\"10.0.2.40-10.0.2.49/24\",\"10.0.2.49-10.0.2.58/24\"]", "rule V6"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.0/24\"]}]", "network address of 10.0.2.0/24"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.255/24\"]}]", "rule V7"},
	    {SET "\"addressRanges\":[\"10.0.2.250-10.0.2.255/24\"]", "spec.addressRanges: entry 5: 10.0.2.255/24 is the broadcast"},
	    {POD "\"addresses\":[{\"ips\":[\"224.0.0.5/24\"]}]", "rule V7"},
	    {SET "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]},{\"ips\":[\"10.0.2.4/24\"]}]",
	        "spec.addresses: 10.0.2.4 is in entry 0 and in entry 1 (rule V8)"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\",\"10.0.2.4/25\"]}]", "rule V8"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"gateways\":[\"10.0.3.1\"]", "rule V9"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"],\"gateways\":[\"10.0.3.1\"]}]", "rule V9"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"gateways\":[\"10.0.2.4\"]", "rule V10"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"gateways\":[\"10.0.2.1\",\"10.0.2.2\"]", "one family"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"fd00::/64\"}]", "rule V11"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.3.1\"}]", "rule V11"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.1/16\"}]", "spec.routes[0].dst"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\"},{\"dst\":\"10.9.0.0/16\"}]", "rule V12"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"via\":\"x\"}]", "spec.routes[0].via"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"table\":-1}]", "spec.routes[0].table"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.4\"}]", "own address (rule V11)"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\"},{\"dst\":\"10.9.0.0/16\",\"table\":254,\"priority\":0,\"mtu\":1400}]", "rule V12"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"gateways\":[\"10.0.2.255\"]", "broadcast address of 10.0.2.0/24 (rule V9)"},
	    {POD "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"],\"gateways\":[\"fe80::1\"]}]", "no address of its family (rule V9)"},
	    {SET "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]},{\"ips\":[\"10.0.3.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.1\"}]", "subnet of entry 1's addresses (rule V11)"},
	    {SET "\"addressRanges\":[\"10.0.0.0-10.0.4.0/16\"]", "rule V4"},
	    {SET "\"addressRanges\":[\"10.0.2.1-10.0.2.2/24\",\"10.0.3.1-10.0.3.2/24\",\"10.0.3.2-10.0.3.3/24\"]", "spec.addressRanges[1] and spec.addressRanges[2] overlap"},
	    {POD "\"interface\":\"a/b\",\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}]", "spec.interface"},
	    {POD "\"addresses\":[{\"ips\":[\"::2:3/64\"]}]", "IPv4-compatible"},
	    {ONE "\"handover\":\"available\"", "spec.handover: 'available' is unknown, use Strict or Available (rule V1)"},
	    {ONE "\"handover\":true", "spec.handover"},
	    {ONE "\"onNodeFailure\":\"\"", "spec.onNodeFailure: '' is unknown, use Hold or AfterGrace (rule V1)"},
	    {ONE "\"onNodeFailure\":\"AfterGrace\"", "AfterGrace needs spec.graceSeconds (rule V13)"},
	    {ONE "\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":59", "spec.graceSeconds: 59 is less than 60 (rule V1)"},
	    {ONE "\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":0", "spec.graceSeconds: 0 is less than 60 (rule V1)"},
	    {ONE "\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":604801", "spec.graceSeconds"},
	    {ONE "\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":\"60\"", "spec.graceSeconds"},
	    {ONE "\"onNodeFailure\":\"Hold\",\"graceSeconds\":60", "only with spec.onNodeFailure AfterGrace (rule V13)"},
	    {ONE "\"graceSeconds\":60", "rule V13"},
	    {"\"network\":\"a/b\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"p\"}", "spec.network"},
	    {"\"targetRef\":{\"kind\":\"Pod\",\"name\":\"p\"}", "spec.network is missing"},
	    {"\"network\":\"n\",\"targetRef\":{\"kind\":\"Deployment\",\"name\":\"p\"}", "spec.targetRef.kind"},
	    {"\"network\":\"n\",\"targetRef\":{\"kind\":\"Pod\",\"name\":\"P\"}", "spec.targetRef.name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		scoped_free char *refusal = judge(bad[i][0]);
		if (!refusal || !strstr(refusal, bad[i][1]))
			fail_msg("%s: '%s' lacks '%s'", bad[i][0],
			    refusal ? refusal : "accepted", bad[i][1]);
	}
}

static void
ranges_become_one_address_of_each_per_entry(void **state)
{
	static const char text[] =
	    "{" SET "\"addressRanges\":[\"10.0.0.254-10.0.1.3/16\",\"fec0::ffff-fec0::1:4/64\"]}";
	scoped_json *spec = NULL;
	struct allocation *allocation = NULL;
	struct err err = {0};
	char out[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), "test", &spec, &err), 0);
	assert_int_equal(allocation_decode(spec, &allocation, &err), 0);
	assert_int_equal(allocation->entry_count, 6);
	assert_string_equal(cidr_print(&allocation->entries[2].ips[0], out), "10.0.1.0/16");
	assert_string_equal(cidr_print(&allocation->entries[2].ips[1], out), "fec0::1:1/64");
	assert_string_equal(cidr_print(&allocation->entries[5].ips[0], out), "10.0.1.3/16");
	allocation_free(allocation);
}

static void
the_safe_hand_over_is_the_usual_one(void **state)
{
	static const struct {
		const char *text;
		bool available, after_grace;
		unsigned grace_s;
	} cases[] = {
	    {ONE "\"handover\":null", false, false, 0},
	    {ONE "\"handover\":\"Available\"", true, false, 0},
	    {ONE "\"onNodeFailure\":\"AfterGrace\",\"graceSeconds\":60", false, true, 60},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scoped_free char *json = mem_format("{%s}", cases[i].text);
		scoped_json *spec = NULL;
		struct allocation *a = NULL;
		assert_int_equal(json_parse(json, strlen(json), "test", &spec, NULL), 0);
		assert_int_equal(allocation_decode(spec, &a, NULL), 0);
		assert_int_equal(a->available, cases[i].available);
		assert_int_equal(a->after_grace, cases[i].after_grace);
		assert_int_equal(a->grace_s, cases[i].grace_s);
		allocation_free(a);
	}
}

static void
two_next_hops_for_one_destination_are_two_routes(void **state)
{
	scoped_free char *refusal = judge(POD
	    "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}],\"routes\":[{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.1\"},"
	    "{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.2\"}]");

	(void)state;
	if (refusal)
		fail_msg("%s", refusal);
}

static void
a_stateful_set_leaves_room_for_its_ordinals(void **state)
{
	char name[SUBDOMAIN_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	for (int length = STATEFUL_SET_NAME_MAX; length <= STATEFUL_SET_NAME_MAX + 1; length++) {
		scoped_free char *text = mem_format(
		    "\"network\":\"n\",\"targetRef\":{\"kind\":\"StatefulSet\",\"name\":\"%.*s\"},"
		    "\"addresses\":[{\"ips\":[\"10.0.2.4/24\"]}]", length, name);
		scoped_free char *refusal = judge(text);
		assert_int_equal(refusal != NULL, length > STATEFUL_SET_NAME_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(valid_specs_are_accepted),
	    cmocka_unit_test(bad_specs_are_refused_with_field_and_rule),
	    cmocka_unit_test(the_safe_hand_over_is_the_usual_one),
	    cmocka_unit_test(two_next_hops_for_one_destination_are_two_routes),
	    cmocka_unit_test(a_stateful_set_leaves_room_for_its_ordinals),
	    cmocka_unit_test(ranges_become_one_address_of_each_per_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
