/* What the agent says about its node: the status of a StaticIPNode. Pure. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/condition.h"
#include "agent/node_spec.h"
#include "node/lease.h"

/* What this agent knows: 1 is revocations by UID; 2 that they may say `silence`, that leases
 * of vanished namespaces and those that are closing are ended, and grantsRequired. A
 * controller must not take the answer of a lower one as proof for what it does not know. */
enum { ANSWER_PROTOCOL = 2 };

struct answer_facts {
	const struct grant_head *head; /* of the table in force */
	const struct revocation *revoked; /* of the same spec; not looked at when ahead */
	unsigned revoked_count;
	/* Every table was in force, and every network in it required grants, before the
	 * leases were read. */
	bool grants_required;
	/* The highest generation of a table in force here whose ConfigMap is older; 0 = none. */
	uint64_t tables_ahead;
	/* The spec that is there may not follow the head: the API server went back in time.
	 * Then nothing is proven; all who have a lease count as busy. */
	bool ahead;
	const struct lease *leases; /* read after that table was in force */
	size_t lease_count;
	const char *boot_id;
	const struct conditions *conditions;
};

/* Whether a pod of this UID has a lease. */
bool answer_busy(const struct answer_facts *facts, const char *uid);
/* A merge patch for the status: {"metadata": {"uid"}, "status": {…}}; the UID makes it
 * fail on an object that is another one by now. The caller puts it. */
struct json_object *answer_patch(const struct answer_facts *facts);
/* The patch that says which boot this is, before anything of it comes into force. */
struct json_object *answer_boot_patch(const char *object_uid, const char *boot_id);
/* The patch with nothing but the conditions, while nothing may be answered. */
struct json_object *answer_conditions_patch(
    const char *object_uid, const struct conditions *conditions);

#endif
