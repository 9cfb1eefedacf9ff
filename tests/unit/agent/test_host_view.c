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
	const struct host_facts_of_view facts = {is_init, under_init, mounts, netns_follows};
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
	const struct host_view blind = judge(false, true, HOST_MOUNTS_UNKNOWN, true);

	(void)state;
	assert_true(whole.seen);
	assert_false(no_mounts.seen);
	assert_non_null(strstr(no_mounts.why, "mountPropagation HostToContainer"));
	assert_false(alone.seen);
	assert_non_null(strstr(alone.why, "hostPID"));
	assert_false(shared.seen);
	assert_false(blind.seen);
	assert_non_null(strstr(blind.why, "SYS_PTRACE"));
	assert_false(host_view_covers(&alone, "/run/netns/x"));
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
	    cmocka_unit_test(in_a_container_only_what_comes_from_the_host_can_be_called_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
