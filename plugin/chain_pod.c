#include "plugin/chain_pod.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "core/mem.h"
#include "node/host_address.h"
#include "plugin/cni_error.h"
#include "plugin/pod_netns.h"

void
chain_pod_release(struct chain_pod *pod)
{
	kernel_close(pod->kernel);
	pod->kernel = NULL;
}

int
chain_pod_open(const struct cni_environment *environment, const char *interface,
    struct chain_pod *ret_pod, struct err *err)
{
	struct chain_pod *pod = ret_pod;
	scoped_fd int netns = -1;
	int rc = pod_netns_open(environment->netns, &netns, err);

	if (rc)
		return rc;
	pod->interface = interface ? interface : environment->ifname;
	pod->other_interface = strcmp(pod->interface, environment->ifname) != 0;
	rc = kernel_open(netns, &pod->kernel, err);
	if (!rc)
		rc = kernel_link_index(pod->kernel, pod->interface, &pod->index, err);
	if (!rc)
		return 0;
	(void)err_wrap(err, "pod namespace %.200s", environment->netns);
	return cni_error_as(err, CNI_ERROR_ROUTE);
}

int
chain_pod_read(const struct chain_pod *pod, const struct chain_wanted *wanted,
    struct chain_plan *plan, struct err *err)
{
	const struct kernel_filter any = {0};
	int rc = kernel_routes(pod->kernel, &any, &plan->routes, &plan->route_count, err);

	if (!rc && (wanted->rules.count || wanted->source_routing.wanted))
		rc = kernel_rules(pod->kernel, &plan->rules, &plan->rule_count, err);
	return rc ? cni_error_as(err, CNI_ERROR_IO) : 0;
}

static struct ip
default_gateway(const struct chain_pod *pod, const struct chain_plan *plan, uint8_t family)
{
	for (size_t i = 0; i < plan->route_count; i++) {
		const struct kernel_route *route = &plan->routes[i];
		if (route->index == pod->index && route->route.dst.length == 0 &&
		    route->route.gw.family == family &&
		    kernel_route_table(route) == RT_TABLE_MAIN)
			return route->route.gw;
	}
	return (struct ip){0};
}

static void
add_address(struct chain_addresses *addresses, const struct cidr *cidr, struct ip gateway)
{
	if (addresses->count == PREV_IPS_MAX)
		return; /* far more than anybody gives one interface */
	addresses->list[addresses->count].cidr = *cidr;
	addresses->list[addresses->count++].gateway = gateway;
}

/* With the interface's default gateways, as far as the plan knows routes. */
static int
addresses_of_kernel(const struct chain_pod *pod, const struct chain_plan *plan,
    struct chain_addresses *addresses, struct err *err)
{
	scoped_free struct kernel_address *list = NULL;
	size_t count = 0;
	int rc = kernel_addresses(pod->kernel, &list, &count, err);

	if (rc)
		return cni_error_as(err, CNI_ERROR_IO);
	for (size_t i = 0; i < count; i++)
		if (list[i].index == pod->index && list[i].scope == RT_SCOPE_UNIVERSE)
			add_address(addresses, &list[i].cidr,
			    default_gateway(pod, plan, list[i].cidr.ip.family));
	return 0;
}

static void
addresses_of_prev(const struct chain_pod *pod, const struct prev_result *prev,
    struct chain_addresses *addresses)
{
	for (unsigned i = 0; i < prev->ip_count; i++)
		if (prev_result_is_on(prev, i, pod->interface))
			add_address(addresses, &prev->ips[i].cidr, prev->ips[i].gateway);
}

int
chain_pod_addresses(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_plan *plan, struct chain_addresses *ret_addresses, struct err *err)
{
	ret_addresses->count = 0;
	if (pod->other_interface)
		return addresses_of_kernel(pod, plan, ret_addresses, err);
	addresses_of_prev(pod, prev, ret_addresses);
	return 0;
}

int
chain_pod_all_addresses(const struct chain_pod *pod, const struct prev_result *prev,
    struct chain_addresses *ret_addresses, struct err *err)
{
	const struct chain_plan nothing = {0};

	ret_addresses->count = 0;
	if (!pod->other_interface)
		addresses_of_prev(pod, prev, ret_addresses);
	return addresses_of_kernel(pod, &nothing, ret_addresses, err);
}

int
chain_pod_facts(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_routes *wanted, const struct chain_addresses *addresses,
    const struct chain_plan *plan, struct chain_facts *ret_facts, struct err *err)
{
	struct chain_facts facts = {
	    .index = pod->index, .answer = plan->checking ? prev : NULL};

	if (chain_routes_need_host(wanted) && host_address_read(facts.host, err))
		return cni_error_as(err, CNI_ERROR_IO);
	for (unsigned i = 0; i < addresses->count; i++) {
		struct cidr *known = &facts.pod[addresses->list[i].cidr.ip.family == 6];
		if (!known->ip.family)
			*known = addresses->list[i].cidr;
	}
	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = i ? 6 : 4;
		if (!pod->other_interface)
			facts.gateway[i] = prev_result_gateway(prev, pod->interface, family);
		if (!facts.gateway[i].family)
			facts.gateway[i] = default_gateway(pod, plan, family);
	}
	*ret_facts = facts;
	return 0;
}

void
chain_pod_links(const struct chain_pod *pod, const struct prev_result *prev,
    struct chain_links *ret_links)
{
	struct chain_links links = {.indexes = {pod->index}, .count = 1};

	for (unsigned i = 0; i < prev->interface_count; i++) {
		const struct prev_interface *interface = &prev->interfaces[i];
		unsigned index;
		if (!interface->in_sandbox || strcmp(interface->name, pod->interface) == 0)
			continue;
		if (kernel_link_index(pod->kernel, interface->name, &index, NULL) == 0)
			links.indexes[links.count++] = index;
	}
	*ret_links = links;
}
