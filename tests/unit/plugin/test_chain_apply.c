/* Changes in a real namespace: all or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/mem.h"
#include "plugin/chain_apply.h"
#include "plugin/cni_error.h"
#include "../node/namespaces.h"

static struct kernel *
make_pod(unsigned *ret_index)
{
	struct kernel *kernel = NULL;

	assert_int_equal(own_namespace(NULL), 0);
	/* without link-local addresses: they and their routes come at a time of their own */
	run("ip link add v0 type veth peer name v1 && ip link set v0 addrgenmode none && ip link set v1 addrgenmode none");
	run("ip link set v0 up && ip link set v1 up");
	run("ip addr add 10.0.0.2/24 dev v0");
	run("ip route add 10.8.0.0/16 proto 77 nexthop via 10.0.0.8 weight 2 nexthop via 10.0.0.9");
	assert_int_equal(kernel_open(-1, &kernel, NULL), 0);
	assert_int_equal(kernel_link_index(kernel, "v0", ret_index, NULL), 0);
	return kernel;
}

static void
read_all(struct kernel *kernel, struct chain_plan *plan)
{
	const struct kernel_filter any = {0};

	assert_int_equal(kernel_routes(kernel, &any, &plan->routes, &plan->route_count, NULL), 0);
	assert_int_equal(kernel_rules(kernel, &plan->rules, &plan->rule_count, NULL), 0);
}

static struct kernel_route
route_of(const char *dst, const char *gw, unsigned index)
{
	struct kernel_route route = {.index = index};

	assert_int_equal(cidr_parse(dst, strlen(dst), &route.route.dst, NULL), 0);
	assert_int_equal(ip_parse(gw, strlen(gw), &route.route.gw, NULL), 0);
	return route;
}

/* Deletes what goes to 10.8.0.0/16, adds a route and a rule. */
static void
make_plan(struct kernel *kernel, unsigned index, struct chain_plan *plan)
{
	const struct kernel_rule rule = {.family = 4, .from = {{4, {10, 0, 0, 2}}, 32}, .table = 7, .priority = 9};
	struct kernel_route route = route_of("10.9.0.0/16", "10.0.0.1", index);
	struct kernel_route old = route_of("10.8.0.0/16", "10.0.0.8", index);

	read_all(kernel, plan);
	for (size_t i = plan->route_count; i-- > 0;)
		if (kernel_route_rivals(&plan->routes[i], &old))
			chain_plan_delete_route(plan, i);
	assert_int_equal(plan->change_count, 1);
	assert_int_equal(chain_plan_add_route(plan, &route, NULL), 0);
	chain_plan_add_rule(plan, &rule);
}

static void
are_the_same(const struct chain_plan *a, const struct chain_plan *b)
{
	assert_int_equal(a->route_count, b->route_count);
	assert_int_equal(a->rule_count, b->rule_count);
	for (size_t i = 0; i < a->route_count; i++) {
		assert_true(chain_plan_has_route(b, &a->routes[i]));
		assert_true(chain_plan_has_route(a, &b->routes[i]));
	}
}

static void
a_plan_leaves_what_it_says(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_chain_plan plan = {0};
	scoped_chain_plan after = {0};
	struct err err = {0};
	unsigned index;

	(void)state;
	NEEDS_ROOT();
	kernel = make_pod(&index);
	make_plan(kernel, index, &plan);
	if (chain_apply(kernel, &plan, &err))
		fail_msg("%s", err.text);
	read_all(kernel, &after);
	are_the_same(&plan, &after);
}

static void
whatever_fails_takes_all_back(void **state)
{
	(void)state;
	NEEDS_ROOT();
	for (unsigned what = 0; what < 3; what++) {
		scoped_kernel *kernel = NULL;
		scoped_chain_plan before = {0};
		scoped_chain_plan plan = {0};
		scoped_chain_plan after = {0};
		struct err err = {0};
		unsigned index;
		kernel = make_pod(&index);
		read_all(kernel, &before);
		make_plan(kernel, index, &plan);
		struct kernel_route bad = route_of("10.7.0.0/16", "203.0.113.1", index);
		if (what == 0)
			assert_int_equal(chain_plan_add_route(&plan, &bad, &err), 0);
		/* somebody else was faster */
		run(what == 1 ? "ip rule add from 10.0.0.2 lookup 7 priority 9 proto static" : "true");
		run(what == 2 ? "ip route add 10.9.0.0/16 via 10.0.0.7" : "true");
		assert_int_equal(chain_apply(kernel, &plan, &err), -CNI_ERROR_ROUTE);
		assert_null(strstr(err.text, "left behind"));
		run(what == 1 ? "ip rule del from 10.0.0.2 lookup 7 priority 9 proto static" : "true");
		run(what == 2 ? "ip route del 10.9.0.0/16" : "true");
		read_all(kernel, &after);
		are_the_same(&before, &after);
	}
}

static void
what_cannot_be_taken_back_is_named(void **state)
{
	scoped_kernel *kernel = NULL;
	scoped_chain_plan plan = {0};
	struct err err = {0};
	unsigned index;

	(void)state;
	NEEDS_ROOT();
	kernel = make_pod(&index);
	struct kernel_route routes[] = {route_of("10.9.0.0/16", "10.0.0.1", index), route_of("10.0.0.0/24", "10.0.0.1", index),
	    route_of("10.7.0.0/16", "203.0.113.1", index)};
	routes[1].route.gw.family = 0;
	routes[1].protocol = 2; /* RTPROT_KERNEL: the subnet's own */
	/* the gateway's subnet goes before its route: taken back it would come after it */
	run("ip route add 10.9.0.0/16 via 10.0.0.1");
	assert_int_equal(chain_plan_add_route(&plan, &routes[1], NULL), 0);
	assert_int_equal(chain_plan_add_route(&plan, &routes[0], NULL), 0);
	assert_int_equal(chain_plan_add_route(&plan, &routes[2], NULL), 0);
	plan.changes[0].act = plan.changes[1].act = CHAIN_DELETE_ROUTE;
	plan.changes[1].route.protocol = 3; /* RTPROT_BOOT: iproute2's */
	assert_int_equal(chain_apply(kernel, &plan, &err), -CNI_ERROR_ROUTE);
	assert_non_null(strstr(err.text, "10.7.0.0/16 via 203.0.113.1"));
	assert_non_null(strstr(err.text, "left behind: cannot add route 10.9.0.0/16 via 10.0.0.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_plan_leaves_what_it_says),
	    cmocka_unit_test(whatever_fails_takes_all_back),
	    cmocka_unit_test(what_cannot_be_taken_back_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
