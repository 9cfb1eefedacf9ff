#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/host_view.h"

static struct host_view
judge(bool is_init, bool under_init, enum host_mounts mounts, bool netns_follows)
{
	const struct host_facts_of_view facts = {.is_init = is_init, .under_init = under_init, .may_look = true,
	    .mounts = mounts, .netns_follows = netns_follows};
	struct host_view view;

	host_view_judge(&facts, &view);
	return view;
}

static void
a_program_on_the_host_sees_it(void **state)
{
	const struct host_view view = judge(false, true, HOST_MOUNTS_OURS, false);

	(void)state;
	assert_true(view.seen);
	assert_true(host_view_covers(&view, "/anywhere/ns"));
}

static void
a_container_needs_the_hosts_processes_and_its_mounts(void **state)
{
	const struct host_view whole = judge(false, true, HOST_MOUNTS_OTHERS, true);
	const struct host_view no_mounts = judge(false, true, HOST_MOUNTS_OTHERS, false);
	const struct host_view alone = judge(true, true, HOST_MOUNTS_OURS, true);
	/* the pod shares its process namespace: its parent is in none that we see */
	const struct host_view shared = judge(false, false, HOST_MOUNTS_OTHERS, true);

	(void)state;
	assert_true(whole.seen);
	assert_false(no_mounts.seen);
	assert_non_null(strstr(no_mounts.why, "mountPropagation HostToContainer"));
	assert_false(alone.seen);
	assert_non_null(strstr(alone.why, "hostPID"));
	assert_false(shared.seen);
	assert_false(host_view_covers(&alone, "/run/netns/x"));
}

static void
who_may_not_look_at_other_processes_sees_nothing(void **state)
{
	const struct host_facts_of_view facts = {.under_init = true, .mounts = HOST_MOUNTS_OTHERS, .netns_follows = true};
	struct host_view view;

	(void)state;
	host_view_judge(&facts, &view);
	assert_false(view.seen);
	assert_non_null(strstr(view.why, "SYS_PTRACE"));
}

static void
where_nobody_may_look_at_init_it_is_taken_for_a_container(void **state)
{
	const struct host_view view = judge(false, true, HOST_MOUNTS_UNKNOWN, true);
	const struct host_view no_mounts = judge(false, true, HOST_MOUNTS_UNKNOWN, false);

	(void)state;
	assert_true(view.seen);
	assert_true(host_view_covers(&view, "/run/netns/cni-1"));
	assert_false(host_view_covers(&view, "/anywhere/ns"));
	assert_false(no_mounts.seen);
}

static void
in_a_container_only_what_comes_from_the_host_can_be_called_gone(void **state)
{
	const struct host_view view = judge(false, true, HOST_MOUNTS_OTHERS, true);

	(void)state;
	assert_true(host_view_covers(&view, "/run/netns/cni-1"));
	assert_true(host_view_covers(&view, "/var/run/netns/cni-1"));
	assert_true(host_view_covers(&view, "/proc/77/ns/net"));
	assert_false(host_view_covers(&view, "/run/user/1000/netns/cni-1"));
	assert_false(host_view_covers(&view, "/run/netnsx/cni-1"));
	assert_false(host_view_covers(&view, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_program_on_the_host_sees_it),
	    cmocka_unit_test(a_container_needs_the_hosts_processes_and_its_mounts),
	    cmocka_unit_test(who_may_not_look_at_other_processes_sees_nothing),
	    cmocka_unit_test(where_nobody_may_look_at_init_it_is_taken_for_a_container),
	    cmocka_unit_test(in_a_container_only_what_comes_from_the_host_can_be_called_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
