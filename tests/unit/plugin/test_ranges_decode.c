#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/ranges_decode.h"
#include "plugin/ranges_request.h"

static void
refused(const char *keys, const char *more, const char *words)
{
	scoped_config config = {0};
	static struct range_sets sets;
	struct err err = {0};

	read_config(keys, more, &config);
	must_refuse(range_sets_decode(&config, &sets, &err), &err, 7, words);
}

/* "10.0.0.1-10.0.0.6|fd00::1-fd00::f", each set by host-local's name. */
static void
decodes(const char *keys, const char *more, const char *wanted, struct range_sets *sets)
{
	scoped_config config = {0};
	scoped_buf list = buf_make(1024);
	struct err err = {0};

	read_config(keys, more, &config);
	if (range_sets_decode(&config, sets, &err))
		fail_msg("%s: %s", keys, err.text);
	for (unsigned i = 0; i < sets->count; i++) {
		(void)buf_print(&list, "%s", i ? "|" : "");
		range_set_print(&sets->list[i], &list);
	}
	assert_string_equal(buf_string(&list), wanted);
}

static void
what_is_not_written_has_the_defaults_of_host_local(void **state)
{
	static struct range_sets sets;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	decodes(",\"subnet\":\"10.1.2.0/24\"", "", "10.1.2.1-10.1.2.254", &sets);
	assert_string_equal(ip_print(&sets.list[0].list[0].gateway, text), "10.1.2.1");
	decodes(",\"subnet\":\"2001:DB8:1::0/64\",\"gateway\":\"2001:db8:1::f\"", "",
	    "2001:db8:1::1-2001:db8:1:0:ffff:ffff:ffff:ffff", &sets);
	assert_string_equal(ip_print(&sets.list[0].list[0].gateway, text), "2001:db8:1::f");
	decodes(",\"subnet\":\"10.0.0.0/30\"", "", "10.0.0.1-10.0.0.2", &sets);
}

static void
KI_15_19_the_order_is_runtime_then_single_then_ranges(void **state)
{
	static struct range_sets sets;

	(void)state;
	decodes(",\"subnet\":\"10.1.2.0/24\",\"rangeStart\":\"10.1.2.10\",\"ranges\":[[{\"subnet\":\"fd00:1::/64\",\"rangeStart\":"
	        "\"fd00:1::10\",\"rangeEnd\":\"fd00:1::20\"}]]",
	    ",\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"192.0.2.0/24\"},{\"subnet\":\"192.0.3.0/29\"}]]}",
	    "192.0.2.1-192.0.2.254,192.0.3.1-192.0.3.6|10.1.2.10-10.1.2.254|fd00:1::10-fd00:1::20", &sets);
}

static void
HL16_to_HL24_and_KI_24_refuse_in_host_locals_words(void **state)
{
	(void)state;
	refused(",\"ranges\":[[{\"subnet\":\"10.1.2.0/24\"},{\"subnet\":\"10.2.2.0/24\"}],[{\"subnet\":\"10.1.4.0/24\"},{\"subnet\":\"10.1.2.0/24\"}]]",
	    "", "range set 0 overlaps with 1");
	refused(",\"ranges\":[[{\"subnet\":\"10.1.0.0/22\"},{\"subnet\":\"10.1.2.0/24\"}]]", "",
	    "invalid range set 0: subnets 10.1.0.1-10.1.3.254 and 10.1.2.1-10.1.2.254 overlap");
	refused(",\"ranges\":[[{\"subnet\":\"10.1.0.0/22\"},{\"subnet\":\"2001:db8:5::/64\"}]]", "",
	    "invalid range set 0: mixed address families");
	refused(",\"subnet\":\"192.0.2.12/24\"", "",
	    "invalid range set 0: Network has host bits set. For a subnet mask of length 24 the network address is 192.0.2.0");
	refused(",\"subnet\":\"192.0.2.0/31\"", "", "invalid range set 0: Network 192.0.2.0/31 too small to allocate from");
	refused(",\"subnet\":\"fd00::/127\"", "", "Network fd00::/127 too small");
	refused(",\"subnet\":\"192.0.2.0/24\",\"rangeStart\":\"192.0.3.0\"", "",
	    "invalid range set 0: RangeStart 192.0.3.0 not in network 192.0.2.0/24");
	refused(",\"subnet\":\"192.0.2.0/24\",\"rangeEnd\":\"192.0.4.0\"", "",
	    "invalid range set 0: RangeEnd 192.0.4.0 not in network 192.0.2.0/24");
	refused(",\"ranges\":[]", "", "no IP ranges specified");
	refused(",\"ranges\":[[]]", "", "invalid range set 0: empty range set");
	/* host-local takes this one, kube-ipam does not: no pod could reach it */
	refused(",\"subnet\":\"192.0.2.0/24\",\"gateway\":\"192.0.3.1\"", "",
	    "invalid range set 0: gateway 192.0.3.1 not in network 192.0.2.0/24");
}

