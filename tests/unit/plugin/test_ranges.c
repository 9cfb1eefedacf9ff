#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/ranges.h"

static struct range
range_of(const char *subnet, const char *first, const char *last, const char *gateway)
{
	return (struct range){.subnet = cidr_of(subnet), .gateway = ip_of(gateway),
	    .span = {.first = ip_of(first), .last = ip_of(last)}};
}

/* The first max candidates behind last, "2 3 4" in their last byte, "." at the end. */
static void
walks(const struct range_set *set, const char *last, unsigned max, const char *wanted)
{
	struct range_walk walk;
	struct cidr candidate = {0};
	scoped_buf seen = buf_make(4096);
	struct ip behind = ip_of(last);
	unsigned count = 0;

	range_walk_start(set, &behind, &walk);
	while (count < max && range_walk_next(&walk, &candidate)) {
		(void)buf_print(&seen, "%u ", candidate.ip.bytes[ip_size(&candidate.ip) - 1]);
		count++;
	}
	if (count < max)
		(void)buf_print(&seen, ".");
	assert_string_equal(buf_string(&seen), wanted);
}

static void
a_round_begins_behind_the_last_one_and_ends_with_it(void **state)
{
	struct range_set set = {.count = 1, .list = {range_of("10.0.0.0/29", "10.0.0.1", "10.0.0.6", "10.0.0.1")}};

	(void)state;
	walks(&set, "", 99, "2 3 4 5 6 .");
	walks(&set, "10.0.0.4", 99, "5 6 2 3 4 .");
	walks(&set, "10.0.0.6", 99, "2 3 4 5 6 .");
	walks(&set, "10.0.0.1", 99, "2 3 4 5 6 ."); /* the gateway, from an older configuration */
	walks(&set, "10.0.0.7", 99, "2 3 4 5 6 .");
	walks(&set, "fd00::3", 99, "2 3 4 5 6 .");
}

static void
a_range_of_addresses_that_no_host_can_have_is_over_soon(void **state)
{
	struct range_set set = {.count = 2,
	    .list = {range_of("ff00::/64", "ff00::1", "ff00::ffff:ffff:ffff:ffff", "ff00::1"),
	        range_of("fd00::/64", "fd00::2", "fd00::3", "fd00::1")}};

	(void)state;
	walks(&set, "", 99, "2 3 .");
	walks(&set, "ff00::5", 99, "2 3 .");
	set.count = 1;
	walks(&set, "", 99, ".");
}

static void
ranges_of_a_set_follow_each_other(void **state)
{
	struct range_set set = {.count = 3,
	    .list = {range_of("10.0.0.0/29", "10.0.0.2", "10.0.0.3", "10.0.0.1"),
	        range_of("10.0.1.0/24", "10.0.1.10", "10.0.1.12", "10.0.1.11"),
	        range_of("10.0.2.0/24", "10.0.2.20", "10.0.2.20", "10.0.2.1")}};

	(void)state;
	walks(&set, "", 99, "2 3 10 12 20 .");
	walks(&set, "10.0.1.10", 99, "12 20 2 3 10 .");
	walks(&set, "10.0.2.20", 99, "2 3 10 12 20 .");
}

/* host-local hands these out when the range names them */
static void
what_no_host_can_have_is_never_offered(void **state)
{
	struct range_set set = {.count = 1, .list = {range_of("10.0.0.0/29", "10.0.0.0", "10.0.0.7", "10.0.0.3")}};
	struct range_set six = {.count = 1, .list = {range_of("fd00::/125", "fd00::", "fd00::7", "fd00::1")}};

	(void)state;
	walks(&set, "", 99, "1 2 4 5 6 .");
	walks(&six, "", 99, "2 3 4 5 6 7 .");
}

static void
fixed_addresses_are_skipped_however_many_they_are(void **state)
{
	struct range_set set = {.count = 1, .list = {range_of("10.0.0.0/24", "10.0.0.2", "10.0.0.8", "10.0.0.1")},
	    .fixed = {ip_of("10.0.0.4"), ip_of("10.0.0.6")}};
	struct range_set six = {.count = 1, .list = {range_of("fd00::/16", "fd00::1", "fd00:ffff::ffff", "fd00::1")},
	    .fixed = {ip_of("fd00::4"), ip_of("fd00:ffff::fffe")}};

	(void)state;
	walks(&set, "", 99, "2 3 7 8 .");
	walks(&set, "10.0.0.5", 99, "7 8 2 3 .");
	set.fixed.last = ip_of("10.0.0.200");
	walks(&set, "10.0.0.2", 99, "3 2 .");
	set.fixed.first = ip_of("10.0.0.0");
	walks(&set, "", 99, ".");
	walks(&six, "", 99, "2 3 255 .");
}

static void
a_range_may_end_with_the_last_address_there_is(void **state)
{
	const char *all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
	struct range_set set = {.count = 1,
	    .list = {range_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", all, "::")}};

	(void)state;
	/* multicast, all of them: the walk ends and offers none */
	walks(&set, "", 99, ".");
	walks(&set, all, 99, ".");
}

static void
KI_14_a_large_IPv6_range_is_walked_from_its_start(void **state)
{
	struct range_set set = {.count = 1, .list = {range_of("fd00:1::/64", "fd00:1::1", "fd00:1::ffff:ffff:ffff:ffff", "fd00:1::1")}};

	(void)state;
	walks(&set, "", 3, "2 3 4 ");
	walks(&set, "fd00:1::fffe", 3, "255 0 1 ");
}

static void
a_candidate_has_the_prefix_and_gateway_of_its_range(void **state)
{
	struct range_set set = {.count = 2,
	    .list = {range_of("10.0.0.0/29", "10.0.0.2", "10.0.0.2", "10.0.0.1"),
	        range_of("10.0.8.0/21", "10.0.9.1", "10.0.9.9", "10.0.8.1")},
	    .fixed = {ip_of("10.0.8.77"), ip_of("10.0.8.88")}};
	const char *ours[] = {"10.0.0.2", "10.0.9.1", "10.0.8.77"};
	const char *others[] = {"10.0.0.3", "10.0.9.10", "10.0.8.76", "10.0.8.1", "fd00::1"};
	struct range_walk walk;
	struct cidr candidate = {0};

	(void)state;
	range_walk_start(&set, NULL, &walk);
	assert_true(range_walk_next(&walk, &candidate) && candidate.length == 29);
	assert_true(range_walk_next(&walk, &candidate) && candidate.length == 21);
	assert_ptr_equal(range_set_find(&set, &candidate.ip), &set.list[1]);
	for (unsigned i = 0; i < 3; i++) {
		struct ip ip = ip_of(ours[i]);
		assert_non_null(range_set_find(&set, &ip));
	}
	for (unsigned i = 0; i < 5; i++) {
		struct ip ip = ip_of(others[i]);
		assert_null(range_set_find(&set, &ip));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_round_begins_behind_the_last_one_and_ends_with_it),
	    cmocka_unit_test(a_range_of_addresses_that_no_host_can_have_is_over_soon),
	    cmocka_unit_test(ranges_of_a_set_follow_each_other),
	    cmocka_unit_test(what_no_host_can_have_is_never_offered),
	    cmocka_unit_test(fixed_addresses_are_skipped_however_many_they_are),
	    cmocka_unit_test(a_range_may_end_with_the_last_address_there_is),
	    cmocka_unit_test(KI_14_a_large_IPv6_range_is_walked_from_its_start),
	    cmocka_unit_test(a_candidate_has_the_prefix_and_gateway_of_its_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
