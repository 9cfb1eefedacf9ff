#include <errno.h>
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "table/ip.h"

static struct ip
ip(const char *text)
{
	struct ip ret = {0};
	struct err err = {0};

	if (ip_parse(text, strlen(text), &ret, &err))
		fail_msg("%s", err.text);
	return ret;
}

static struct cidr
cidr(const char *text)
{
	struct cidr ret = {0};
	struct err err = {0};

	if (cidr_parse(text, strlen(text), &ret, &err))
		fail_msg("%s", err.text);
	return ret;
}

static void
canonical_addresses_come_back_as_written(void **state)
{
	static const char *const good[] = {"0.0.0.0/0", "10.0.2.40/24", "255.255.255.255/32",
	    "::/0", "fec0:aaaa:1::40/64", "2001:db8::1/128", "1:0:2::/127"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[ADDRESS_TEXT_MAX];
		struct cidr parsed = cidr(good[i]);
		assert_string_equal(cidr_print(&parsed, text), good[i]);
	}
}

static void
every_byte_is_printed_as_inet_ntop_prints_it(void **state)
{
	struct ip ip = {.family = 4};
	char text[ADDRESS_TEXT_MAX];
	char wanted[ADDRESS_TEXT_MAX];

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		for (unsigned i = 0; i < 4; i++)
			ip.bytes[i] = (uint8_t)(byte * (i + 1) + i);
		assert_non_null(inet_ntop(AF_INET, ip.bytes, wanted, sizeof(wanted)));
		assert_string_equal(ip_print(&ip, text), wanted);
	}
}

static void
other_spellings_are_refused_with_the_right_one(void **state)
{
	static const char *const bad[][2] = {
	    {"10.0.2.040/24", "not an IP address"},
	    {"FEC0::1/64", "write fec0::1"},
	    {"2001:db8:0::1/64", "write 2001:db8::1"},
	    {"::ffff:10.0.0.1/96", "IPv4-mapped"},
	    {"10.0.2.40", "no /prefix"},
	    {"10.0.2.40/33", "0 to 32"},
	    {"10.0.2.40/-1", "0 to 32"},
	    {"10.0.2.40/024", "0 to 32"},
	    {"::1/129", "0 to 128"},
	    {"fe80::1%eth0/64", "not an IP address"},
	    {"/24", "not an IP address"},
	    {"10.0.2/24", "not an IP address"},
	    {" 10.0.2.1/24", "not an IP address"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cidr parsed;
		struct err err = {0};
		assert_int_equal(
		    cidr_parse(bad[i][0], strlen(bad[i][0]), &parsed, &err), -EINVAL);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("'%s' lacks '%s'", err.text, bad[i][1]);
	}
}

static void
adding_carries_and_stops_at_the_last_address(void **state)
{
	static const struct {
		const char *from;
		uint64_t count;
		const char *to; /* NULL = past the end */
	} rows[] = {
	    {"10.0.0.255", 1, "10.0.1.0"}, {"10.0.0.0", 0, "10.0.0.0"},
	    {"0.0.0.0", UINT32_MAX, "255.255.255.255"}, {"0.0.0.1", UINT32_MAX, NULL},
	    {"255.255.255.255", 1, NULL}, {"255.255.255.255", 0, "255.255.255.255"},
	    {"::ffff:ffff:ffff:ffff", 1, "0:0:0:1::"}, {"::1", UINT64_MAX, "0:0:0:1::"},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, NULL},
	    {"10.0.0.0", UINT64_MAX, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDRESS_TEXT_MAX];
		struct ip from;
		struct ip to = {0};
		struct ip want;
		assert_int_equal(
		    ip_parse_lax(rows[i].from, strlen(rows[i].from), &from, NULL), 0);
		assert_int_equal(ip_add(&from, rows[i].count, &to), rows[i].to != NULL);
		if (!rows[i].to)
			continue;
		assert_int_equal(ip_parse_lax(rows[i].to, strlen(rows[i].to), &want, NULL), 0);
		if (!ip_equal(&to, &want))
			fail_msg("%s + %llu = %s", rows[i].from,
			    (unsigned long long)rows[i].count, ip_print(&to, text));
	}
}

