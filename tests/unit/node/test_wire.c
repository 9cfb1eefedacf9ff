/* Announcements and probes between real links. */
#include <errno.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "node/announce.h"
#include "node/kernel.h"
#include "node/netns.h"
#include "node/probe.h"
#include "node/wire.h"
#include "namespaces.h"

enum { PATIENCE_MS = 10000 };

static const struct mac mac0 = {{0x02, 0, 0, 0, 0, 0xa0}};
static const struct mac mac1 = {{0x02, 0, 0, 0, 0, 0xa1}};

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, strlen(text), &ip, NULL), 0);
	return ip;
}

static unsigned
index_of(int netns, const char *name)
{
	scoped_kernel *kernel = NULL;
	unsigned index = 0;
	struct err err = {0};

	assert_int_equal(kernel_open(netns, &kernel, &err), 0);
	assert_int_equal(kernel_link_index(kernel, name, &index, &err), 0);
	return index;
}

/* v0 (mac0) in our namespace, v1 (mac1) in another one, which is returned. */
static int
make_pair(void)
{
	assert_int_equal(own_namespace(NULL), 0);
	int other = other_namespace();
	scoped_free char *command = mem_format(
	    "ip link add v0 address 02:00:00:00:00:a0 type veth peer name v1 address "
	    "02:00:00:00:00:a1 && ip link set v1 netns /proc/self/fd/%d && ip link set v0 up && "
	    "nsenter --net=/proc/self/fd/%d ip link set v1 up",
	    other, other);

	assert_int_equal(fcntl(other, F_SETFD, 0), 0);
	run(command);
	return other;
}

static void
in_namespace(int netns, const char *command)
{
	int own = -1;

	assert_int_equal(netns_enter(netns, &own, NULL), 0);
	run(command);
	netns_leave(own);
}

/* Whether this frame comes; others may come before it. */
static bool
arrives(int wire, const struct frame *wanted)
{
	uint8_t bytes[WIRE_FRAME_MAX];
	struct pollfd ready = {.fd = wire, .events = POLLIN};

	while (poll(&ready, 1, PATIENCE_MS) > 0)
		if (wire_receive(wire, bytes) == wanted->length &&
		    memcmp(bytes, wanted->bytes, wanted->length) == 0)
			return true;
	return false;
}

static void
an_announcement_arrives_at_the_other_end(void **state)
{
	scoped_wire arp = -1;
	scoped_wire nd = -1;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = make_pair();
	const struct ip ips[] = {ip_of("10.0.0.2"), ip_of("fd00::2"), ip_of("10.0.0.3")};
	unsigned index = index_of(other, "v1");
	assert_int_equal(wire_open(-1, index_of(-1, "v0"), ETH_P_ARP, &arp, &err), 0);
	assert_int_equal(wire_open(-1, index_of(-1, "v0"), ETH_P_IPV6, &nd, &err), 0);
	assert_int_equal(announce_send(other, index, &mac1, ips, 3, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct frame frame = frame_announce(&mac1, &ips[i]);
		assert_true(arrives(i == 1 ? nd : arp, &frame));
	}
}

static void
a_link_that_is_down_or_missing_is_an_error(void **state)
{
	struct err err = {0};
	const struct ip ip = ip_of("10.0.0.2");

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = make_pair();
	unsigned index = index_of(-1, "v0");
	run("ip link set v0 down");
	assert_int_equal(announce_send(-1, index, &mac0, &ip, 1, &err), -ENETDOWN);
	run("ip link del v0");
	assert_int_equal(announce_send(-1, index, &mac0, &ip, 1, &err), -ENODEV);
	assert_non_null(strstr(err.text, "cannot listen on interface number"));
}

/* Packet sockets of our namespace. */
static unsigned
sockets(void)
{
	FILE *file = fopen("/proc/self/net/packet", "re");
	char line[256];
	unsigned count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count++;
	(void)fclose(file);
	return count - 1; /* the heading */
}

static void
a_closed_wire_is_gone_and_takes_no_file_descriptor_with_it(void **state)
{
	const struct timespec moment = {.tv_nsec = 10000000};
	struct err err = {0};
	int wire = -1;

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = make_pair();
	unsigned index = index_of(-1, "v0");
	int first = dup(other); /* the lowest free number */
	assert_int_equal(close(first), 0);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(wire_open(-1, index, ETH_P_ARP, &wire, &err), 0);
		assert_int_equal(wire, first);
		assert_true(sockets() > 0);
		wire_close(wire);
	}
	for (int i = 0; i < PATIENCE_MS / 10 && sockets() > 0; i++)
		(void)nanosleep(&moment, NULL);
	assert_int_equal(sockets(), 0);
}

