/* The result of the IPAM role, printed in the version asked. */
#ifndef PLUGIN_CNI_RESULT_H
#define PLUGIN_CNI_RESULT_H

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
};

/* Appends the result as JSON. An IPAM result names no interface: the main plugin
 * does. 0.1.0 and 0.2.0 hold one address per family: more is an error of code 7;
 * their routes are cut to dst and gw and stand with the address of their family. */
int cni_result_print(const struct cni_result *result, const struct cni_version *version,
    struct buf *out, struct err *err);

#endif
