/* One route as the CNI result, the CRD and the tables all spell it
 * (CNI specification 1.1.0, "ADD Success": routes). */
#ifndef TABLE_ROUTE_H
#define TABLE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include <json-c/json_types.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "table/ip.h"

struct route {
	struct cidr dst;
	struct ip gw; /* family 0 = none: the main plugin takes the first gateway of the family */
	/* optional numbers: absent is not 0 */
	bool has_priority, has_table, has_scope, has_mtu, has_advmss;
	uint32_t priority; /* metric */
	uint32_t table;    /* routing table id; absent = main (254) */
	uint32_t scope;    /* 0 global, 253 link, 254 host */
	uint32_t mtu;      /* bytes */
	uint32_t advmss;   /* bytes */
};

struct routes {
	unsigned count; /* first: beside what is used of the list, whose end nobody touches */
	struct route list[ROUTES_MAX];
};

/* Which spellings and keys a list of routes may have, and how many routes. */
enum route_dialect {
	ROUTE_STRICT,  /* objects and tables: canonical text, no host bits in dst, ALLOCATION_ROUTES_MAX */
	ROUTE_LAX,     /* configurations, as the reference plugins read them; ROUTES_MAX */
	ROUTE_CHAINED, /* lax; the keys of table/route_extra.h are skipped */
};

/* Decodes an array of routes, strict about types, ranges and family; unknown
 * keys are refused (a route that is half understood is a wrong route), and so are
 * those that need the chained role, except in its dialect. where names the array
 * in errors: "spec.routes". NULL or JSON null gives none. */
int routes_decode(struct json_object *array, const char *where,
    enum route_dialect dialect, struct routes *ret_routes, struct err *err);
/* A new array; the caller puts it. */
struct json_object *routes_encode(const struct route *list, unsigned count);
/* The same as text: the member "routes" of an object that is being written (json_write.h). */
void routes_write(const struct route *list, unsigned count, struct buf *out);
bool route_equal(const struct route *a, const struct route *b);

#endif
