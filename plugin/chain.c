#include "plugin/chain.h"

#include "plugin/chain_apply.h"
#include "plugin/chain_clean.h"
#include "plugin/chain_link.h"
#include "plugin/chain_plan.h"
#include "plugin/chain_pod.h"
#include "plugin/chain_result.h"
#include "plugin/chain_wanted.h"
#include "plugin/prev_result.h"

/* CALL_MEMORY, see ipam.c */
static struct {
	struct prev_result prev;
	struct chain_wanted wanted;
	struct chain_route_list written;
} call;

/* From the configuration's words to the routes that should be, and where. */
static int
resolve(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_wanted *wanted, const struct chain_plan *plan,
    struct chain_addresses *ret_addresses, struct chain_route_list *ret_written,
    struct err *err)
{
	struct chain_facts facts;
	int rc = chain_pod_addresses(pod, prev, plan, ret_addresses, err);

	if (!rc)
		rc = chain_pod_facts(
		    pod, prev, &wanted->routes, ret_addresses, plan, &facts, err);
	return rc ? rc : chain_routes_plan(&wanted->routes, &facts, ret_written, err);
}

static int
add_written(
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err)
{
	for (unsigned i = 0; i < written->count; i++) {
		int rc = chain_plan_add_route(plan, &written->list[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

/* From what the pod has to what the configuration wants: flush and delete, then the
 * tables of source routing, then what is written; last what source routing moved
 * leaves the main table. */
static int
make_plan(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_wanted *wanted, struct chain_plan *plan,
    struct chain_route_list *ret_written, struct err *err)
{
	struct chain_addresses addresses;
	int rc = chain_pod_read(pod, wanted, plan, err);

	if (!rc)
		rc = resolve(pod, prev, wanted, plan, &addresses, ret_written, err);
	/* that somebody added a route again is no fault that CHECK should find */
	if (!rc && !plan->checking)
		rc = chain_removal_plan(
		    &wanted->removal, pod->index, ret_written, plan, err);
	if (!rc)
		rc = chain_source_routing_plan(&wanted->source_routing, &addresses,
		    pod->index, ret_written, plan, err);
	if (!rc)
		rc = add_written(ret_written, plan, err);
	if (!rc)
		rc = chain_source_routing_leave_main(&wanted->source_routing, &addresses,
		    pod->index, ret_written, plan, err);
	if (!rc)
		chain_rules_plan(&wanted->rules, plan);
	return rc;
}

static int
read_request(const struct cni_request *request, struct prev_result *ret_prev,
    struct chain_link *ret_link, struct chain_wanted *ret_wanted, struct err *err)
{
	int rc = prev_result_read(&request->config, ret_prev, err);

	if (!rc)
		rc = chain_link_decode(request->config.json, ret_link, err);
	return rc ? rc : chain_wanted_decode(request->config.json, ret_wanted, err);
}

/* Makes the pod's routes and rules what is wanted, and prevResult tell the truth. */
static int
change_pod(const struct cni_request *request, const struct prev_result *prev,
    const struct chain_wanted *wanted, struct chain_route_list *ret_written,
    struct err *err)
{
	scoped_chain_pod pod = {0};
	scoped_chain_plan plan = {0};
	int rc = chain_pod_open(request->environment, wanted->interface, &pod, err);

	if (!rc)
		rc = make_plan(&pod, prev, wanted, &plan, ret_written, err);
	if (!rc)
		rc = chain_apply(pod.kernel, &plan, err);
	if (!rc)
		chain_result_prune(
		    prev, request->config.version, wanted, &plan, ret_written, &pod);
	return rc;
}

int
chain_add(const struct cni_request *request, struct buf *out, struct err *err)
{
	const struct cni_environment *at = request->environment;
	struct chain_link link;

	call.written.count = 0;
	int rc = read_request(request, &call.prev, &link, &call.wanted, err);

	if (!rc)
		rc = chain_link_settle(request, &call.prev, &link, err);
	if (!rc && !chain_wanted_empty(&call.wanted))
		rc = change_pod(request, &call.prev, &call.wanted, &call.written, err);
	if (rc)
		return rc;
	chain_link_announce(at->netns, at->ifname, &call.prev, &link);
	return chain_result_print(
	    &call.prev, request->config.version, &call.written, out, err);
}

int
chain_check(const struct cni_request *request, struct buf *out, struct err *err)
{
	const struct cni_environment *at = request->environment;
	struct chain_link link;
	scoped_chain_pod pod = {0};
	scoped_chain_plan plan = {.checking = true};
	int rc = read_request(request, &call.prev, &link, &call.wanted, err);

	(void)out; /* CHECK prints nothing */
	if (!rc)
		rc = chain_link_verify(at->netns, at->ifname, &call.prev, &link, err);
	if (rc || chain_wanted_empty(&call.wanted))
		return rc;
	rc = chain_pod_open(at, call.wanted.interface, &pod, err);
	if (!rc)
		rc = make_plan(&pod, &call.prev, &call.wanted, &plan, &call.written, err);
	return rc ? rc : chain_verify(&plan, err);
}

int
chain_del(const struct cni_request *request, struct buf *out, struct err *err)
{
	const char *netns = request->environment->netns;
	struct prev_result *prev = &call.prev;
	struct chain_wanted *wanted = &call.wanted;
	scoped_chain_pod pod = {0};

	/* I4: whatever is missing or wrong, there is nothing for us to remove then */
	(void)out;
	(void)err;
	if (!netns || !netns[0] || chain_wanted_decode(request->config.json, wanted, NULL))
		return 0;
	if (wanted->rules.count == 0 && !wanted->source_routing.wanted)
		return 0;
	if (prev_result_read(&request->config, prev, NULL))
		*prev = (struct prev_result){0};
	(void)chain_pod_open(request->environment, wanted->interface, &pod, NULL);
	if (pod.kernel)
		chain_clean(&pod, prev, wanted);
	return 0;
}
