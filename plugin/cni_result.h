/* The result of the IPAM role, printed in the version asked. */
#ifndef PLUGIN_CNI_RESULT_H
#define PLUGIN_CNI_RESULT_H

#include <json-c/json_types.h>

#include "core/buf.h"
#include "core/err.h"
#include "plugin/cni_version.h"
#include "table/ip.h"
#include "table/route.h"

struct cni_address {
	struct cidr cidr;
	struct ip gateway; /* family 0 = none */
};

struct cni_result {
	struct cni_address ips[ENTRY_IPS_MAX];
	unsigned ip_count;
	const struct route *routes; /* somebody else's memory */
	unsigned route_count;
	struct json_object *dns; /* somebody else's; NULL = none */
};

/* Whether the version can say the addresses: 0.1.0 and 0.2.0 hold one of each
 * family. 0, or an error of code 7. To be asked before anything is taken. */
int cni_result_fits(const struct cni_result *result, const struct cni_version *version,
    struct err *err);

/* Appends the result as JSON. An IPAM result names no interface: the main plugin
 * does. 0.1.0 and 0.2.0: what does not fit is the error above; their routes are cut
 * to dst and gw and stand with the address of their family. */
int cni_result_print(const struct cni_result *result, const struct cni_version *version,
    struct buf *out, struct err *err);

#endif
