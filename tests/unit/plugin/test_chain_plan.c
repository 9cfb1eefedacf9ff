/* What the chained role decides, without a kernel: plans from lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/mem.h"
#include "plugin/chain_apply.h"
#include "plugin/chain_clean.h"
#include "plugin/chain_removal.h"
#include "plugin/chain_rules.h"
#include "plugin/chain_source_routing.h"
#include "plugin/cni_error.h"

static struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {0};

	assert_int_equal(cidr_parse(text, strlen(text), &cidr, NULL), 0);
	return cidr;
}

/* gw: NULL on the link. table: 0 main. */
static struct kernel_route
route_of(const char *dst, const char *gw, uint32_t table, unsigned index)
{
	struct kernel_route route = {.index = index};

	route.route.dst = cidr_of(dst);
	if (gw)
		assert_int_equal(ip_parse(gw, strlen(gw), &route.route.gw, NULL), 0);
	route.route.has_table = table != 0;
	route.route.table = table;
	return route;
}

static void
give(struct chain_plan *plan, struct kernel_route route)
{
	plan->routes = mem_resize(plan->routes, plan->route_count + 1, sizeof(route));
	plan->routes[plan->route_count++] = route;
}

/* net1 (index 2) as a main plugin leaves it, and eth0 (index 3). */
static void
make_pod(struct chain_plan *plan)
{
	give(plan, route_of("0.0.0.0/0", "10.0.0.1", 0, 3));
	give(plan, route_of("192.168.1.0/24", NULL, 0, 2));
	give(plan, route_of("192.168.2.0/24", "192.168.1.2", 0, 2));
	give(plan, route_of("0.0.0.0/0", "192.168.1.1", 0, 2));
	plan->routes[3].route.has_priority = true;
	plan->routes[3].route.priority = 7;
	give(plan, route_of("fe80::/64", NULL, 0, 2));
	give(plan, route_of("192.168.3.0/24", "192.168.1.2", 9, 2));
}

/* "+DST>GW@TABLE" for added, "-..." for deleted, "!PRIORITY FROM@TABLE" for rules. */
static void
changes_are(const struct chain_plan *plan, const char *wanted)
{
	scoped_buf out = buf_make(16384);
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < plan->change_count; i++) {
		const struct chain_change *change = &plan->changes[i];
		if (change->act == CHAIN_ADD_RULE) {
			(void)buf_print(&out, "%s!%u %s@%u", i ? " " : "", change->rule.priority,
			    cidr_print(&change->rule.from, text), change->rule.table);
			continue;
		}
		(void)buf_print(&out, "%s%s%s>", i ? " " : "", change->act == CHAIN_ADD_ROUTE ? "+" : "-",
		    cidr_print(&change->route.route.dst, text));
		if (change->route.route.gw.family)
			(void)buf_text(&out, ip_print(&change->route.route.gw, text));
		(void)buf_print(&out, "@%u", kernel_route_table(&change->route));
	}
	assert_string_equal(buf_string(&out), wanted);
}

static void
what_is_there_is_not_added(void **state)
{
	scoped_chain_plan plan = {0};
	struct kernel_route there = route_of("192.168.2.0/24", "192.168.1.2", 254, 2);
	struct kernel_route rival = route_of("192.168.2.0/24", "192.168.1.3", 0, 2);
	struct kernel_route fresh = route_of("10.9.0.0/16", NULL, 0, 2);
	struct kernel_rule rule = {.family = 4, .from = cidr_of("10.0.0.0/8"), .table = 7, .priority = 1};
	struct err err = {0};

	(void)state;
	make_pod(&plan);
	assert_int_equal(chain_plan_add_route(&plan, &there, &err), 0);
	changes_are(&plan, "");
	assert_int_equal(chain_plan_add_route(&plan, &rival, &err), -CNI_ERROR_ROUTE);
	assert_non_null(strstr(err.text, "192.168.2.0/24 via 192.168.1.2 on interface number 2"));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(chain_plan_add_route(&plan, &fresh, &err), 0);
		chain_plan_add_rule(&plan, &rule);
	}
	changes_are(&plan, "+10.9.0.0/16>@254 !1 10.0.0.0/8@7");
}

