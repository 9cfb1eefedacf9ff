/* An address with its gateway, as inline lists write it: {"address", "gateway"}. */
#ifndef PLUGIN_ADDRESS_H
#define PLUGIN_ADDRESS_H

#include <json-c/json_types.h>

#include "core/err.h"
#include "plugin/cni_result.h"

/* Decodes it and checks that a pod can have it: the address has a prefix and is one
 * that a host can have, the gateway is of its family and another address. It need not
 * lie in the subnet: reference `static` passes such a gateway on, for routes that make
 * it reachable. where names the object in errors: "ipam.addresses[0]". Code 7. */
int address_decode(struct json_object *object, const char *where,
    struct cni_address *ret_address, struct err *err);

/* Whether a host can have this address; what says in errors who wants it. Code 7. */
int address_check(const struct cidr *cidr, const char *what, struct err *err);

/* Appends it to a list of at most ENTRY_IPS_MAX. Refuses what is there already, and
 * one too many, by code 7. */
int address_add(struct cni_address *list, unsigned *count,
    const struct cni_address *address, const char *what, struct err *err);

#endif