static void
what_is_half_written_is_refused(void **state)
{
	(void)state;
	refused(",\"rangeStart\":\"10.0.0.1\"", "", "ipam.rangeStart needs ipam.subnet");
	refused(",\"ranges\":[[{\"subnet\":\"10.0.0.0/24\"}]],\"gateway\":\"10.0.0.1\"", "", "ipam.gateway needs ipam.subnet");
	refused(",\"subnet\":\"10.0.0.0/24\",\"rangeStart\":\"10.0.0.9\",\"rangeEnd\":\"10.0.0.8\"", "",
	    "RangeStart 10.0.0.9 is behind RangeEnd 10.0.0.8");
	refused(",\"ranges\":[[{\"subnet\":\"10.0.0.0\"}]]", "", "ipam.ranges[0][0].subnet");
	refused(",\"ranges\":[[{}]]", "", "ipam.ranges[0][0].subnet is missing");
	refused(",\"ranges\":[[7]]", "", "ipam.ranges[0][0] is not an object");
	refused(",\"ranges\":[7]", "", "ipam.ranges[0] must be a list");
	refused(",\"ranges\":7", "", "ipam.ranges");
	refused("", ",\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"x\"}]]}", "runtimeConfig.ipRanges[0][0].subnet");
	refused("", ",\"runtimeConfig\":7", "runtimeConfig is not an object");
	refused(",\"subnet\":\"10.0.0.0/24\",\"gateway\":\"x\"", "", "ipam.gateway: 'x'");
	refused(",\"ranges\":[[],[],[],[],[],[],[],[],[]]", "", "at most 8");
}

static void
fixed_addresses_lie_in_a_subnet(void **state)
{
	static struct range_sets sets;
	struct ip inside = ip_of("10.0.0.200");

	(void)state;
	/* kube-ipam's sample: the fixed ones lie beside the range */
	decodes(",\"subnet\":\"10.0.0.0/24\",\"rangeEnd\":\"10.0.0.99\",\"fixedStart\":\"10.0.0.200\",\"fixedEnd\":\"10.0.0.210\"",
	    "", "10.0.0.1-10.0.0.99", &sets);
	assert_non_null(range_set_find(&sets.list[0], &inside));
	refused(",\"subnet\":\"10.0.0.0/24\",\"fixedStart\":\"10.0.0.200\"", "", "ipam.fixedStart and ipam.fixedEnd go together");
	refused(",\"subnet\":\"10.0.0.0/24\",\"fixedStart\":\"10.0.0.2\",\"fixedEnd\":\"10.0.1.1\"", "", "no range in a subnet");
	refused(",\"subnet\":\"10.0.0.0/24\",\"fixedStart\":\"10.0.0.3\",\"fixedEnd\":\"10.0.0.2\"", "", "no range in a subnet");
	refused(",\"subnet\":\"10.0.0.0/24\",\"fixedStart\":\"fd00::1\",\"fixedEnd\":\"fd00::2\"", "", "no range in a subnet");
	refused(",\"fixedStart\":\"10.0.0.3\",\"fixedEnd\":\"10.0.0.4\"", "", "no IP ranges specified");
}

/* ---- requests ----------------------------------------------------------------- */

