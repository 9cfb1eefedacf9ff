/* IPv6 settings and addresses of links, against the kernel. */
#include <errno.h>
#include <linux/if_addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/mem.h"
#include "node/advertised.h"
#include "node/ipv6_conf.h"
#include "node/kernel.h"
#include "node/netns.h"
#include "namespaces.h"

static bool
is_on(int netns, const char *link, const char *name)
{
	struct err err = {0};
	bool on = false;

	assert_int_equal(ipv6_conf_get(netns, link, name, &on, &err), 0);
	return on;
}

static void
a_setting_is_that_of_one_link_in_one_namespace(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	run("ip link add v0 type veth peer name v1");
	scoped_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	scoped_fd int other = other_namespace();
	assert_int_equal(setns(other, 0), 0);
	run("ip link add v0 type veth peer name v1");
	assert_int_equal(setns(own, 0), 0);
	assert_true(is_on(other, "v0", "accept_ra"));
	assert_int_equal(ipv6_conf_set(other, "v0", "accept_ra", false, &err), 0);
	assert_false(is_on(other, "v0", "accept_ra"));
	assert_true(is_on(other, "v1", "accept_ra"));
	assert_true(is_on(own, "v0", "accept_ra"));
	run("[ $(cat /proc/sys/net/ipv6/conf/v0/accept_ra) = 1 ]"); /* we are back */
	assert_int_equal(ipv6_conf_set(other, "v0", "accept_ra", true, &err), 0);
	assert_true(is_on(other, "v0", "accept_ra"));
}

static void
what_is_above_zero_is_on(void **state)
{
	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	scoped_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	run("echo 2 >/proc/sys/net/ipv6/conf/lo/accept_ra && echo -1 >/proc/sys/net/ipv6/conf/lo/accept_dad");
	assert_true(is_on(own, "lo", "accept_ra"));
	assert_false(is_on(own, "lo", "accept_dad"));
}

