/* A StaticIPAllocation's spec as a struct: decoded, ranges turned into entries. */
#ifndef CONTROLLER_ALLOCATION_H
#define CONTROLLER_ALLOCATION_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "table/ip.h"
#include "table/route.h"

enum target_kind { TARGET_POD, TARGET_STATEFUL_SET };

/* What one pod gets. */
struct entry {
	struct cidr *ips;
	struct ip *gateways; /* instead of the allocation's, per family */
	unsigned ip_count, gateway_count;
};

struct allocation {
	char *network;
	char *interface; /* NULL = any */
	enum target_kind kind;
	char *target; /* name of the workload */
	struct entry *entries; /* entry i serves index i */
	unsigned entry_count;
	const char *field; /* where they stand: "spec.addresses" or "spec.addressRanges" */
	struct ip gateways[ENTRY_GATEWAYS_MAX];
	unsigned gateway_count;
	struct routes *routes;
	/* handover: Available. A pod that waited in vain for the controller's word takes its
	 * addresses, whoever may still have them. */
	bool available;
	/* onNodeFailure: AfterGrace. What a pod has on a node that is not Ready for grace_s
	 * counts as free. */
	bool after_grace;
	unsigned grace_s; /* 0: not given */
};

/* Decodes .spec of an object. Rules V1 to V6 (DESIGN.md, "Rules"): everything
 * that must hold before there are entries. -EINVAL names field and rule. The
 * caller frees *ret_allocation. */
int allocation_decode(struct json_object *spec, struct allocation **ret_allocation,
    struct err *err);
/* NULL and half-built are fine. */
void allocation_free(struct allocation *allocation);

/* "Pod" or "StatefulSet". */
const char *target_kind_name(enum target_kind kind);

#endif
