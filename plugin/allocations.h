/* `allocations` of an ipam block: a table of pods and addresses, written inline. No
 * I/O here. */
#ifndef PLUGIN_ALLOCATIONS_H
#define PLUGIN_ALLOCATIONS_H

#include <json-c/json_types.h>

#include "core/err.h"
#include "plugin/cni_args.h"
#include "plugin/cni_result.h"
#include "table/route.h"

/* Finds the rows of the pod, in their order. A row without gateway has that of
 * `ipam.gateway` if it is of its family. Every row is checked, also those of other
 * pods: a table with one wrong row, or with an address twice, is refused as a whole
 * and names the row, so that a mistake shows at once and not when some pod comes.
 * Error codes: 7; 4 CNI_ARGS names no pod; 100 no row for it. */
int allocations_decode(struct json_object *ipam, const struct cni_args *args,
    struct cni_address ret_ips[ENTRY_IPS_MAX], unsigned *ret_count, struct err *err);

/* Whether each route's gateway can be reached: it lies in a subnet of the pod, or in
 * the destination of a route that has no gateway. Code 7, naming the route: the main
 * plugin would only fail with the kernel's "network is unreachable". */
int allocations_check_routes(const struct routes *routes, const struct cni_address *ips,
    unsigned count, struct err *err);

#endif
