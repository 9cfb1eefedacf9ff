/* The whole model of a route, written to a real kernel and read back. */
#include <errno.h>
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

static struct kernel_route
ecmp_of(const char *dst, const char *one, const char *two, unsigned index)
{
	struct kernel_route route = route_of(dst, one, index);

	route.extra.hop_count = 2;
	route.extra.hops[0] = (struct route_hop){.gw = ip_of(one), .weight = 3};
	route.extra.hops[1] = (struct route_hop){.gw = ip_of(two), .weight = 1};
	route.hop_indexes[0] = route.hop_indexes[1] = index;
	return route;
}

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
	return index;
}

static size_t
count(struct kernel *kernel, const struct kernel_route *wanted)
{
	const struct kernel_filter any = {0};
	scoped_free struct kernel_route *list = NULL;
	size_t all = 0;
	size_t found = 0;

	assert_int_equal(kernel_routes(kernel, &any, &list, &all, NULL), 0);
	for (size_t i = 0; i < all; i++)
		found += kernel_route_matches(&list[i], wanted);
	return found;
}

/* Added, found once, refused twice, removed. */
static void
lives_and_dies(struct kernel *kernel, const struct kernel_route *route)
{
	struct err err = {0};

	assert_int_equal(count(kernel, route), 0);
	if (kernel_route_add(kernel, route, &err))
		fail_msg("%s", err.text);
	assert_int_equal(count(kernel, route), 1);
	assert_int_equal(kernel_route_add(kernel, route, &err), -EEXIST);
	assert_int_equal(kernel_route_delete(kernel, route, &err), 0);
	assert_int_equal(count(kernel, route), 0);
	assert_int_equal(kernel_route_delete(kernel, route, &err), -ESRCH);
}

static void
each_type_and_attribute_lives_and_dies(void **state)
{
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	for (int type = ROUTE_BLACKHOLE; type < ROUTE_TYPES; type++) {
		struct kernel_route four = route_of("10.9.0.0/16", NULL, 0);
		struct kernel_route six = route_of("fd09::/32", NULL, 0);
		four.extra.type = six.extra.type = (enum route_type)type;
		lives_and_dies(kernel, &four);
		lives_and_dies(kernel, &six);
	}
	struct kernel_route onlink = route_of("10.9.0.0/16", "192.0.2.1", index);
	onlink.extra.onlink = true;
	onlink.extra.src = ip_of("10.0.0.2");
	lives_and_dies(kernel, &onlink);
	struct kernel_route onlink6 = route_of("fd09::/32", "fd99::1", index);
	onlink6.extra.onlink = true;
	onlink6.extra.src = ip_of("fd00::2");
	lives_and_dies(kernel, &onlink6);
	struct kernel_route ecmp = ecmp_of("10.9.0.0/16", "10.0.0.1", "192.0.2.1", index);
	ecmp.extra.hops[1].onlink = true;
	lives_and_dies(kernel, &ecmp);
	struct kernel_route ecmp6 = ecmp_of("fd09::/32", "fd00::1", "fd00::3", index);
	lives_and_dies(kernel, &ecmp6);
	struct kernel_route scoped = route_of("10.9.0.0/16", NULL, index);
	scoped.route.has_scope = true;
	scoped.route.scope = 200;
	lives_and_dies(kernel, &scoped);
	struct kernel_route over6 = route_of("10.9.0.0/16", "fe80::1", index);
	lives_and_dies(kernel, &over6);
}

static void
any_difference_is_seen(void **state)
{
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	struct kernel_route ecmp = ecmp_of("10.9.0.0/16", "10.0.0.1", "10.0.0.3", index);
	assert_int_equal(kernel_route_add(kernel, &ecmp, NULL), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct kernel_route other = ecmp;
		other.extra.hops[0].weight = i == 0 ? 4 : 3;
		other.extra.hops[1].gw.bytes[3] = i == 1 ? 4 : 3;
		other.extra.hops[1].onlink = i == 2;
		other.hop_indexes[1] += i == 3;
		other.extra.hop_count -= i == 4;
		other.extra.type = i == 5 ? ROUTE_PROHIBIT : ROUTE_UNICAST;
		other.extra.src = i == 6 ? ip_of("10.0.0.2") : other.extra.src;
		other.route.has_scope = i == 7;
		other.route.scope = RT_SCOPE_LINK;
		if (count(kernel, &other) != 0)
			fail_msg("difference %u is not seen", i);
	}
	struct kernel_route single = route_of("10.9.0.0/16", "10.0.0.1", index);
	assert_int_equal(count(kernel, &single), 0);
}

