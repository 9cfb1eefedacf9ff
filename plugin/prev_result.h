/* prevResult: what the plugins before us in the chain answered. */
#ifndef PLUGIN_PREV_RESULT_H
#define PLUGIN_PREV_RESULT_H

#include <json-c/json_types.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "plugin/cni_config.h"
#include "table/ip.h"
#include "table/route.h"

struct prev_address {
	struct cidr cidr;
	struct ip gateway; /* family 0 = none */
	int interface;     /* index; -1 = none said */
};

struct prev_interface {
	const char *name;
	bool in_sandbox; /* else on the host, or nothing said */
};

/* One struct for all versions. The JSON stays what is printed: keys of other
 * plugins and of later versions pass unharmed. */
struct prev_result {
	struct json_object *json; /* the configuration's */
	struct prev_address ips[PREV_IPS_MAX];
	unsigned ip_count;
	struct prev_interface interfaces[PREV_INTERFACES_MAX];
	unsigned interface_count;
	struct ip default_gateways[2]; /* of routes to 0.0.0.0/0 and ::/0; [0] IPv4 */
};

/* Reads the prevResult of a configuration, of whichever version. Error code 7:
 * missing, of another version than the configuration (libcni never mixes them),
 * or not understood. */
int prev_result_read(
    const struct cni_config *config, struct prev_result *ret_prev, struct err *err);

/* Whether address i is on the interface of that name in the pod: its index names
 * it, or it has no index. Where a host's interface has the same name, only the
 * one in the sandbox counts. */
bool prev_result_is_on(
    const struct prev_result *prev, unsigned i, const char *interface);

/* The first gateway that the addresses of an interface, else the default routes,
 * give for a family; family 0 = none. */
struct ip prev_result_gateway(
    const struct prev_result *prev, const char *interface, uint8_t family);

/* The gateway of prevResult's route with this dst, table and priority; family 0 = none. */
struct ip prev_result_route_gateway(
    const struct prev_result *prev, const struct route *wanted);

/* Takes out of prevResult the routes that is_there does not know: dst, gw where
 * written, and table. What is not understood stays: it is not ours to judge. */
void prev_result_prune_routes(const struct prev_result *prev, enum cni_shape shape,
    bool (*is_there)(const struct route *route, const void *cookie), const void *cookie);
/* Takes away the gateways of the addresses of an interface. */
void prev_result_drop_gateways(
    const struct prev_result *prev, enum cni_shape shape, const char *interface);

/* Appends the prevResult with these routes behind its own, in the version asked.
 * In 0.1.0 and 0.2.0 a route stands with the address of its family; there it has
 * no place without one. */
int prev_result_print(const struct prev_result *prev, const struct cni_version *version,
    const struct route *added, unsigned count, struct buf *out, struct err *err);

#endif