static int
request(const char *ip, const char *gateway, const char *more, struct range_sets *sets, struct err *err)
{
	scoped_config config = {0};
	struct requested requested;
	const struct cni_args args = {.ip = ip, .gateway = gateway};

	read_config(",\"ranges\":[[{\"subnet\":\"10.1.2.0/24\"}],[{\"subnet\":\"fd00::/64\",\"rangeEnd\":\"fd00::ff\"}]],"
	            "\"fixedStart\":\"fd00::1:0\",\"fixedEnd\":\"fd00::1:f\"", more, &config);
	assert_int_equal(range_sets_decode(&config, sets, err), 0);
	int rc = requested_read(&config, &args, &requested, err);
	return rc ? rc : range_sets_request(sets, &requested, err);
}

static void
serves(const char *ip, const char *gateway, const char *more, const char *first, const char *second)
{
	static struct range_sets sets;
	struct err err = {0};
	struct ip wanted[2] = {ip_of(first), ip_of(second)};

	if (request(ip, gateway, more, &sets, &err))
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < 2; i++)
		if (!ip_equal(&sets.list[i].requested, &wanted[i]))
			fail_msg("%s %s: set %u has another", ip ? ip : "", more, i);
}

static void
HL06_HL07_HL26_each_request_is_served_by_the_first_set_that_has_it(void **state)
{
	(void)state;
	serves(NULL, NULL, "", "", "");
	serves("10.1.2.88", NULL, "", "10.1.2.88", "");
	serves("fd00::2,10.1.2.88/24", NULL, "", "10.1.2.88", "fd00::2"); /* a list, as Multus sends it */
	serves(NULL, NULL, ",\"args\":{\"cni\":{\"ips\":[\"10.1.2.88\"]}}", "10.1.2.88", "");
	serves(NULL, NULL, ",\"runtimeConfig\":{\"ips\":[\"10.1.2.88/8\"]}", "10.1.2.88", ""); /* the range has the prefix */
	serves("10.1.2.88", "10.1.2.1", ",\"args\":{\"cni\":{\"ips\":[\"10.1.2.88\",\"fd00::1:3\"]}},\"runtimeConfig\":{\"ips\":[\"10.1.2.88\"]}",
	    "10.1.2.88", "fd00::1:3"); /* on all roads, once; the second from the fixed ones */
}

static void
not_served(const char *ip, const char *gateway, const char *more, int code, const char *words)
{
	static struct range_sets sets;
	struct err err = {0};

	must_refuse(request(ip, gateway, more, &sets, &err), &err, code, words);
}

static void
HL09_HL10_KI_17_what_no_set_can_give_is_refused(void **state)
{
	(void)state;
	not_served("10.1.2.88,10.1.2.77", NULL, "", 102, "failed to allocate all requested IPs: 10.1.2.77");
	not_served("10.9.9.9", NULL, "", 102, "failed to allocate all requested IPs: 10.9.9.9");
	not_served("fd00::100", NULL, "", 102, "failed to allocate all requested IPs: fd00::100");
	not_served("10.1.2.1", NULL, "", 102, "failed to allocate for range 0: requested ip 10.1.2.1 is subnet's gateway");
	not_served("fd00::1", NULL, "", 102, "failed to allocate for range 1: requested ip fd00::1 is subnet's gateway");
	not_served("abc", NULL, "", 4, "CNI_ARGS IP: 'abc'");
	not_served(NULL, NULL, ",\"runtimeConfig\":{\"ips\":[\"abc\"]}", 7, "runtimeConfig.ips: 'abc'");
	not_served(NULL, "10.1.2.3", "", 102, "gateway 10.1.2.3");
	not_served(NULL, "x", "", 4, "CNI_ARGS GATEWAY");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_written_has_the_defaults_of_host_local),
	    cmocka_unit_test(KI_15_19_the_order_is_runtime_then_single_then_ranges),
	    cmocka_unit_test(HL16_to_HL24_and_KI_24_refuse_in_host_locals_words),
	    cmocka_unit_test(what_is_half_written_is_refused),
	    cmocka_unit_test(fixed_addresses_lie_in_a_subnet),
	    cmocka_unit_test(HL06_HL07_HL26_each_request_is_served_by_the_first_set_that_has_it),
	    cmocka_unit_test(HL09_HL10_KI_17_what_no_set_can_give_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
