#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/tend.h"

static const struct host_view seen = {.seen = true};
static const struct host_view unseen = {.seen = false};
static const struct lease open_lease = {.holder = {.uid = "u-1", .netns = "/run/netns/x"}};
static const struct lease closing_lease = {
    .holder = {.uid = "u-1", .netns = "/run/netns/x"}, .closing = true};

static void
a_lease_whose_namespace_is_gone_is_ended(void **state)
{
	(void)state;
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_GONE, &seen, false), TEND_END);
	assert_int_equal(tend_decide(&closing_lease, TEND_NETNS_GONE, &seen, true), TEND_END);
	/* not where the agent does not see the host: it may be there */
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_GONE, &unseen, true), TEND_KEEP);
	assert_int_equal(tend_decide(&closing_lease, TEND_NETNS_GONE, &unseen, true), TEND_KEEP);
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_UNKNOWN, &seen, true), TEND_KEEP);
}

static void
one_that_is_closing_is_silenced_and_ended(void **state)
{
	(void)state;
	assert_int_equal(tend_decide(&closing_lease, TEND_NETNS_THERE, &seen, false), TEND_SILENCE_AND_END);
	assert_int_equal(tend_decide(&closing_lease, TEND_NETNS_THERE, &unseen, false), TEND_SILENCE);
}

static void
one_that_is_to_be_silent_stays_until_its_del(void **state)
{
	(void)state;
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_THERE, &seen, true), TEND_SILENCE);
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_THERE, &unseen, true), TEND_SILENCE);
	assert_int_equal(tend_decide(&open_lease, TEND_NETNS_THERE, &seen, false), TEND_KEEP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_lease_whose_namespace_is_gone_is_ended),
	    cmocka_unit_test(one_that_is_closing_is_silenced_and_ended),
	    cmocka_unit_test(one_that_is_to_be_silent_stays_until_its_del),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
