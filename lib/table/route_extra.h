/* What a route can have beyond a CNI result: only the chained role installs it,
 * as no main plugin does. */
#ifndef TABLE_ROUTE_EXTRA_H
#define TABLE_ROUTE_EXTRA_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_types.h>

#include "core/bounds.h"
#include "core/err.h"
#include "table/ip.h"

enum route_type {
	ROUTE_UNICAST,     /* over an interface */
	ROUTE_BLACKHOLE,   /* dropped in silence */
	ROUTE_UNREACHABLE, /* ICMP: host unreachable */
	ROUTE_PROHIBIT,    /* ICMP: administratively prohibited */
	ROUTE_TYPES,
};

struct route_hop {
	struct ip gw;
	bool onlink;
	uint16_t weight; /* 1 to 256 */
};

struct route_extra {
	enum route_type type;
	struct ip src; /* preferred source; family 0 = none */
	bool onlink;   /* gw is reachable over the interface, whatever its subnets */
	/* several next hops instead of gw; 0, or at least 2 */
	struct route_hop hops[ROUTE_HOPS_MAX];
	unsigned hop_count;
};

/* "onlink", "src", "type" or "nexthops". */
bool route_extra_key(const char *key);

/* Decodes these keys of one route, whose other keys routes_decode reads; family is
 * that of its destination. A single entry of `nexthops` becomes *gw, as the kernel
 * keeps it. What contradicts itself is refused. */
int route_extra_decode(struct json_object *object, const char *where, uint8_t family,
    struct ip *gw, struct route_extra *ret_extra, struct err *err);

bool route_extra_equal(const struct route_extra *a, const struct route_extra *b);
/* "unicast", "blackhole", ... */
const char *route_type_name(enum route_type type);

#endif
