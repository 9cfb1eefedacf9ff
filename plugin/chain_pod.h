/* The pod's side of the chained role: its namespace, the interface, and what the
 * kernel has there. Gathers facts, decides nothing. */
#ifndef PLUGIN_CHAIN_POD_H
#define PLUGIN_CHAIN_POD_H

#include <stdbool.h>

#include "core/err.h"
#include "node/kernel.h"
#include "plugin/chain_plan.h"
#include "plugin/chain_routes.h"
#include "plugin/chain_source_routing.h"
#include "plugin/chain_wanted.h"
#include "plugin/cni_environment.h"
#include "plugin/prev_result.h"

struct chain_pod {
	struct kernel *kernel; /* a socket in the namespace */
	const char *interface;
	unsigned index;
	bool other_interface; /* not CNI_IFNAME: prevResult says nothing of it */
};
void chain_pod_release(struct chain_pod *pod);
#define scoped_chain_pod __attribute__((cleanup(chain_pod_release))) struct chain_pod

/* Opens the namespace of CNI_NETNS and finds the interface; NULL is CNI_IFNAME. The
 * node's own namespace is refused. Error codes: 4 no namespace of a pod; 105 no such
 * interface, and the pod has its kernel and index 0. Release the pod in any case. */
int chain_pod_open(const struct cni_environment *environment, const char *interface,
    struct chain_pod *ret_pod, struct err *err);

/* Reads the pod's routes and, where they matter, rules into an empty plan. */
int chain_pod_read(const struct chain_pod *pod, const struct chain_wanted *wanted,
    struct chain_plan *plan, struct err *err);

/* The interface's addresses with their gateways: from prevResult, or from the kernel
 * where prevResult is about another interface. */
int chain_pod_addresses(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_plan *plan, struct chain_addresses *ret_addresses, struct err *err);

/* The interface's addresses in the kernel and in prevResult, for DEL. */
int chain_pod_all_addresses(const struct chain_pod *pod, const struct prev_result *prev,
    struct chain_addresses *ret_addresses, struct err *err);

/* What "host" and "auto" stand for, and no more of it than the routes use. */
int chain_pod_facts(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_routes *wanted, const struct chain_addresses *addresses,
    const struct chain_plan *plan, struct chain_facts *ret_facts, struct err *err);

/* The pod's interfaces that prevResult speaks of: routes in it lead over one of
 * them. The target is always among them. */
struct chain_links {
	unsigned indexes[PREV_INTERFACES_MAX + 1];
	unsigned count;
};

/* Finds them; one that is gone is left out. */
void chain_pod_links(const struct chain_pod *pod, const struct prev_result *prev,
    struct chain_links *ret_links);

#endif
