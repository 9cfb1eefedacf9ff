#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/index.h"

#define C4 "epoxy.ipv4=4.14.159.112/26,4.14.159.65,8.8.8.8,8.8.4.4"
#define C6 "epoxy.ipv6=2001:1900:2100:2d::112/64,2001:1900:2100:2d::1,2001:4860:4860::8888,2001:4860:4860::8844"

static int
decode(const char *keys, const char *pod, struct index_rule *rule, struct err *err)
{
	scoped_config config = {0};
	const struct cni_args args = {.pod = pod};

	read_config(keys, "", &config);
	return index_decode(config.ipam, &args, rule, err);
}

static void
number_is(const char *keys, const char *pod, unsigned wanted)
{
	struct index_rule rule = {0};
	struct err err = {0};

	if (decode(keys, pod, &rule, &err))
		fail_msg("%s: %s", keys, err.text);
	assert_int_equal(rule.number, wanted);
}

static void
no_number(const char *keys, const char *pod, int code, const char *words)
{
	struct index_rule rule = {0};
	struct err err = {0};

	must_refuse(decode(keys, pod, &rule, &err), &err, code, words);
}

static void
IX_17_IX_19_the_number_is_written_or_in_the_pods_name(void **state)
{
	(void)state;
	number_is(",\"index\":5", NULL, 5);
	number_is(",\"index\":5", "poc-index4", 5);
	number_is(",\"index\":\"pod-name\"", "poc-index4", 4);
	number_is(",\"index\":\"pod-name\"", "poc-index4-gmwz8", 4);
	number_is(",\"index\":\"pod-name\"", "ndt-index12-111234-aa3b1", 12);
	number_is(",\"index\":\"pod-name\"", "index-index007x", 7);
}

static void
IX_12_IX_18_IX_23_what_is_no_number_is_refused(void **state)
{
	(void)state;
	no_number(",\"index\":0", NULL, 7, "index 0 is out of range");
	no_number(",\"index\":-1", NULL, 7, "ipam.index");
	no_number(",\"index\":65536", NULL, 7, "ipam.index");
	no_number(",\"index\":\"x\"", NULL, 7, "'x' is neither a number nor \"pod-name\"");
	no_number(",\"index\":\"monkey\"", NULL, 7, "monkey");
	no_number(",\"index\":5.5", NULL, 7, "ipam.index");
	no_number("", NULL, 7, "ipam.index is missing");
	no_number(",\"index\":\"pod-name\"", "poc-index", 7, "poc-index has no number");
	no_number(",\"index\":\"pod-name\"", "poc-ind4", 7, "poc-ind4 has no number");
	no_number(",\"index\":\"pod-name\"", "poc", 7, "poc has no number");
	no_number(",\"index\":\"pod-name\"", "index0", 7, "index 0 is out of range");
	no_number(",\"index\":\"pod-name\"", "index99999999999999999999", 7, "K8S_POD_NAME");
	no_number(",\"index\":\"pod-name\"", "", 4, "CNI_ARGS has no K8S_POD_NAME");
	no_number(",\"index\":\"pod-name\"", NULL, 4, "CNI_ARGS has no K8S_POD_NAME");
}

static void
hostAddress_and_ipv6Mapping_are_checked(void **state)
{
	struct index_rule rule = {0};
	scoped_config config = {0};
	const struct cni_args args = {0};

	(void)state;
	read_config(",\"index\":1,\"hostAddress\":{\"from\":\"interface\",\"name\":\"eth1\"},\"ipv6Mapping\":\"decimal\"", "", &config);
	assert_int_equal(index_decode(config.ipam, &args, &rule, NULL), 0);
	assert_int_equal(rule.from, INDEX_FROM_INTERFACE);
	assert_string_equal(rule.interface, "eth1");
	assert_true(rule.decimal);
	no_number(",\"index\":1,\"hostAddress\":{\"from\":\"interface\"}", NULL, 7, "ipam.hostAddress.name is missing");
	no_number(",\"index\":1,\"hostAddress\":{\"from\":\"interface\",\"name\":\"a/b\"}", NULL, 7, "no name of an interface");
	no_number(",\"index\":1,\"hostAddress\":{\"from\":\"magic\"}", NULL, 7, "'magic' is none of");
	no_number(",\"index\":1,\"hostAddress\":{\"key\":\"\"}", NULL, 7, "ipam.hostAddress.key");
	no_number(",\"index\":1,\"hostAddress\":{\"key\":\"a b\"}", NULL, 7, "ipam.hostAddress.key");
	no_number(",\"index\":1,\"hostAddress\":[]", NULL, 7, "ipam.hostAddress");
	no_number(",\"index\":1,\"ipv6Mapping\":\"x\"", NULL, 7, "ipv6Mapping 'x'");
}