static void
ranges_count_their_addresses(void **state)
{
	static const struct {
		const char *text;
		uint64_t count;
		int length;
	} rows[] = {
	    {"10.0.2.40-10.0.2.49/24", 10, 24}, {"10.0.0.255-10.0.1.0", 2, 255},
	    {"0.0.0.0-255.255.255.255/0", UINT64_C(1) << 32, 0}, {"::1-::1/128", 1, 128},
	    {"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0", UINT64_MAX, 0},
	    {"2001:db8::ff-2001:db8::1:0/64", 65282, 64},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ip_range range;
		uint8_t length = 0;
		struct err err = {0};
		if (ip_range_parse(rows[i].text, strlen(rows[i].text), &range, &length, &err))
			fail_msg("%s", err.text);
		assert_int_equal(length, rows[i].length);
		assert_true(ip_range_count(&range) == rows[i].count);
	}
}

static void
wrong_ranges_are_refused(void **state)
{
	static const char *const bad[] = {"10.0.2.49-10.0.2.40/24", "10.0.2.40/24",
	    "10.0.2.40-fec0::1/64", "10.0.2.40-", "-10.0.2.40", "10.0.2.40-10.0.2.41/33"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct ip_range range;
		uint8_t length;
		if (!ip_range_parse(bad[i], strlen(bad[i]), &range, &length, NULL))
			fail_msg("%s was taken", bad[i]);
	}
}

static void
a_prefix_contains_exactly_its_addresses(void **state)
{
	static const struct {
		const char *prefix, *address;
		bool inside;
	} rows[] = {
	    {"10.0.2.40/24", "10.0.2.255", true}, {"10.0.2.40/24", "10.0.3.0", false},
	    {"10.0.2.0/31", "10.0.2.1", true}, {"10.0.2.0/31", "10.0.2.2", false},
	    {"10.0.2.1/32", "10.0.2.1", true}, {"10.0.2.1/32", "10.0.2.0", false},
	    {"0.0.0.0/0", "255.255.255.255", true}, {"0.0.0.0/0", "::1", false},
	    {"2001:db8::/127", "2001:db8::1", true}, {"2001:db8::/127", "2001:db8::2", false},
	    {"::/0", "ffff::", true}, {"10.128.0.0/9", "10.127.255.255", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cidr prefix = cidr(rows[i].prefix);
		struct ip address = ip(rows[i].address);
		if (cidr_contains(&prefix, &address) != rows[i].inside)
			fail_msg("%s in %s", rows[i].address, rows[i].prefix);
	}
}

static void
addresses_no_pod_can_have_are_named(void **state)
{
	static const struct {
		const char *text, *part; /* NULL = usable */
	} rows[] = {
	    {"10.0.2.40/24", NULL}, {"10.0.2.0/24", "network address of 10.0.2.0/24"},
	    {"10.0.2.255/24", "broadcast"}, {"10.0.2.0/31", NULL}, {"10.0.2.255/32", NULL},
	    {"0.1.2.3/8", "this network"}, {"127.0.0.1/8", "loopback"},
	    {"224.0.0.1/24", "multicast"}, {"240.0.0.1/24", "reserved"},
	    {"2001:db8::/64", "anycast"}, {"2001:db8::/127", NULL},
	    {"2001:db8::ffff:ffff:ffff:ffff/64", NULL}, {"fe80::1/64", "link-local"},
	    {"ff02::1/64", "multicast"}, {"::1/128", "loopback"}, {"::/128", "unspecified"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char room[96];
		struct cidr address = cidr(rows[i].text);
		const char *reason = cidr_unusable(&address, room);
		if (!rows[i].part != !reason ||
		    (reason && rows[i].part && !strstr(reason, rows[i].part)))
			fail_msg("%s: %s", rows[i].text, reason ? reason : "usable");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(canonical_addresses_come_back_as_written),
	    cmocka_unit_test(every_byte_is_printed_as_inet_ntop_prints_it),
	    cmocka_unit_test(other_spellings_are_refused_with_the_right_one),
	    cmocka_unit_test(adding_carries_and_stops_at_the_last_address),
	    cmocka_unit_test(ranges_count_their_addresses),
	    cmocka_unit_test(wrong_ranges_are_refused),
	    cmocka_unit_test(a_prefix_contains_exactly_its_addresses),
	    cmocka_unit_test(addresses_no_pod_can_have_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