static struct probe
probe_of(const struct ip *ips, unsigned count)
{
	return (struct probe){
	    .netns = -1, .index = index_of(-1, "v0"), .mac = mac0, .ips = ips, .count = count};
}

static void
a_probe_finds_who_has_the_address(void **state)
{
	static const char *const texts[] = {"10.0.0.2", "fd00::2"};

	(void)state;
	NEEDS_ROOT();
	for (unsigned i = 0; i < 2; i++) {
		scoped_fd int other = make_pair();
		struct ip ips[] = {ip_of("10.0.0.1"), ip_of("fd00::1"), ip_of(texts[i])};
		struct probe probe = probe_of(ips, 3);
		struct frame_claim claim = {0};
		struct err err = {0};
		bool taken = true;
		assert_int_equal(probe_run(&probe, &taken, &claim, &err), 0);
		assert_false(taken);
		in_namespace(other, i ? "ip addr add fd00::2/64 dev v1 nodad" : "ip addr add 10.0.0.2/24 dev v1");
		assert_int_equal(probe_run(&probe, &taken, &claim, &err), 0);
		assert_true(taken);
		assert_true(ip_equal(&claim.ip, &ips[2]));
		assert_true(mac_equal(&claim.mac, &mac1));
	}
}

static void
a_MAC_that_was_ours_is_no_conflict(void **state)
{
	const struct ip ip = ip_of("10.0.0.2");
	const struct mac former[] = {{{0x02, 0, 0, 0, 0, 0xff}}, mac1};
	struct frame_claim claim = {0};
	struct err err = {0};
	bool taken = false;

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = make_pair();
	in_namespace(other, "ip addr add 10.0.0.2/24 dev v1");
	struct probe probe = probe_of(&ip, 1);
	probe.ours = former;
	for (probe.our_count = 0; probe.our_count <= 2; probe.our_count++) {
		assert_int_equal(probe_run(&probe, &taken, &claim, &err), 0);
		assert_int_equal(taken, probe.our_count < 2);
	}
}

static void
a_probe_teaches_its_neighbours_nothing(void **state)
{
	const struct ip ips[] = {ip_of("10.0.0.2"), ip_of("fd00::2")};
	struct frame_claim claim = {0};
	struct err err = {0};
	bool taken = true;

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = make_pair();
	in_namespace(other,
	    "ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:99 dev v1 nud reachable && "
	    "ip neigh add fd00::2 lladdr 02:00:00:00:00:99 dev v1 nud reachable");
	struct probe probe = probe_of(ips, 2);
	assert_int_equal(probe_run(&probe, &taken, &claim, &err), 0);
	assert_false(taken);
	in_namespace(other, "[ $(ip neigh show dev v1 | grep -c 02:00:00:00:00:99) = 2 ]");
}

static void
only_a_claim_to_one_of_the_addresses_by_somebody_else_counts(void **state)
{
	const struct ip ips[] = {ip_of("10.0.0.2"), ip_of("fd00::2")};
	const struct ip other = ip_of("10.0.0.3");
	const struct mac former = {{0x02, 0, 0, 0, 0, 0xff}};
	const struct probe probe = {
	    .mac = mac0, .ips = ips, .count = 2, .ours = &former, .our_count = 1};
	struct frame_claim claim;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct frame frames[] = {frame_announce(&mac1, &ips[i]), frame_probe(&mac1, &ips[i]),
		    frame_announce(&mac0, &ips[i]), frame_probe(&former, &ips[i]),
		    frame_announce(&mac1, &other)};
		for (unsigned j = 0; j < 5; j++)
			assert_int_equal(probe_judge(&probe, frames[j].bytes, frames[j].length, &claim), j < 2);
	}
	assert_false(probe_judge(&probe, NULL, 0, &claim));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_announcement_arrives_at_the_other_end),
	    cmocka_unit_test(a_link_that_is_down_or_missing_is_an_error),
	    cmocka_unit_test(a_closed_wire_is_gone_and_takes_no_file_descriptor_with_it),
	    cmocka_unit_test(a_probe_finds_who_has_the_address),
	    cmocka_unit_test(a_MAC_that_was_ours_is_no_conflict),
	    cmocka_unit_test(a_probe_teaches_its_neighbours_nothing),
	    cmocka_unit_test(only_a_claim_to_one_of_the_addresses_by_somebody_else_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
