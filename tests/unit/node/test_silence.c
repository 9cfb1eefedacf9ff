#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "leases.h"
#include "namespaces.h"
#include "node/netns.h"
#include "node/silence.h"

/* A pod's namespace, reached by this process's open file of it, and its lease. */
struct pod {
	int netns;
	struct lease lease;
};

/* Runs a command in the pod's namespace; the test fails when it does. */
static void
run_in(const struct pod *pod, const char *command)
{
	int own = -1;

	assert_int_equal(netns_enter(pod->netns, &own, NULL), 0);
	run(command);
	netns_leave(own);
}

static bool
is_up_in(const struct pod *pod, const char *link)
{
	scoped_free char *command = mem_format("ip -o link show dev %s up | grep -q .", link);
	int own = -1;

	assert_int_equal(netns_enter(pod->netns, &own, NULL), 0);
	int rc = system(command);
	netns_leave(own);
	return rc == 0;
}

/* eth0 with both addresses of the lease, and net1 with another, up. */
static int
make_pod(void **state)
{
	struct pod *pod = mem_new(1, sizeof(*pod));
	struct attachment *holder = &pod->lease.holder;

	*state = pod;
	pod->netns = -1;
	if (geteuid() != 0)
		return 0;
	pod->lease = lease_of("c1", "10.0.2.40/24", "fd00:2::40/64");
	pod->netns = other_namespace();
	(void)snprintf(holder->netns, sizeof(holder->netns), "/proc/%d/fd/%d", getpid(), pod->netns);
	if (netns_id_read(pod->netns, &holder->netns_id, NULL))
		return -1;
	run_in(pod, "ip link add eth0 type veth peer name peer0 && ip link set peer0 up && "
		    "ip link set eth0 up && ip addr add 10.0.2.40/24 dev eth0 && "
		    "ip addr add fd00:2::40/64 dev eth0 nodad && "
		    "ip link add net1 type veth peer name peer1 && ip link set peer1 up && "
		    "ip link set net1 up && ip addr add 10.0.3.40/24 dev net1");
	return 0;
}

static int
remove_pod(void **state)
{
	struct pod *pod = *state;

	mem_cleanup_fd(&pod->netns);
	mem_free(pod);
	return 0;
}
#define WITH_POD(test) cmocka_unit_test_setup_teardown(test, make_pod, remove_pod)

static void
silence(const struct pod *pod)
{
	struct err err = {0};
	int rc = silence_lease(&pod->lease, &err);

	if (rc || err.code)
		fail_msg("%d: %s", rc, err.text);
}

static void
the_link_is_down_and_keeps_its_addresses(void **state)
{
	const struct pod *pod = *state;

	NEEDS_ROOT();
	assert_true(is_up_in(pod, "eth0"));
	silence(pod);
	assert_false(is_up_in(pod, "eth0"));
	assert_true(is_up_in(pod, "net1"));
	run_in(pod, "ip addr show dev eth0 | grep -q 10.0.2.40/24");
	run_in(pod, "ip addr show dev eth0 | grep -q fd00:2::40/64");
	silence(pod); /* again */
	assert_false(is_up_in(pod, "eth0"));
}

static void
a_link_that_was_renamed_is_found_by_its_address(void **state)
{
	const struct pod *pod = *state;

	NEEDS_ROOT();
	run_in(pod, "ip link set eth0 down && ip link set eth0 name x0 && ip link set x0 up");
	silence(pod);
	assert_false(is_up_in(pod, "x0"));
	assert_true(is_up_in(pod, "net1"));
}

static void
also_when_another_link_has_its_name_by_now(void **state)
{
	const struct pod *pod = *state;

	NEEDS_ROOT();
	run_in(pod, "ip link set eth0 down && ip link set eth0 name x0 && ip link set x0 up && "
		    "ip link set net1 down && ip link set net1 name eth0 && ip link set eth0 up");
	silence(pod);
	assert_false(is_up_in(pod, "x0"));
}

static void
a_namespace_without_the_link_and_the_addresses_is_silent(void **state)
{
	const struct pod *pod = *state;

	NEEDS_ROOT();
	run_in(pod, "ip link del eth0");
	silence(pod);
	assert_true(is_up_in(pod, "net1"));
}

static void
our_own_namespace_is_never_touched(void **state)
{
	struct pod *pod = *state;
	struct attachment *holder = &pod->lease.holder;

	NEEDS_ROOT();
	scoped_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(netns_id_read(own, &holder->netns_id, NULL), 0);
	(void)snprintf(holder->netns, sizeof(holder->netns), "/proc/self/ns/net");
	(void)snprintf(holder->ifname, sizeof(holder->ifname), "lo");
	silence(pod);
	run("ip -o link show dev lo up | grep -q .");
}

static void
what_is_gone_or_was_never_seen_is_silent(void **state)
{
	struct pod *pod = *state;
	struct attachment *holder = &pod->lease.holder;

	NEEDS_ROOT();
	/* another namespace at its path: not to be touched */
	holder->netns_id.cookie += 1000;
	silence(pod);
	assert_true(is_up_in(pod, "eth0"));
	holder->netns_id = (struct netns_id){0};
	silence(pod);
	assert_true(is_up_in(pod, "eth0"));
}

static void
a_link_that_cannot_be_set_down_is_an_error(void **state)
{
	const struct pod *pod = *state;
	int status = -1;

	NEEDS_ROOT();
	pid_t child = fork();
	if (child == 0) {
		struct err err = {0};
		/* another user may neither enter it nor set its links down; where the path is
		 * shut to it as well, nothing is found out, which must not pass for gone */
		int rc = setuid(65534) < 0 ? 1 : silence_lease(&pod->lease, &err);
		_exit(rc < 0 && err.text[0] ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(is_up_in(pod, "eth0"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_POD(the_link_is_down_and_keeps_its_addresses),
	    WITH_POD(a_link_that_was_renamed_is_found_by_its_address),
	    WITH_POD(also_when_another_link_has_its_name_by_now),
	    WITH_POD(a_namespace_without_the_link_and_the_addresses_is_silent),
	    WITH_POD(our_own_namespace_is_never_touched),
	    WITH_POD(what_is_gone_or_was_never_seen_is_silent),
	    WITH_POD(a_link_that_cannot_be_set_down_is_an_error),
	};
	return cmocka_run_group_tests(tests, own_namespace, NULL);
}
