/* `delRoutes`, `flushRoutes` and `flushGateway` of the chained role: which routes
 * of the interface go. Only unicast routes of the main table, wholly over the
 * interface, are ever taken. No I/O here. */
#ifndef PLUGIN_CHAIN_REMOVAL_H
#define PLUGIN_CHAIN_REMOVAL_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "plugin/chain_plan.h"
#include "table/route.h"

struct chain_removal {
	bool flush_routes;  /* every route with a gateway */
	bool flush_gateway; /* every default route */
	struct routes deletes; /* these destinations; gw where written */
};

/* Reads the three keys of the configuration. Error code 7. */
int chain_removal_decode(
    struct json_object *config, struct chain_removal *ret_removal, struct err *err);
bool chain_removal_is_wanted(const struct chain_removal *removal);

/* Plans what goes, except what the configuration writes itself: a repeated ADD would
 * take away what it added. A destination that is not there is no error. Error code
 * 105: an entry names one gateway of a route with several. */
int chain_removal_plan(const struct chain_removal *removal, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err);

#endif