/* "ADDRESS gw GATEWAY dns A B|..." of both families. */
static void
cmdline_says(const char *text, const char *key, const char *wanted)
{
	struct index_host hosts[2];
	struct err err = {0};
	scoped_buf list = buf_make(1024);
	char ip[ADDRESS_TEXT_MAX];

	if (index_parse_cmdline(text, key, hosts, &err))
		fail_msg("%s: %s", text, err.text);
	for (unsigned i = 0; i < 2; i++) {
		if (!hosts[i].cidr.ip.family)
			continue;
		(void)buf_print(&list, "%s%s", list.length ? "|" : "", cidr_print(&hosts[i].cidr, ip));
		if (hosts[i].gateway.family)
			(void)buf_print(&list, " gw %s", ip_print(&hosts[i].gateway, ip));
		for (unsigned k = 0; k < hosts[i].dns_count; k++)
			(void)buf_print(&list, " dns %s", ip_print(&hosts[i].dns[k], ip));
	}
	assert_string_equal(buf_string(&list), wanted);
}

static void
no_cmdline(const char *text, const char *words)
{
	struct index_host hosts[2];
	struct err err = {0};

	must_refuse(index_parse_cmdline(text, "epoxy", hosts, &err), &err, 7, words);
}

static void
IX_01_IX_03_IX_04_IX_15_IX_16_the_command_line_has_four_parts(void **state)
{
	const char *four = "4.14.159.112/26 gw 4.14.159.65 dns 8.8.8.8 dns 8.8.4.4";
	const char *both = "4.14.159.112/26 gw 4.14.159.65 dns 8.8.8.8 dns 8.8.4.4|"
	                   "2001:1900:2100:2d::112/64 gw 2001:1900:2100:2d::1 dns 2001:4860:4860::8888 dns 2001:4860:4860::8844";

	(void)state;
	cmdline_says("ro " C4 " " C6 " quiet\n", "epoxy", both);
	cmdline_says(C6 "\t" C4, "epoxy", both);
	cmdline_says(C4 "\n", "epoxy", four);
	cmdline_says("ro " C4 " epoxy.ipv6= quiet", "epoxy", four);
	cmdline_says("xepoxy.ipv4=1.2.3.4/8,,, " C4, "epoxy", four);
	cmdline_says("epoxy.ipv4=10.0.0.1/24,,,", "epoxy", "10.0.0.1/24");
	cmdline_says("node.ipv4=10.0.0.9/24,,,9.9.9.9 " C4, "node", "10.0.0.9/24 dns 9.9.9.9");
	cmdline_says(C6, "epoxy", "2001:1900:2100:2d::112/64 gw 2001:1900:2100:2d::1 dns 2001:4860:4860::8888 dns 2001:4860:4860::8844");
}

static void
IX_09_IX_14_a_command_line_that_is_wrong_is_refused(void **state)
{
	(void)state;
	no_cmdline("", "no epoxy.ipv4= and no epoxy.ipv6=");
	no_cmdline("ro quiet epoxy_ipv4=10.0.0.1/24,,,", "no epoxy.ipv4=");
	no_cmdline("epoxy.ipv4=10.0.0.1/24,10.0.0.2,8.8.8.8", "fewer than four parts");
	no_cmdline("epoxy.ipv4=10.0.0.1/24", "fewer than four parts");
	no_cmdline("epoxy.ipv4=10.0.0.1/24,,,,", "more than four parts");
	no_cmdline(C4 " epoxy.ipv6=1:2::1/64,,", "epoxy.ipv6=");
	no_cmdline("epoxy.ipv4=10.0.0.1,10.0.0.2,8.8.8.8,8.8.4.4", "no /prefix length");
	no_cmdline("epoxy.ipv4=300.0.0.1/99,,,", "'300.0.0.1'");
	no_cmdline("epoxy.ipv4=1.c.3.4/26,,,", "'1.c.3.4'");
	no_cmdline("epoxy.ipv4=fd00::1/64,,,", "of the other family");
	no_cmdline("epoxy.ipv4=10.0.0.1/24,fd00::1,,", "gateway is of the other family");
	no_cmdline("epoxy.ipv4=10.0.0.1/24,x,,", "'x'");
	no_cmdline("epoxy.ipv6=1:Z::/64,,,", "'1:Z::'");
	no_cmdline("epoxy.ipv6=1:2::,,,", "no /prefix length");
}

static void
sum_is(const char *host, unsigned number, bool decimal, const char *wanted)
{
	struct index_rule rule = {.number = number, .decimal = decimal};
	struct index_host at = {.cidr = cidr_of(host)};
	struct cni_address address = {0};
	struct err err = {0};

	if (index_add(&rule, &at, &address, &err))
		fail_msg("%s + %u: %s", host, number, err.text);
	must_be(&address, 1, wanted);
}

