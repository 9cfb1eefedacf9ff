#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/mem.h"
#include "node/kernel.h"
#include "namespaces.h"

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, strlen(text), &ip, NULL), 0);
	return ip;
}

static struct kernel_route
route_of(const char *dst, const char *gw, unsigned index)
{
	struct kernel_route route = {.index = index};

	assert_int_equal(cidr_parse(dst, strlen(dst), &route.route.dst, NULL), 0);
	if (gw)
		route.route.gw = ip_of(gw);
	return route;
}

/* A fresh namespace with v0 (10.0.0.2/24, fd00::2/64) joined to v1. */
static unsigned
make_link(struct kernel **ret_kernel)
{
	struct err err = {0};
	unsigned index = 0;

	assert_int_equal(own_namespace(NULL), 0);
	run("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up");
	run("ip addr add 10.0.0.2/24 dev v0 && ip addr add fd00::2/64 dev v0 nodad");
	assert_int_equal(kernel_open(-1, ret_kernel, &err), 0);
	assert_int_equal(kernel_link_index(*ret_kernel, "v0", &index, &err), 0);
	assert_true(index > 1);
	return index;
}

/* How many routes of the namespace are what wanted would be. */
static size_t
count(struct kernel *kernel, const struct kernel_route *wanted)
{
	const struct kernel_filter any = {0};
	scoped_free struct kernel_route *list = NULL;
	size_t all = 0;
	size_t found = 0;
	struct err err = {0};

	assert_int_equal(kernel_routes(kernel, &any, &list, &all, &err), 0);
	for (size_t i = 0; i < all; i++)
		found += kernel_route_matches(&list[i], wanted);
	return found;
}

static void
a_route_is_added_found_refused_twice_and_removed(void **state)
{
	static const char *const pairs[][2] = {{"10.9.0.0/16", "10.0.0.1"}, {"0.0.0.0/0", "10.0.0.1"},
	    {"10.8.0.0/16", NULL}, {"fd09::/32", "fd00::1"}, {"::/0", "fd00::1"}, {"fd08::/64", NULL},
	    {"10.7.0.1/32", "10.0.0.1"}, {"fd07::1/128", "fd00::1"}};
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct err err = {0};
		struct kernel_route route = route_of(pairs[i][0], pairs[i][1], index);
		assert_int_equal(count(kernel, &route), 0);
		assert_int_equal(kernel_route_add(kernel, &route, &err), 0);
		assert_int_equal(count(kernel, &route), 1);
		assert_int_equal(kernel_route_add(kernel, &route, &err), -EEXIST);
		assert_non_null(strstr(err.text, pairs[i][0]));
		assert_int_equal(kernel_route_delete(kernel, &route, &err), 0);
		assert_int_equal(count(kernel, &route), 0);
		assert_int_equal(kernel_route_delete(kernel, &route, &err), -ESRCH);
	}
}

static void
every_attribute_is_read_back(void **state)
{
	scoped_kernel *kernel = NULL;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	struct kernel_route route = route_of("10.9.0.0/16", "10.0.0.1", make_link(&kernel));
	route.route.has_priority = route.route.has_table = true;
	route.route.has_mtu = route.route.has_advmss = true;
	route.route.priority = 77;
	route.route.table = 1000; /* above 255: only RTA_TABLE can say it */
	route.route.mtu = 1400;
	route.route.advmss = 1300;
	assert_int_equal(kernel_route_add(kernel, &route, &err), 0);
	assert_int_equal(count(kernel, &route), 1);
	for (unsigned i = 0; i < 5; i++) {
		struct kernel_route other = route;
		other.route.priority += i == 0;
		other.route.table += i == 1;
		other.route.mtu += i == 2;
		other.route.advmss += i == 3;
		other.index += i == 4;
		assert_int_equal(count(kernel, &other), 0);
	}
}

