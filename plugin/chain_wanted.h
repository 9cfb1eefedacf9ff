/* Everything that a network configuration can ask of the chained role. No I/O. */
#ifndef PLUGIN_CHAIN_WANTED_H
#define PLUGIN_CHAIN_WANTED_H

#include <json-c/json_types.h>

#include "core/err.h"
#include "plugin/chain_removal.h"
#include "plugin/chain_routes.h"
#include "plugin/chain_rules.h"
#include "plugin/chain_source_routing.h"

struct chain_wanted {
	const char *interface; /* the configuration's; NULL = CNI_IFNAME */
	struct chain_removal removal;
	struct chain_source_routing source_routing;
	struct chain_routes routes;
	struct chain_rules rules;
};

/* Reads all keys. args.cni comes from whoever may write a pod (Multus: cni-args), so
 * it counts only where the configuration allows it (I10): error code 102 names the
 * key. Where allowed, each of its routes, delRoutes, flushRoutes and flushGateway takes
 * the place of the configuration's key. Error code 7: not understood, or spelt as
 * another plugin has it. */
int chain_wanted_decode(
    struct json_object *config, struct chain_wanted *ret_wanted, struct err *err);

/* Nothing at all: prevResult is the result. */
bool chain_wanted_empty(const struct chain_wanted *wanted);

#endif