static void
an_IPv6_route_that_others_append_to_is_still_ours(void **state)
{
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	run("ip route add 10.9.0.0/16 via 10.0.0.1 && ip route append 10.9.0.0/16 via 10.0.0.3");
	run("ip -6 route add fd09::/32 via fd00::1 && ip -6 route append fd09::/32 via fd00::3");
	const char *const pairs[][2] = {{"10.9.0.0/16", "10.0.0.1"}, {"10.9.0.0/16", "10.0.0.3"},
	    {"fd09::/32", "fd00::1"}, {"fd09::/32", "fd00::3"}};
	for (size_t i = 0; i < 4; i++) {
		struct kernel_route route = route_of(pairs[i][0], pairs[i][1], index);
		assert_int_equal(count(kernel, &route), 1);
	}
}

static void
a_route_with_too_many_next_hops_is_known_by_its_place(void **state)
{
	const struct kernel_filter any = {0};
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_route *list = NULL;
	size_t all = 0;
	unsigned rivals = 0;

	(void)state;
	NEEDS_ROOT();
	unsigned index = make_link(&kernel);
	run("h=; for i in $(seq 1 20 | sed s/2$/52/); do h=\"$h nexthop via 10.0.0.$i\"; done; ip route add 10.9.0.0/16 $h");
	struct kernel_route wanted = route_of("10.9.0.0/16", "10.0.0.1", index);
	assert_int_equal(kernel_routes(kernel, &any, &list, &all, NULL), 0);
	for (size_t i = 0; i < all; i++) {
		if (!kernel_route_rivals(&list[i], &wanted))
			continue;
		rivals++;
		assert_true(list[i].more_hops);
		assert_int_equal(list[i].extra.hop_count, ROUTE_HOPS_MAX);
		assert_false(kernel_route_is_over(&list[i], index));
		assert_false(kernel_route_matches(&list[i], &wanted));
	}
	assert_int_equal(rivals, 1);
}

static void
a_route_is_over_a_link_with_all_its_next_hops(void **state)
{
	struct kernel_route route = ecmp_of("10.9.0.0/16", "10.0.0.1", "10.0.0.3", 7);

	(void)state;
	assert_true(kernel_route_is_over(&route, 7));
	assert_false(kernel_route_is_over(&route, 8));
	route.hop_indexes[1] = 8;
	assert_false(kernel_route_is_over(&route, 7));
	route = route_of("fd09::/32", NULL, 1); /* as IPv6 lists a blackhole: over lo */
	route.extra.type = ROUTE_BLACKHOLE;
	assert_false(kernel_route_is_over(&route, 1));
}

static void
a_filter_takes_what_leaves_by_a_link(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_route *list = NULL;
	size_t all = 0;
	unsigned ours = 0;

	(void)state;
	NEEDS_ROOT();
	const struct kernel_filter filter = {.index = make_link(&kernel)};
	run("ip addr add 10.1.0.2/24 dev v1 && ip route add 10.8.0.0/16 via 10.1.0.1 && ip route add blackhole 10.7.0.0/16");
	run("ip route add 10.9.0.0/16 nexthop via 10.1.0.1 nexthop via 10.0.0.1");
	assert_int_equal(kernel_routes(kernel, &filter, &list, &all, NULL), 0);
	for (size_t i = 0; i < all; i++) {
		char text[KERNEL_ROUTE_TEXT_MAX];
		(void)kernel_route_print(&list[i], text);
		ours += strcmp(text, "10.9.0.0/16 via 10.1.0.1 and 1 more") == 0;
		if (strstr(text, "10.8.0.0") || strstr(text, "10.7.0.0"))
			fail_msg("%s is listed", text);
	}
	assert_int_equal(ours, 1);
}

static void
a_route_is_printed_as_people_write_it(void **state)
{
	struct kernel_route route = ecmp_of("10.9.0.0/16", "10.0.0.1", "10.0.0.3", 7);
	char text[KERNEL_ROUTE_TEXT_MAX];

	(void)state;
	assert_string_equal(kernel_route_print(&route, text), "10.9.0.0/16 via 10.0.0.1 and 1 more");
	route = route_of("fd09::/32", NULL, 0);
	route.extra.type = ROUTE_UNREACHABLE;
	route.route.has_table = true;
	route.route.table = UINT32_MAX;
	assert_string_equal(kernel_route_print(&route, text), "unreachable fd09::/32 table 4294967295");
	assert_int_equal(kernel_route_table(&route), UINT32_MAX);
	route.route.table = 0;
	assert_int_equal(kernel_route_table(&route), RT_TABLE_MAIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_type_and_attribute_lives_and_dies),
	    cmocka_unit_test(any_difference_is_seen),
	    cmocka_unit_test(an_IPv6_route_that_others_append_to_is_still_ours),
	    cmocka_unit_test(a_route_with_too_many_next_hops_is_known_by_its_place),
	    cmocka_unit_test(a_route_is_over_a_link_with_all_its_next_hops),
	    cmocka_unit_test(a_filter_takes_what_leaves_by_a_link),
	    cmocka_unit_test(a_route_is_printed_as_people_write_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
