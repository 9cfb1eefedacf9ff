/* What the chained role will do to a pod's routes and rules: a list of changes,
 * made from what the kernel had. No I/O here.
 *
 * The plan keeps both lists as they will be after its changes. What is there
 * already makes no change: that is what makes ADD idempotent (I5), and CHECK asks
 * for a plan that adds nothing. */
#ifndef PLUGIN_CHAIN_PLAN_H
#define PLUGIN_CHAIN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "node/kernel.h"
#include "node/kernel_rule.h"

enum chain_act { CHAIN_ADD_ROUTE, CHAIN_DELETE_ROUTE, CHAIN_ADD_RULE };

struct chain_change {
	enum chain_act act;
	union {
		struct kernel_route route;
		struct kernel_rule rule;
	};
};

/* Routes that the configuration writes; none of them is ever deleted. */
struct chain_route_list {
	unsigned count;
	struct kernel_route list[ROUTES_MAX];
};

struct chain_plan {
	bool checking; /* for CHECK: what has a rival is missing, and no error */
	struct kernel_route *routes; /* the plan's own memory */
	size_t route_count;
	struct kernel_rule *rules; /* likewise */
	size_t rule_count;
	struct chain_change *changes; /* in the order to make them */
	size_t change_count;
};
void chain_plan_release(struct chain_plan *plan);
#define scoped_chain_plan __attribute__((cleanup(chain_plan_release))) struct chain_plan

/* Plans to add a route, unless it is there. Error code 105 when another has its
 * place (dst, table and priority), unless the plan is for CHECK. */
int chain_plan_add_route(struct chain_plan *plan, const struct kernel_route *wanted,
    struct err *err);
/* Plans to delete the route at index i of plan->routes; later ones move up. */
void chain_plan_delete_route(struct chain_plan *plan, size_t i);
/* The same for the first that is this one; nothing when there is none. */
void chain_plan_delete_found(struct chain_plan *plan, const struct kernel_route *route);
/* Plans to add a rule, unless it is there. */
void chain_plan_add_rule(struct chain_plan *plan, const struct kernel_rule *wanted);

/* Whether wanted is there, or a route that has its place. */
bool chain_plan_has_route(
    const struct chain_plan *plan, const struct kernel_route *wanted);
bool chain_plan_has_rival(
    const struct chain_plan *plan, const struct kernel_route *wanted);
/* Whether a route of the kernel is one of the written ones. */
bool chain_route_list_has(
    const struct chain_route_list *written, const struct kernel_route *found);
/* Whether it leads to fe80::/10: by these routes neighbours are found. */
bool chain_route_is_link_local(const struct kernel_route *route);

#endif
