#include "plugin/chain.h"

#include <json-c/json.h>

#include "core/mem.h"
#include "node/host_address.h"
#include "node/kernel.h"
#include "plugin/chain_install.h"
#include "plugin/chain_link.h"
#include "plugin/chain_routes.h"
#include "plugin/cni_error.h"
#include "plugin/pod_netns.h"
#include "plugin/prev_result.h"

/* The pod's side: its namespace, by a socket in it, and the interface. */
struct pod {
	struct kernel *kernel;
	unsigned index;
};

static void
pod_release(struct pod *pod)
{
	kernel_close(pod->kernel);
}
#define scoped_pod __attribute__((cleanup(pod_release))) struct pod

static int
open_pod(const struct cni_environment *environment, struct pod *pod, struct err *err)
{
	scoped_fd int netns = -1;
	int rc = pod_netns_open(environment->netns, &netns, err);

	if (rc)
		return rc;
	rc = kernel_open(netns, &pod->kernel, err);
	if (!rc)
		rc = kernel_link_index(pod->kernel, environment->ifname, &pod->index, err);
	if (!rc)
		return 0;
	(void)err_wrap(err, "pod namespace %.200s", environment->netns);
	return cni_error_as(err, CNI_ERROR_ROUTE);
}

static void
facts_of_prev(const struct prev_result *prev, const char *ifname, struct chain_facts *facts)
{
	for (unsigned i = 0; i < prev->ip_count; i++) {
		struct cidr *known = &facts->pod[prev->ips[i].cidr.ip.family == 6];
		if (!known->ip.family && prev_result_is_on(prev, i, ifname))
			*known = prev->ips[i].cidr;
	}
	for (unsigned i = 0; i < 2; i++)
		facts->gateway[i] = prev_result_gateway(prev, ifname, i ? 6 : 4);
}

/* The default gateway that the interface has, where prevResult told none. */
static int
facts_of_kernel(const struct pod *pod, const struct chain_routes *wanted,
    struct chain_facts *facts, struct err *err)
{
	const struct kernel_filter defaults = {.index = pod->index, .default_only = true};
	scoped_free struct kernel_route *routes = NULL;
	size_t count = 0;
	bool missing[2];

	for (unsigned i = 0; i < 2; i++)
		missing[i] = !facts->gateway[i].family &&
		    chain_routes_need_gateway(wanted, facts, i ? 6 : 4);
	if (!missing[0] && !missing[1])
		return 0;
	int rc = kernel_routes(pod->kernel, &defaults, &routes, &count, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_IO);
	for (size_t i = 0; i < count; i++) {
		struct ip gateway = routes[i].route.gw;
		struct ip *known = &facts->gateway[gateway.family == 6];
		if (gateway.family && !known->family)
			*known = gateway;
	}
	return 0;
}

/* Gathers what the configuration's words stand for, and no more than it uses. */
static int
gather(const struct pod *pod, const struct prev_result *prev, const char *ifname,
    const struct chain_routes *wanted, struct chain_facts *facts, struct err *err)
{
	if (chain_routes_need_host(wanted) && host_address_read(facts->host, err))
		return cni_error_as(err, CNI_ERROR_IO);
	if (!chain_routes_need_pod(wanted))
		return 0;
	facts_of_prev(prev, ifname, facts);
	return facts_of_kernel(pod, wanted, facts, err);
}

/* From the configuration to the routes that should be, and where. */
static int
resolve(const struct cni_request *request, const struct prev_result *prev,
    const struct chain_routes *wanted, struct pod *pod, struct routes *ret_routes,
    struct err *err)
{
	struct chain_facts facts = {0};
	const char *ifname = request->environment->ifname;
	int rc = open_pod(request->environment, pod, err);

	if (!rc)
		rc = gather(pod, prev, ifname, wanted, &facts, err);
	return rc ? rc : chain_routes_plan(wanted, &facts, ret_routes, err);
}

int
chain_add(const struct cni_request *request, struct buf *out, struct err *err)
{
	const struct cni_environment *at = request->environment;
	struct prev_result prev;
	struct chain_link link;
	struct chain_routes wanted;
	struct routes routes = {.count = 0};
	scoped_pod pod = {0};
	int rc = prev_result_read(&request->config, &prev, err);

	if (!rc)
		rc = chain_link_decode(request->config.json, &link, err);
	if (!rc)
		rc = chain_routes_decode(request->config.json, &wanted, err);
	if (!rc)
		rc = chain_link_settle(at->netns, at->ifname, &prev, &link, err);
	if (!rc && wanted.count)
		rc = resolve(request, &prev, &wanted, &pod, &routes, err);
	if (!rc && wanted.count)
		rc = chain_install(pod.kernel, pod.index, &routes, err);
	if (rc)
		return rc;
	chain_link_announce(at->netns, at->ifname, &prev, &link);
	return prev_result_print(
	    &prev, request->config.version, routes.list, routes.count, out, err);
}

int
chain_check(const struct cni_request *request, struct buf *out, struct err *err)
{
	const struct cni_environment *at = request->environment;
	struct prev_result prev;
	struct chain_link link;
	struct chain_routes wanted;
	struct routes routes;
	scoped_pod pod = {0};
	int rc = prev_result_read(&request->config, &prev, err);

	(void)out; /* CHECK prints nothing */
	if (!rc)
		rc = chain_link_decode(request->config.json, &link, err);
	if (!rc)
		rc = chain_routes_decode(request->config.json, &wanted, err);
	if (!rc)
		rc = chain_link_verify(at->netns, at->ifname, &link, err);
	if (rc || wanted.count == 0)
		return rc;
	rc = resolve(request, &prev, &wanted, &pod, &routes, err);
	return rc ? rc : chain_verify(pod.kernel, pod.index, &routes, err);
}
