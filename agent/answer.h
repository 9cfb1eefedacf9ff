/* What the agent says about its node: the status of a StaticIPNode. Pure. */
#ifndef AGENT_ANSWER_H
#define AGENT_ANSWER_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "agent/node_spec.h"
#include "node/lease.h"

/* Kinds of revocation that this agent knows: 1 is by UID. A controller must not take
 * the answer of a lower one as proof for what it does not know. */
enum { ANSWER_PROTOCOL = 1 };

struct answer_facts {
	const struct grant_head *head; /* of the table in force */
	const char *const *revoked;    /* UIDs of the same spec */
	unsigned revoked_count;
	const struct lease *leases; /* read after that table was in force */
	size_t lease_count;
	const char *boot_id;
};

/* Whether a pod of this UID has a lease. */
bool answer_busy(const struct answer_facts *facts, const char *uid);
/* A merge patch for the status: {"metadata": {"uid"}, "status": {…}}; the UID makes it
 * fail on an object that is another one by now. The caller puts it. */
struct json_object *answer_patch(const struct answer_facts *facts);

#endif
