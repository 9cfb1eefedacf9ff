#include "plugin/chain_result.h"

struct after {
	const struct chain_plan *plan;
	const struct chain_links *links;
	const struct chain_route_list *written; /* appended by themselves */
};

static bool
is_over_any(const struct kernel_route *found, const struct chain_links *links)
{
	for (unsigned i = 0; i < links->count; i++)
		if (found->index == links->indexes[i])
			return true;
	return false;
}

static bool
is_there(const struct route *route, const void *cookie)
{
	const struct after *after = cookie;
	struct kernel_route wanted = {.route = *route};

	for (size_t i = 0; i < after->plan->route_count; i++) {
		const struct kernel_route *found = &after->plan->routes[i];
		if (cidr_equal(&found->route.dst, &route->dst) &&
		    kernel_route_table(found) == kernel_route_table(&wanted) &&
		    (!route->gw.family || ip_equal(&found->route.gw, &route->gw)) &&
		    is_over_any(found, after->links) &&
		    !chain_route_list_has(after->written, found))
			return true;
	}
	return false;
}

void
chain_result_prune(const struct prev_result *prev, const struct cni_version *version,
    const struct chain_wanted *wanted, const struct chain_plan *plan,
    const struct chain_route_list *written, const struct chain_pod *pod)
{
	struct chain_links links;
	struct after after = {.plan = plan, .links = &links, .written = written};

	if (wanted->removal.flush_gateway)
		prev_result_drop_gateways(prev, version->shape, pod->interface);
	if (!chain_removal_is_wanted(&wanted->removal) && !wanted->source_routing.wanted)
		return;
	chain_pod_links(pod, prev, &links);
	prev_result_prune_routes(prev, version->shape, is_there, &after);
}

int
chain_result_print(const struct prev_result *prev, const struct cni_version *version,
    const struct chain_route_list *written, struct buf *out, struct err *err)
{
	static struct route told[ROUTES_MAX]; /* CALL_MEMORY, see ipam.c */
	unsigned count = 0;

	for (unsigned i = 0; i < written->count; i++) {
		const struct route_extra *extra = &written->list[i].extra;
		if (extra->type == ROUTE_UNICAST && extra->hop_count == 0)
			told[count++] = written->list[i].route;
	}
	return prev_result_print(prev, version, told, count, out, err);
}