static void
a_refusal_carries_the_kernels_own_words(void **state)
{
	scoped_kernel *kernel = NULL;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	struct kernel_route route = route_of("10.9.0.0/16", "203.0.113.1", make_link(&kernel));
	assert_int_equal(kernel_route_add(kernel, &route, &err), -ENETUNREACH);
	assert_non_null(strstr(err.text, "cannot add route 10.9.0.0/16 via 203.0.113.1"));
	assert_non_null(strstr(err.text, "Nexthop"));
	/* the refusal was read whole: the next request gets its own answer */
	route = route_of("10.9.0.0/16", "10.0.0.1", route.index);
	assert_int_equal(kernel_route_add(kernel, &route, &err), 0);
}

static void
a_filter_takes_default_routes_of_the_main_table_only(void **state)
{
	const struct kernel_filter filter = {.default_only = true};
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_route *list = NULL;
	size_t found = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	(void)make_link(&kernel);
	run("ip route add default via 10.0.0.1 src 10.0.0.2 metric 5");
	run("ip route add default via 10.0.0.3 table 7 && ip route add blackhole default metric 9");
	assert_int_equal(kernel_routes(kernel, &filter, &list, &found, &err), 0);
	assert_int_equal(found, 1);
	struct ip source = ip_of("10.0.0.2");
	assert_true(ip_equal(&list[0].extra.src, &source));
	assert_int_equal(list[0].route.priority, 5);
}

static void
links_and_addresses_are_listed(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_link *links = NULL;
	scoped_free struct kernel_address *addresses = NULL;
	size_t link_count = 0;
	size_t address_count = 0;
	unsigned of_v0 = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	assert_int_equal(kernel_links(kernel, &links, &link_count, &err), 0);
	assert_int_equal(link_count, 3);
	assert_true(links[0].flags & IFF_LOOPBACK);
	assert_int_equal(kernel_addresses(kernel, &addresses, &address_count, &err), 0);
	for (size_t i = 0; i < address_count; i++)
		of_v0 += addresses[i].index == index && addresses[i].scope == RT_SCOPE_UNIVERSE;
	assert_int_equal(of_v0, 2);
}

static void
a_missing_interface_is_named(void **state)
{
	scoped_kernel *kernel = NULL;
	unsigned index = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	(void)make_link(&kernel);
	assert_int_equal(kernel_link_index(kernel, "net9", &index, &err), -ENODEV);
	assert_non_null(strstr(err.text, "net9"));
	assert_int_equal(kernel_link_index(kernel, "v0", &index, &err), 0);
}

static void
a_socket_opened_in_another_namespace_stays_there(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_kernel *inside = NULL;
	unsigned index = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	(void)make_link(&kernel);
	scoped_fd int other = other_namespace();
	assert_int_equal(kernel_open(other, &inside, &err), 0);
	assert_int_equal(kernel_link_index(inside, "v0", &index, &err), -ENODEV);
	assert_int_equal(kernel_link_index(kernel, "v0", &index, &err), 0);
}

static void
a_long_list_comes_whole(void **state)
{
	scoped_kernel *kernel = NULL;
	const struct kernel_filter any = {0};
	scoped_free struct kernel_route *list = NULL;
	size_t before = 0;
	size_t after = 0;
	struct err err = {0};

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	assert_int_equal(kernel_routes(kernel, &any, &list, &before, &err), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct kernel_route route = route_of("10.9.0.0/16", "10.0.0.1", index);
		route.route.has_priority = true;
		route.route.priority = i + 1;
		assert_int_equal(kernel_route_add(kernel, &route, &err), 0);
	}
	mem_free(mem_take(&list));
	assert_int_equal(kernel_routes(kernel, &any, &list, &after, &err), 0);
	assert_int_equal(after, before + 3000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_route_is_added_found_refused_twice_and_removed),
	    cmocka_unit_test(every_attribute_is_read_back),
	    cmocka_unit_test(a_refusal_carries_the_kernels_own_words),
	    cmocka_unit_test(a_filter_takes_default_routes_of_the_main_table_only),
	    cmocka_unit_test(links_and_addresses_are_listed),
	    cmocka_unit_test(a_missing_interface_is_named),
	    cmocka_unit_test(a_socket_opened_in_another_namespace_stays_there),
	    cmocka_unit_test(a_long_list_comes_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
