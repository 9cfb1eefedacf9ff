#include "plugin/chain_plan.h"

#include <string.h>

#include "core/mem.h"
#include "plugin/cni_error.h"

void
chain_plan_release(struct chain_plan *plan)
{
	mem_free(plan->routes);
	mem_free(plan->rules);
	mem_free(plan->changes);
	*plan = (struct chain_plan){0};
}

static struct chain_change *
add_change(struct chain_plan *plan, enum chain_act act)
{
	size_t count = plan->change_count++;

	/* room doubles at each power of two */
	if ((count & (count - 1)) == 0)
		plan->changes = mem_resize(
		    plan->changes, count ? count * 2 : 1, sizeof(*plan->changes));
	plan->changes[count] = (struct chain_change){.act = act};
	return &plan->changes[count];
}

static const struct kernel_route *
find_rival(const struct chain_plan *plan, const struct kernel_route *wanted)
{
	for (size_t i = 0; i < plan->route_count; i++)
		if (kernel_route_rivals(&plan->routes[i], wanted))
			return &plan->routes[i];
	return NULL;
}

bool
chain_plan_has_rival(const struct chain_plan *plan, const struct kernel_route *wanted)
{
	return find_rival(plan, wanted) != NULL;
}

bool
chain_plan_has_route(const struct chain_plan *plan, const struct kernel_route *wanted)
{
	for (size_t i = 0; i < plan->route_count; i++)
		if (kernel_route_matches(&plan->routes[i], wanted))
			return true;
	return false;
}

bool
chain_route_list_has(
    const struct chain_route_list *written, const struct kernel_route *found)
{
	for (unsigned i = 0; i < written->count; i++)
		if (kernel_route_matches(found, &written->list[i]))
			return true;
	return false;
}

static int
refuse_rival(const struct kernel_route *wanted, const struct kernel_route *rival,
    struct err *err)
{
	char text[KERNEL_ROUTE_TEXT_MAX];
	char there[KERNEL_ROUTE_TEXT_MAX];

	return err_set(err, CNI_ERROR_ROUTE,
	    "cannot add route %s: another route to this destination is there, %s on "
	    "interface number %u; give one of them another priority or table, or name the "
	    "other in delRoutes",
	    kernel_route_print(wanted, text), kernel_route_print(rival, there),
	    rival->index);
}

int
chain_plan_add_route(
    struct chain_plan *plan, const struct kernel_route *wanted, struct err *err)
{
	/* what is the same has the same place: nearly always there is neither */
	const struct kernel_route *rival = find_rival(plan, wanted);
	if (rival && chain_plan_has_route(plan, wanted))
		return 0;
	if (rival && !plan->checking)
		return refuse_rival(wanted, rival, err);
	add_change(plan, CHAIN_ADD_ROUTE)->route = *wanted;
	plan->routes =
	    mem_resize(plan->routes, plan->route_count + 1, sizeof(*plan->routes));
	plan->routes[plan->route_count++] = *wanted;
	return 0;
}

void
chain_plan_delete_route(struct chain_plan *plan, size_t i)
{
	add_change(plan, CHAIN_DELETE_ROUTE)->route = plan->routes[i];
	plan->route_count--;
	memmove(&plan->routes[i], &plan->routes[i + 1],
	    (plan->route_count - i) * sizeof(*plan->routes));
}

void
chain_plan_delete_found(struct chain_plan *plan, const struct kernel_route *route)
{
	for (size_t i = 0; i < plan->route_count; i++) {
		if (!kernel_route_matches(&plan->routes[i], route))
			continue;
		chain_plan_delete_route(plan, i);
		return;
	}
}

bool
chain_route_is_link_local(const struct kernel_route *route)
{
	static const struct cidr all = {.ip = {6, {0xfe, 0x80}}, .length = 10};

	return route->route.dst.length >= all.length &&
	    cidr_contains(&all, &route->route.dst.ip);
}

void
chain_plan_add_rule(struct chain_plan *plan, const struct kernel_rule *wanted)
{
	for (size_t i = 0; i < plan->rule_count; i++)
		if (kernel_rule_equal(&plan->rules[i], wanted))
			return;
	add_change(plan, CHAIN_ADD_RULE)->rule = *wanted;
	plan->rules = mem_resize(plan->rules, plan->rule_count + 1, sizeof(*plan->rules));
	plan->rules[plan->rule_count++] = *wanted;
}
