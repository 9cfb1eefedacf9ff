/* Which word counts for a pod: the controller's grant to its UID on this node, else its
 * row in the cluster's tables (DESIGN.md of the project, "Who gets an address"). */
#ifndef PLUGIN_POD_ROW_H
#define PLUGIN_POD_ROW_H

#include "core/err.h"
#include "plugin/granted.h"
#include "plugin/lookup.h"

struct pod_row {
	bool by_grant;
	union {
		struct granted granted;      /* if so */
		struct lookup_answer lookup; /* else */
	};
};

/* waited: nothing more is waited for; then a pod whose allocation says handover Available
 * needs no grant, unless the controller told it to hold.
 * Error codes: 4 the network requires grants, which are to a UID, and uid is none (NULL
 * or ""); 11 the pod has to wait for the controller (who holds its address and what
 * frees it, or that no grant came yet): waiting for `node` or the tables to change may
 * help; 102 the controller refuses it; else those of lookup_pod. */
int pod_row_find(const char *root, const struct lookup *asked, const char *uid,
    bool waited, struct pod_row *ret_row, struct err *err);
/* Whether it still stands, after the leases were written: 1, 0 or an error. A grant,
 * hold or refusal that came meanwhile counts more than a row. */
int pod_row_again(const char *root, const struct lookup *asked, const char *uid,
    const struct pod_row *row, struct err *err);

/* The parts of either. */
const struct row *pod_row_row(const struct pod_row *row);
const struct profile *pod_row_profile(const struct pod_row *row);
/* Those of its profile, the caller's to change. */
struct routes *pod_row_routes(struct pod_row *row);
const char *pod_row_domain(const struct pod_row *row);

#endif
