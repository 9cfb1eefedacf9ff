/* The `routes` of the chained role: what the configuration wants, and, with what
 * is known of node and pod, which routes that makes. No I/O here. */
#ifndef PLUGIN_CHAIN_ROUTES_H
#define PLUGIN_CHAIN_ROUTES_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "plugin/chain_plan.h"
#include "plugin/prev_result.h"
#include "table/ip.h"
#include "table/route.h"
#include "table/route_extra.h"

/* One entry. Without gw its destination is on the link. */
struct chain_route {
	struct route route; /* dst and gw as far as they are written */
	struct route_extra extra;
	bool to_host;      /* dst is "host" */
	bool both;         /* and nothing written says of which family */
	bool auto_gateway; /* gw is "auto" */
};

struct chain_routes {
	unsigned count;
	struct chain_route list[ROUTES_MAX];
};

/* What "host" and "auto" stand for; [0] is IPv4, [1] IPv6, family 0 = not known. */
struct chain_facts {
	unsigned index;       /* of the interface, in the pod */
	struct ip host[2];    /* this node's own address */
	struct cidr pod[2];   /* the pod's first address on the interface */
	struct ip gateway[2]; /* the interface's default gateway */
	/* CHECK: the result of the ADD, in which flushGateway leaves no default gateway, but
	 * the routes are told with theirs; else NULL */
	const struct prev_result *answer;
};

/* Reads the list `routes`; NULL is none. Error code 7. */
int chain_routes_decode(
    struct json_object *list, struct chain_routes *ret_wanted, struct err *err);

/* Whether any entry needs this node's address. */
bool chain_routes_need_host(const struct chain_routes *wanted);

/* The gateway "auto": the first address of the pod's subnet, network + 1. IPv6
 * takes ::1 too and not ::0, the subnet-router anycast address (RFC 4291, section
 * 2.6.1): gateways of container networks sit on ::1. In a /31 and a /127 it is the
 * other address (RFC 3021, RFC 6164). false: the subnet has none, as it is a
 * single address or the first is the pod's own. */
bool chain_first_address(const struct cidr *pod, struct ip *ret_gateway);

/* The routes to install, in order, each once. "host" makes one route for each
 * family that pod and node both have; none where the node is the gateway. Error
 * codes: 11 the pod has no address yet; 105 there is nothing that "host" or "auto"
 * could be; 7 too many. */
int chain_routes_plan(const struct chain_routes *wanted, const struct chain_facts *facts,
    struct chain_route_list *ret_routes, struct err *err);

#endif