static void
CHECK_names_what_a_plan_would_add(void **state)
{
	scoped_chain_plan plan = {.checking = true};
	struct kernel_route rival = route_of("192.168.2.0/24", "192.168.1.3", 0, 2);
	struct err err = {0};

	(void)state;
	make_pod(&plan);
	chain_plan_delete_route(&plan, 0);
	assert_int_equal(chain_verify(&plan, &err), 0);
	assert_int_equal(chain_plan_add_route(&plan, &rival, &err), 0);
	assert_int_equal(chain_verify(&plan, &err), -CNI_ERROR_ROUTE);
	assert_non_null(strstr(err.text, "route 192.168.2.0/24 via 192.168.1.3 is not in the pod any more"));
}

static void
removal_takes_what_it_names_and_nothing_written(void **state)
{
	const struct {
		struct chain_removal removal;
		bool written;
		const char *wanted;
	} rows[] = {
	    {{.flush_routes = true}, false, "-192.168.2.0/24>192.168.1.2@254 -0.0.0.0/0>192.168.1.1@254"},
	    {{.flush_routes = true}, true, "-0.0.0.0/0>192.168.1.1@254"},
	    {{.flush_gateway = true}, false, "-0.0.0.0/0>192.168.1.1@254"},
	    {{.deletes = {.list = {{.dst = cidr_of("192.168.1.0/24")}, {.dst = cidr_of("0.0.0.0/0")}}, .count = 2}}, false,
	        "-0.0.0.0/0>192.168.1.1@254 -192.168.1.0/24>@254"},
	    {{.deletes = {.list = {{.dst = cidr_of("192.168.2.0/25")}, {.dst = cidr_of("192.168.3.0/24")}}, .count = 2}}, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scoped_chain_plan plan = {0};
		struct chain_route_list written = {.count = rows[i].written};
		written.list[0] = route_of("192.168.2.0/24", "192.168.1.2", 0, 2);
		make_pod(&plan);
		assert_true(chain_removal_is_wanted(&rows[i].removal));
		assert_int_equal(chain_removal_plan(&rows[i].removal, 2, &written, &plan, NULL), 0);
		changes_are(&plan, rows[i].wanted);
	}
}

static int
route_by_source(const struct chain_source_routing *wanted, const struct chain_addresses *addresses,
    const struct chain_route_list *written, struct chain_plan *plan)
{
	int rc = chain_source_routing_plan(wanted, addresses, 2, written, plan, NULL);

	return rc ? rc : chain_source_routing_leave_main(wanted, addresses, 2, written, plan, NULL);
}

static void
carried_out(struct chain_plan *plan)
{
	mem_free(plan->changes);
	plan->changes = NULL;
	plan->change_count = 0;
}

static void
source_routing_moves_what_fits_and_is_repeatable(void **state)
{
	const struct chain_source_routing wanted = {.wanted = true};
	const struct chain_route_list written = {.count = 0};
	struct chain_addresses addresses = {.count = 1};
	scoped_chain_plan plan = {0};

	(void)state;
	make_pod(&plan);
	give(&plan, route_of("10.0.0.0/8", "10.0.0.1", 100, 3)); /* table 100 is taken */
	addresses.list[0].cidr = cidr_of("192.168.1.209/24");
	addresses.list[0].gateway = cidr_of("192.168.1.1/32").ip;
	assert_int_equal(route_by_source(&wanted, &addresses, &written, &plan), 0);
	changes_are(&plan, "!31000 192.168.1.209/32@101 +0.0.0.0/0>192.168.1.1@101 +192.168.1.0/24>@101 "
	    "+192.168.2.0/24>192.168.1.2@101 +0.0.0.0/0>192.168.1.1@101 "
	    "-192.168.2.0/24>192.168.1.2@254 -0.0.0.0/0>192.168.1.1@254 -192.168.1.0/24>@254");
	carried_out(&plan);
	assert_int_equal(route_by_source(&wanted, &addresses, &written, &plan), 0);
	changes_are(&plan, "");
	plan.checking = true;
	give(&plan, route_of("10.9.0.0/16", "192.168.1.9", 0, 2)); /* another's, since then */
	assert_int_equal(route_by_source(&wanted, &addresses, &written, &plan), 0);
	assert_int_equal(chain_verify(&plan, NULL), 0);
}

static void
written_routes_and_tables_of_others_are_left_alone(void **state)
{
	const struct chain_source_routing rules_only = {.wanted = true, .table = 5000};
	const struct chain_source_routing wanted = {.wanted = true, .source_hints = true};
	struct chain_route_list written = {.count = 1};
	struct chain_addresses addresses = {.count = 1};
	scoped_chain_plan plan = {0};
	scoped_chain_plan other = {0};

	(void)state;
	make_pod(&plan);
	make_pod(&other);
	addresses.list[0].cidr = cidr_of("192.168.1.209/24");
	written.list[0] = route_of("192.168.2.0/24", "192.168.1.2", 0, 2);
	assert_int_equal(route_by_source(&rules_only, &addresses, &written, &plan), 0);
	changes_are(&plan, "!31000 192.168.1.209/32@5000");
	assert_int_equal(route_by_source(&wanted, &addresses, &written, &other), 0);
	changes_are(&other, "!31000 192.168.1.209/32@100 +192.168.1.0/24>@100 +0.0.0.0/0>192.168.1.1@100 "
	    "-0.0.0.0/0>192.168.1.1@254 -192.168.1.0/24>@254 +192.168.1.0/24>@254");
	assert_true(ip_equal(&other.changes[other.change_count - 1].route.extra.src, &addresses.list[0].cidr.ip));
	addresses.count = 0;
	assert_int_equal(route_by_source(&wanted, &addresses, &written, &other), -CNI_ERROR_TRY_LATER);
}

static void
DEL_takes_our_rules_only(void **state)
{
	struct chain_wanted wanted = {.source_routing = {.wanted = true}, .rules.count = 1};
	struct chain_addresses addresses = {.count = 1};
	struct kernel_rule rule = {.family = 4, .from = cidr_of("10.0.0.0/8"), .table = 7, .priority = 1};
	struct kernel_rule source = {.family = 4, .from = cidr_of("192.168.1.209/32"), .table = 104,
	    .priority = CHAIN_SOURCE_PRIORITY};

	(void)state;
	wanted.rules.list[0] = rule;
	addresses.list[0].cidr = cidr_of("192.168.1.209/24");
	assert_true(chain_clean_takes(&wanted, &addresses, &rule));
	assert_true(chain_clean_takes(&wanted, &addresses, &source));
	wanted.source_routing.table = 105;
	assert_false(chain_clean_takes(&wanted, &addresses, &source));
	wanted.source_routing.table = 104;
	assert_true(chain_clean_takes(&wanted, &addresses, &source));
	wanted.source_routing.wanted = false;
	assert_false(chain_clean_takes(&wanted, &addresses, &source));
	rule.special = true;
	assert_false(chain_clean_takes(&wanted, &addresses, &rule));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_there_is_not_added),
	    cmocka_unit_test(CHECK_names_what_a_plan_would_add),
	    cmocka_unit_test(removal_takes_what_it_names_and_nothing_written),
	    cmocka_unit_test(source_routing_moves_what_fits_and_is_repeatable),
	    cmocka_unit_test(written_routes_and_tables_of_others_are_left_alone),
	    cmocka_unit_test(DEL_takes_our_rules_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