static void
no_sum(const char *host, const char *gateway, unsigned number, bool decimal, const char *words)
{
	struct index_rule rule = {.number = number, .decimal = decimal};
	struct index_host at = {.cidr = cidr_of(host), .gateway = ip_of(gateway)};
	struct cni_address address = {0};
	struct err err = {0};

	must_refuse(index_add(&rule, &at, &address, &err), &err, 7, words);
}

static void
IX_05_IX_08_an_IPv4_address_is_a_plain_sum(void **state)
{
	static const unsigned sums[][3] = {{9, 12, 21}, {73, 11, 84}, {137, 10, 147}, {201, 9, 210}, {48, 8, 56}, {112, 7, 119}, {176, 6, 182}, {240, 5, 245}};

	(void)state;
	for (unsigned i = 1; i <= 12; i++) {
		scoped_free char *wanted = mem_format("1.2.3.%u/26", 4 + i);
		sum_is("1.2.3.4/26", i, i % 2, wanted);
	}
	for (unsigned i = 0; i < 8; i++) {
		scoped_free char *host = mem_format("1.2.3.%u/24", sums[i][0]);
		scoped_free char *wanted = mem_format("1.2.3.%u/24", sums[i][2]);
		sum_is(host, sums[i][1], true, wanted);
	}
	sum_is("10.0.0.250/16", 10, false, "10.0.1.4/16");
}

static void
IX_06_IX_07_IX_10_decimal_IPv6_counts_as_it_is_written(void **state)
{
	static const unsigned sums[][3] = {{9, 12, 21}, {73, 11, 84}, {137, 10, 147}, {201, 9, 210}, {48, 8, 56}, {112, 7, 119}, {176, 6, 182}, {240, 5, 245}, {201, 12, 213}, {9, 2, 11}};

	(void)state;
	sum_is("1:2::/64", 6, true, "1:2::6/64");
	sum_is("1:2::/64", 10, true, "1:2::10/64");
	sum_is("1::10/64", 11, true, "1::21/64");
	for (unsigned i = 0; i < 10; i++) {
		scoped_free char *host = mem_format("1:2::%u/64", sums[i][0]);
		scoped_free char *wanted = mem_format("1:2::%u/64", sums[i][2]);
		sum_is(host, sums[i][1], true, wanted);
	}
	sum_is("1:2::7998/64", 1, true, "1:2::7999/64");
	no_sum("1:2::9999/64", "", 5, true, "has no decimal form");
	no_sum("1:2::7999/64", "", 1, true, "has no decimal form");
	no_sum("1:2::9/64", "", 65535, true, "has no decimal form");
	no_sum("1:2::FE/64", "", 1, true, "has no decimal form");
}

static void
plain_IPv6_is_a_plain_sum(void **state)
{
	(void)state;
	sum_is("1:2::/64", 10, false, "1:2::a/64");
	sum_is("1:2::fe/64", 2, false, "1:2::100/64");
	sum_is("1:2::ffff/64", 1, false, "1:2::1:0/64");
}

/* index2ip adds to the last byte and looks at no prefix */
static void
IX_12_IX_13_the_sum_stays_in_the_subnet_and_is_usable(void **state)
{
	(void)state;
	no_sum("4.14.159.112/26", "", 143, false, "outside its subnet");
	no_sum("4.14.159.112/26", "", 144, false, "outside its subnet");
	no_sum("10.0.0.62/26", "", 5, false, "10.0.0.62/26 plus index 5 is outside its subnet");
	no_sum("1.2.3.4/26", "", 254, false, "outside its subnet");
	no_sum("10.0.0.62/26", "", 1, false, "broadcast address");
	no_sum("10.0.0.62/26", "10.0.0.60", 65535, false, "outside its subnet");
	no_sum("10.0.0.50/26", "10.0.0.60", 10, false, "is the gateway");
	no_sum("1:2::f0/120", "", 16, false, "outside its subnet");
	no_sum("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/8", "", 1, false, "outside its subnet");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(IX_17_IX_19_the_number_is_written_or_in_the_pods_name),
	    cmocka_unit_test(IX_12_IX_18_IX_23_what_is_no_number_is_refused),
	    cmocka_unit_test(hostAddress_and_ipv6Mapping_are_checked),
	    cmocka_unit_test(IX_01_IX_03_IX_04_IX_15_IX_16_the_command_line_has_four_parts),
	    cmocka_unit_test(IX_09_IX_14_a_command_line_that_is_wrong_is_refused),
	    cmocka_unit_test(IX_05_IX_08_an_IPv4_address_is_a_plain_sum),
	    cmocka_unit_test(IX_06_IX_07_IX_10_decimal_IPv6_counts_as_it_is_written),
	    cmocka_unit_test(plain_IPv6_is_a_plain_sum),
	    cmocka_unit_test(IX_12_IX_13_the_sum_stays_in_the_subnet_and_is_usable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
