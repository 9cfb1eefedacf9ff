/* Where an ipam block says that a pod's addresses come from. No I/O here. */
#ifndef PLUGIN_SOURCE_H
#define PLUGIN_SOURCE_H

#include <json-c/json_types.h>

#include "core/err.h"
#include "plugin/cni_args.h"
#include "plugin/cni_config.h"
#include "plugin/cni_result.h"
#include "plugin/index.h"
#include "plugin/ranges.h"
#include "plugin/requested.h"
#include "table/route.h"

/* One of them; all but the first stand inline, in the block itself. */
enum source_kind {
	SOURCE_TABLES,      /* none of the keys below: the cluster's tables */
	SOURCE_ALLOCATIONS, /* `allocations`, `gateway`: a row for each pod */
	SOURCE_ADDRESSES,   /* `addresses`: for every pod */
	SOURCE_RANGES,      /* `subnet`, `ranges`, …: the next free one */
	SOURCE_INDEX, /* `index`, `hostAddress`: this node's address plus a number */
};

struct source {
	enum source_kind kind;
	unsigned wait_s; /* how long to wait for an address that another pod has */
	struct requested requested;

	/* SOURCE_ALLOCATIONS, SOURCE_ADDRESSES: what the pod gets */
	struct cni_address ips[ENTRY_IPS_MAX];
	unsigned ip_count;
	struct range_sets *ranges; /* SOURCE_RANGES, else NULL */
	struct index_rule index;   /* SOURCE_INDEX */

	/* with any source */
	struct routes *routes;   /* NULL = none */
	struct json_object *dns; /* NULL = none */
	const char *resolv_conf; /* path as it was written; NULL = none */
};

/* Which source the keys of the block name; for STATUS, which knows no pod. Error
 * code 7: two of them (both keys are named), or a key that has no meaning here. */
int source_kind_of(
    const struct cni_config *config, enum source_kind *ret_kind, struct err *err);

/* The whole of it, for this pod. Without a key of its own the block means the tables,
 * except where only the runtime says anything: addresses are asked for and no pod is
 * named (which every Kubernetes runtime does), so there is nothing a table could be
 * asked by: then it is SOURCE_ADDRESSES, as the reference plugin `static` has it.
 *
 * The caller releases *ret_source, also after an error. Error codes: 7 the block is
 * wrong; 4 CNI_ARGS is; 100 no row for the pod; 102 another address was asked for
 * than the block gives. */
int source_read(const struct cni_config *config, const struct cni_args *args,
    struct source *ret_source, struct err *err);
void source_release(struct source *source);
#define scoped_source __attribute__((cleanup(source_release))) struct source

#endif
