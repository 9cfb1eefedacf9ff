#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "inline.h"
#include "plugin/allocations.h"

#define ROW(pod, address) "{\"namespace\":\"example\",\"pod\":\"" pod "\",\"address\":\"" address "\"}"

static int
decode(const char *keys, const struct cni_args *args, struct cni_address *ips, unsigned *count, struct err *err)
{
	scoped_config config = {0};

	read_config(keys, "", &config);
	return allocations_decode(config.ipam, args, ips, count, err);
}

static void
gives(const char *keys, const char *wanted)
{
	const struct cni_args args = {.namespace = "example", .pod = "ex-0"};
	struct cni_address ips[ENTRY_IPS_MAX];
	struct err err = {0};
	unsigned count = 0;

	if (decode(keys, &args, ips, &count, &err))
		fail_msg("%s: %s", keys, err.text);
	must_be(ips, count, wanted);
}

static void
refused(const char *keys, const char *pod, int code, const char *words)
{
	const struct cni_args args = {.namespace = pod ? "example" : NULL, .pod = pod};
	struct cni_address ips[ENTRY_IPS_MAX];
	struct err err = {0};
	unsigned count = 0;

	must_refuse(decode(keys, &args, ips, &count, &err), &err, code, words);
}

static void
SS_01_SS_02_a_pod_has_its_rows_in_their_order(void **state)
{
	(void)state;
	gives(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "," ROW("ex-1", "10.0.2.41/24") "]", "10.0.2.40/24");
	gives(",\"gateway\":\"10.0.2.1\",\"allocations\":[" ROW("ex-1", "10.0.2.41/24") "," ROW("ex-0", "10.0.2.40/24")
	      ",{\"namespace\":\"example\",\"pod\":\"ex-0\",\"address\":\"fec0:aaaa:1::2/64\",\"gateway\":\"fec0:aaaa:1::1\"}]",
	    "10.0.2.40/24 gw 10.0.2.1, fec0:aaaa:1::2/64 gw fec0:aaaa:1::1");
}

static void
SS_16_the_default_gateway_goes_with_its_family_only(void **state)
{
	(void)state;
	gives(",\"gateway\":\"10.0.0.1\",\"allocations\":[" ROW("ex-0", "10.0.0.5/24") "," ROW("ex-0", "fd00::5/64") "]",
	    "10.0.0.5/24 gw 10.0.0.1, fd00::5/64");
}

static void
SS_03_SS_07_a_pod_without_a_row_or_a_name_is_told_so(void **state)
{
	(void)state;
	refused(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "]", "ex-9", 100, "no row for pod example/ex-9");
	refused(",\"allocations\":[]", "ex-0", 100, "no row for pod example/ex-0");
	refused(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "]", NULL, 4, "K8S_POD_NAMESPACE");
	refused(",\"allocations\":[{\"address\":\"10.0.2.40/24\"}]", "ex-0", 7, "ipam.allocations[0].namespace is missing");
	refused(",\"allocations\":[{\"namespace\":\"\",\"pod\":\"\",\"address\":\"10.0.2.40/24\"}]", "ex-0", 7, "ipam.allocations[0]");
}

/* A mistake shows at the first ADD, whichever pod comes. */
static void
SS_04_SS_05_one_wrong_row_refuses_the_whole_block(void **state)
{
	static const char *const wrong[] = {"garbage", "", "10.0.2.40", "10.0.2.0/24", "10.0.2.255/24", "fe80::1/64", "10.0.2.40/33"};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		scoped_free char *keys = mem_format(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "," ROW("ex-1", "%s") "]", wrong[i]);
		refused(keys, "ex-0", 7, "ipam.allocations[1]");
	}
	refused(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "," ROW("ex-0", "10.0.2.40/24") "]", "ex-0", 7, "stands there twice");
	refused(",\"allocations\":[" ROW("ex-1", "10.0.2.40/24") "," ROW("ex-2", "10.0.2.41/24") "," ROW("ex-0", "10.0.2.43/24") ","
	        ROW("ex-3", "10.0.2.40/16") "]", "ex-0", 7, "ipam.allocations[0] and [3] have the same address 10.0.2.40");
	refused(",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") ",7]", "ex-0", 7, "ipam.allocations[1] is not an object");
	refused(",\"allocations\":{}", "ex-0", 7, "ipam.allocations");
	refused(",\"gateway\":\"x\",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "]", "ex-0", 7, "ipam.gateway: 'x'");
	refused(",\"gateway\":\"10.0.2.40\",\"allocations\":[" ROW("ex-0", "10.0.2.40/24") "]", "ex-0", 7, "the pod's own address");
}

static void
routes_must_lead_somewhere(const char *routes, const char *refusal)
{
	scoped_config config = {0};
	struct cni_address ips[] = {{.cidr = cidr_of("10.0.2.40/24")}, {.cidr = cidr_of("fd00::5/64")}};
	struct routes list;
	struct err err = {0};
	scoped_free char *keys = mem_format(",\"routes\":[%s]", routes);
	struct json_object *array = NULL;

	read_config(keys, "", &config);
	assert_true(json_object_object_get_ex(config.ipam, "routes", &array));
	assert_int_equal(routes_decode(array, "ipam.routes", ROUTE_LAX, &list, &err), 0);
	int rc = allocations_check_routes(&list, ips, 2, &err);
	if (refusal)
		must_refuse(rc, &err, 7, refusal);
	else
		assert_int_equal(rc, 0);
}

static void
SS_02_a_gateway_that_the_pod_cannot_reach_is_refused(void **state)
{
	(void)state;
	routes_must_lead_somewhere("{\"dst\":\"10.0.9.0/24\",\"gw\":\"10.0.2.99\"},{\"dst\":\"::/0\",\"gw\":\"fd00::1\"},{\"dst\":\"0.0.0.0/0\"}", NULL);
	routes_must_lead_somewhere("{\"dst\":\"10.0.9.0/24\",\"gw\":\"10.0.0.99\"}", "gw 10.0.0.99 of the route to 10.0.9.0/24 is in no subnet");
	routes_must_lead_somewhere("{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"10.0.9.0/24\",\"gw\":\"10.0.0.99\"}", "gw 10.0.0.99");
	routes_must_lead_somewhere("{\"dst\":\"10.0.0.99/32\"},{\"dst\":\"10.0.9.0/24\",\"gw\":\"10.0.0.99\"}", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(SS_01_SS_02_a_pod_has_its_rows_in_their_order),
	    cmocka_unit_test(SS_16_the_default_gateway_goes_with_its_family_only),
	    cmocka_unit_test(SS_03_SS_07_a_pod_without_a_row_or_a_name_is_told_so),
	    cmocka_unit_test(SS_04_SS_05_one_wrong_row_refuses_the_whole_block),
	    cmocka_unit_test(SS_02_a_gateway_that_the_pod_cannot_reach_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
