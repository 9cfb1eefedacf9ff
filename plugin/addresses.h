/* `addresses` of an ipam block, and addresses that the runtime asks for beside or
 * instead of it, as the reference plugin `static` has them. No I/O here. */
#ifndef PLUGIN_ADDRESSES_H
#define PLUGIN_ADDRESSES_H

#include <json-c/json_types.h>

#include "core/err.h"
#include "plugin/cni_result.h"
#include "plugin/requested.h"

/* What the pod gets. Of what is asked for runtimeConfig.ips counts before
 * args.cni.ips, and that before IP in CNI_ARGS; all of it has a prefix.
 *
 * Without `addresses`, or with an empty list, the runtime says which: the network's
 * owner let it. GATEWAY is the gateway of each address in whose subnet it is (for IP
 * only, as in `static`). With `addresses` only what stands there can be asked for
 * (I10; `static` gives anything), with the gateway that stands there: runtimeConfig
 * and args.cni choose from the list; IP, which `static` adds to the list, changes
 * nothing.
 *
 * Error codes: 7 and 4 what is no address, or none at all; 102 another address or
 * gateway than the list has. */
int addresses_decode(struct json_object *ipam, const struct requested *requested,
    struct cni_address ret_ips[ENTRY_IPS_MAX], unsigned *ret_count, struct err *err);

#endif