static void
a_link_that_is_not_there_is_named(void **state)
{
	struct err err = {0};
	bool on = true;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	scoped_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(ipv6_conf_get(own, "net9", "accept_ra", &on, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/proc/sys/net/ipv6/conf/net9/accept_ra"));
	assert_true(on);
	assert_int_equal(ipv6_conf_set(own, "net9", "accept_ra", false, &err), -ENOENT);
}

static void
links_have_the_MACs_that_Ethernet_has(void **state)
{
	static const struct mac wanted = {{0x02, 0, 0, 0, 0, 0xa0}};
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_link *links = NULL;
	size_t count = 0;
	unsigned found = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	run("ip link add v0 address 02:00:00:00:00:a0 type veth peer name v1 && ip tuntap add t0 mode tun");
	assert_int_equal(kernel_open(-1, &kernel, &err), 0);
	assert_int_equal(kernel_links(kernel, &links, &count, &err), 0);
	assert_int_equal(count, 4); /* lo and the tunnel are none */
	for (size_t i = 0; i < count; i++)
		found += (links[i].is_ethernet ? 1U : 0U) + (mac_equal(&links[i].mac, &wanted) ? 10U : 0U);
	assert_int_equal(found, 12);
}

static size_t
list(struct kernel *kernel, struct kernel_address **ret_list)
{
	size_t count = 0;
	struct err err = {0};

	assert_int_equal(kernel_addresses(kernel, ret_list, &count, &err), 0);
	return count;
}

static unsigned
tentative(const struct kernel_address *addresses, size_t count)
{
	unsigned found = 0;

	for (size_t i = 0; i < count; i++)
		found += (addresses[i].flags & IFA_F_TENTATIVE) != 0;
	return found;
}

static void
an_address_that_comes_again_is_usable_and_else_the_same(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_address *before = NULL;
	scoped_free struct kernel_address *after = NULL;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	run("ip addr add fd00::2/64 dev v0 metric 77 && ip addr add fd01::2/64 dev v0 noprefixroute");
	run("ip addr add fd02::2 peer fd02::3/128 dev v0 && ip addr add fd03::2/127 dev v0");
	assert_int_equal(kernel_open(-1, &kernel, &err), 0);
	size_t count = list(kernel, &before);
	assert_true(tentative(before, count) >= 4);
	for (size_t i = 0; i < count; i++)
		if (before[i].flags & IFA_F_TENTATIVE)
			assert_int_equal(kernel_address_skip_dad(kernel, &before[i], &err), 0);
	assert_int_equal(list(kernel, &after), count);
	assert_int_equal(tentative(after, count), 0);
	for (size_t i = 0, j; i < count; i++) {
		for (j = 0; j < count && !cidr_equal(&before[i].cidr, &after[j].cidr); j++)
			;
		assert_true(j < count);
		assert_int_equal(before[i].metric, after[j].metric);
		assert_int_equal(before[i].scope, after[j].scope);
		assert_true(ip_equal(&before[i].peer, &after[j].peer));
		assert_int_equal(before[i].flags & IFA_F_NOPREFIXROUTE, after[j].flags & IFA_F_NOPREFIXROUTE);
	}
	run("ip -6 route | grep -q 'fd00::/64 dev v0 proto kernel metric 77'");
	run("! ip -6 route | grep fd01:: && ip -6 route | grep -q '^fd02::3 dev v0'");
}

static void
an_address_that_is_gone_is_an_error_and_does_not_come_again(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_address *addresses = NULL;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	run("ip addr add fd00::2/64 dev lo");
	assert_int_equal(kernel_open(-1, &kernel, &err), 0);
	size_t count = list(kernel, &addresses);
	run("ip addr del fd00::2/64 dev lo");
	for (size_t i = 0; i < count; i++) {
		char text[ADDRESS_TEXT_MAX];
		if (strcmp(cidr_print(&addresses[i].cidr, text), "fd00::2/64") != 0)
			continue;
		assert_int_equal(kernel_address_skip_dad(kernel, &addresses[i], &err), -EADDRNOTAVAIL);
		assert_non_null(strstr(err.text, "fd00::2/64"));
	}
	run("! ip addr show dev lo | grep fd00::2");
}

static void
what_routers_made_on_a_link_is_removed_and_nothing_else(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_address *addresses = NULL;
	struct ip keep;
	unsigned index = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	run("for v in 0 1; do ip route add fd01::/64 via fe80::9 dev v$v proto ra metric 5$v && "
	    "ip route add default via fe80::9 dev v$v proto ra table 7 metric 5$v && "
	    "ip route add fd02::/64 dev v$v proto kernel metric 5$v expires 1000; done");
	run("ip route add fd03::/64 dev v0 expires 1000 && ip route add fd04::/64 via fe80::9 dev v0");
	run("ip addr add fd05::1/64 dev v0 && ip addr add fd06::1/64 dev v0 valid_lft 99 preferred_lft 99");
	run("ip addr add fd07::1/64 dev v0 valid_lft 99 preferred_lft 99");
	run("ip addr add fd06::2/64 dev v1 valid_lft 99 preferred_lft 99");
	assert_int_equal(ip_parse("fd07::1", 7, &keep, &err), 0);
	assert_int_equal(kernel_open(-1, &kernel, &err), 0);
	assert_int_equal(kernel_link_index(kernel, "v0", &index, &err), 0);
	size_t count = list(kernel, &addresses);
	/* a list that is out of date is no error */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(advertised_forget_routes(kernel, index, &err), 0);
		assert_int_equal(advertised_forget_addresses(kernel, index, addresses, count, &keep, 1, &err), 0);
	}
	run("! ip -6 route show dev v0 | grep -E '^fd0[12]' && ! ip -6 route show dev v0 table 7 | grep .");
	run("[ $(ip -6 route show dev v1 | grep -cE '^fd0[12]') = 2 ] && ip -6 route show dev v1 table 7 | grep -q .");
	run("[ $(ip -6 route show dev v0 | grep -cE '^fd0[345]') = 3 ]");
	run("[ \"$(ip -6 -o addr show scope global | grep -oE 'fd0.::.' | sort | xargs)\" = 'fd05::1 fd06::2 fd07::1' ]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_setting_is_that_of_one_link_in_one_namespace),
	    cmocka_unit_test(what_is_above_zero_is_on),
	    cmocka_unit_test(a_link_that_is_not_there_is_named),
	    cmocka_unit_test(links_have_the_MACs_that_Ethernet_has),
	    cmocka_unit_test(an_address_that_comes_again_is_usable_and_else_the_same),
	    cmocka_unit_test(an_address_that_is_gone_is_an_error_and_does_not_come_again),
	    cmocka_unit_test(what_routers_made_on_a_link_is_removed_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
