#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/host_address.h"

/* A node with eth0 (2), eth1 (3), a port (4) and loopback (1). */
static const struct kernel_link links[] = {
    {.index = 1, .flags = IFF_UP | IFF_LOOPBACK}, {.index = 2, .flags = IFF_UP},
    {.index = 3, .flags = IFF_UP}, {.index = 4, .flags = IFF_UP, .master = 9}, {.index = 5}};

static struct kernel_address
address(unsigned index, const char *text, uint32_t flags, uint8_t scope)
{
	struct kernel_address made = {.index = index, .flags = flags, .scope = scope};

	assert_int_equal(cidr_parse(text, strlen(text), &made.cidr, NULL), 0);
	return made;
}

static struct kernel_route
route(unsigned index, const char *gw, uint32_t priority, const char *source)
{
	struct kernel_route made = {.index = index};

	assert_int_equal(ip_parse(gw, strlen(gw), &made.route.gw, NULL), 0);
	made.route.dst.ip.family = made.route.gw.family;
	made.route.has_priority = true;
	made.route.priority = priority;
	if (source)
		assert_int_equal(ip_parse(source, strlen(source), &made.extra.src, NULL), 0);
	return made;
}

static void
check(const struct host_facts *facts, uint8_t family, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX] = "none";
	struct ip ip;

	if (host_address_choose(facts, family, &ip))
		ip_print(&ip, text);
	assert_string_equal(text, wanted);
}

static void
the_preferred_source_of_the_best_default_route_comes_first(void **state)
{
	const struct kernel_route defaults[] = {
	    route(2, "10.0.0.1", 100, NULL), route(3, "10.1.0.1", 50, "10.255.0.1")};
	const struct kernel_address addresses[] = {address(2, "10.0.0.2/24", 0, 0)};
	const struct host_facts facts = {defaults, 2, addresses, 1, links, 5};

	(void)state;
	check(&facts, 4, "10.255.0.1");
	check(&facts, 6, "none");
}

static void
the_address_in_the_gateways_subnet_comes_before_the_first(void **state)
{
	const struct kernel_route defaults[] = {
	    route(2, "10.0.0.1", 0, NULL), route(2, "fe80::1", 1024, NULL)};
	const struct kernel_address addresses[] = {address(3, "10.0.0.9/24", 0, 0),
	    address(2, "192.168.0.2/24", 0, 0), address(2, "10.0.0.2/24", 0, 0),
	    address(2, "fd00::2/64", 0, 0), address(2, "fd00::3/64", 0, 0)};
	const struct host_facts facts = {defaults, 2, addresses, 5, links, 5};

	(void)state;
	check(&facts, 4, "10.0.0.2");
	check(&facts, 6, "fd00::2"); /* a link-local gateway is in no subnet: the first */
}

static void
addresses_that_pass_never_count(void **state)
{
	const struct kernel_route defaults[] = {route(2, "fe80::1", 1024, NULL)};
	const struct kernel_address addresses[] = {address(2, "fe80::2/64", 0, RT_SCOPE_LINK),
	    address(2, "fd00::1/64", IFA_F_TENTATIVE, 0), address(2, "fd00::2/64", IFA_F_DEPRECATED, 0),
	    address(2, "fd00::3/64", IFA_F_TEMPORARY, 0), address(2, "fd00::4/64", IFA_F_DADFAILED, 0),
	    address(2, "fd00::5/64", IFA_F_PERMANENT, 0)};
	const struct host_facts facts = {defaults, 1, addresses, 6, links, 5};

	(void)state;
	check(&facts, 6, "fd00::5");
}

static void
without_a_default_route_the_first_link_counts_that_is_up_and_nobodys_port(void **state)
{
	const struct kernel_address addresses[] = {address(1, "127.0.0.1/8", 0, RT_SCOPE_HOST),
	    address(1, "10.254.0.1/32", 0, 0), address(4, "10.4.0.1/24", 0, 0),
	    address(5, "10.5.0.1/24", 0, 0), address(3, "10.3.0.1/24", 0, 0)};
	struct host_facts facts = {NULL, 0, addresses, 5, links, 5};

	(void)state;
	check(&facts, 4, "10.3.0.1");
	facts.address_count = 4;
	check(&facts, 4, "none");
}

static void
a_default_route_over_a_link_without_address_falls_to_the_other_links(void **state)
{
	const struct kernel_route defaults[] = {route(2, "10.0.0.1", 0, NULL)};
	const struct kernel_address addresses[] = {address(3, "10.3.0.1/24", 0, 0)};
	const struct host_facts facts = {defaults, 1, addresses, 1, links, 5};

	(void)state;
	check(&facts, 4, "10.3.0.1");
}

static void
check_subnet(const struct host_facts *facts, unsigned link, uint8_t family, const char *cidr,
    const char *gateway)
{
	char text[ADDRESS_TEXT_MAX] = "none";
	char out[ADDRESS_TEXT_MAX] = "";
	struct host_subnet subnet = {.gateway = {0}};

	if (host_subnet_choose(facts, link, family, &subnet))
		cidr_print(&subnet.cidr, text);
	if (subnet.gateway.family)
		ip_print(&subnet.gateway, out);
	assert_string_equal(text, cidr);
	assert_string_equal(out, gateway);
}

static void
a_subnet_is_that_of_the_default_route_or_of_the_link_that_is_named(void **state)
{
	const struct kernel_route defaults[] = {
	    route(2, "10.0.0.1", 100, NULL), route(3, "10.3.0.1", 200, NULL), route(2, "fe80::1", 1024, NULL)};
	const struct kernel_address addresses[] = {address(2, "192.168.0.2/24", 0, 0),
	    address(2, "10.0.0.2/20", 0, 0), address(2, "fd00::2/64", 0, 0), address(3, "10.3.0.9/24", 0, 0)};
	const struct host_facts facts = {defaults, 3, addresses, 4, links, 5};

	(void)state;
	check_subnet(&facts, 0, 4, "10.0.0.2/20", "10.0.0.1");
	check_subnet(&facts, 0, 6, "fd00::2/64", ""); /* fe80::1 is outside: no gateway for a pod */
	check_subnet(&facts, 2, 4, "10.0.0.2/20", "10.0.0.1");
	check_subnet(&facts, 3, 4, "10.3.0.9/24", "10.3.0.1");
	check_subnet(&facts, 3, 6, "none", "");
	check_subnet(&facts, 4, 4, "none", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_preferred_source_of_the_best_default_route_comes_first),
	    cmocka_unit_test(the_address_in_the_gateways_subnet_comes_before_the_first),
	    cmocka_unit_test(addresses_that_pass_never_count),
	    cmocka_unit_test(without_a_default_route_the_first_link_counts_that_is_up_and_nobodys_port),
	    cmocka_unit_test(a_default_route_over_a_link_without_address_falls_to_the_other_links),
	    cmocka_unit_test(a_subnet_is_that_of_the_default_route_or_of_the_link_that_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
