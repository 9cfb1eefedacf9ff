/* What Node objects assert about the machines that pods run on (DESIGN.md, "What Nodes
 * assert"). Pure: no clock, no I/O.
 *
 * A Node is known by name and UID. One that is gone, or was made anew under its name, is
 * remembered until it is forgotten: the ledger names Nodes by UID.
 *
 * Times are seconds of a clock that nobody sets, the caller's `now`. What the watch
 * brought counts from the next machines_stamp on, and after a start everything counts
 * from then: late is the safe side.
 *
 * The watch may be old. Who acts on an assertion looks at the Node once more (GET), gives
 * the answer to machines_changed or machines_gone, and asks again; and asks nothing
 * before the watch's first list is complete. */
#ifndef CONTROLLER_MACHINES_H
#define CONTROLLER_MACHINES_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "net/watch.h"

struct machines;

/* A Node, or a former one; to be read only. Texts are "" where there is none. */
struct machine {
	char *uid;
	char *provider_id;           /* spec.providerID */
	char *system_uuid, *boot_id; /* of status.nodeInfo */
	bool ready;          /* condition Ready is True; never of one that is gone */
	bool out_of_service; /* the taint; of one that is gone: not Ready with it at last
			      */
	bool no_agent;       /* label staticip.dev/agent=none: no staticip runs there */
	bool gone;
	double not_ready_since, gone_since; /* HUGE_VAL: not yet, or not stamped */
	char ready_changed[32];             /* lastTransitionTime of Ready */
	char gone_at[32];                   /* RFC 3339; "" after machines_remember */
	struct machine *next;               /* an earlier one of the name */
};

enum assertion {
	ASSERTION_NONE,
	ASSERTION_OUT_OF_SERVICE, /* the operator's taint, and not Ready */
	ASSERTION_NODE_GONE,      /* a cloud's Node is gone for node_gone_s */
	ASSERTION_AFTER_GRACE, /* not Ready for graceSeconds: onNodeFailure AfterGrace */
};

/* For as long a cloud's Node must be gone. */
enum { NODE_GONE_SECONDS = 300 };

struct machines *machines_new(double node_gone_s);
/* NULL is fine. */
void machines_free(struct machines *machines);

/* The callbacks of the watch on nodes, cookie = the machines. */
void machines_changed(
    void *cookie, const struct object_id *id, struct json_object *object);
void machines_gone(void *cookie, const struct object_id *id);
/* What changed since the last call happened now; wall is the same time as RFC 3339, for
 * people. Cheap where nothing did. */
void machines_stamp(struct machines *machines, double now, const char *wall);

/* A Node that was gone already when an earlier controller wrote this down; it counts as
 * gone since now. Nothing happens when the UID is known. provider_id and system_uuid may
 * be NULL. */
void machines_remember(struct machines *machines, const char *name, const char *uid,
    const char *provider_id, const char *system_uuid, double now);
/* Forgets each Node that is gone and not needed. */
void machines_forget(struct machines *machines,
    bool (*needed)(void *cookie, const char *name, const struct machine *machine),
    void *cookie);

/* The Node of this name now, or NULL. */
const struct machine *machines_find(const struct machines *machines, const char *name);
/* Whether a Node of this name is there, or is remembered. */
bool machines_known(const struct machines *machines, const char *name);
/* The Node of this name that has or had this UID, or NULL. */
const struct machine *machines_find_uid(
    const struct machines *machines, const char *name, const char *uid);
/* Visits all, also those that are gone; by name, newest first. visit must not change
 * machines. */
void machines_each(const struct machines *machines,
    void (*visit)(void *cookie, const char *name, const struct machine *machine),
    void *cookie);

/* Whether what an agent says under this node's name is said by the machine that was the
 * Node of this UID: it is the newest Node of the name, or the newest has the same
 * systemUUID. Without a UID
 * ("" or NULL): no two Nodes of the name are known. */
bool machine_same(
    const struct machines *machines, const char *node, const char *node_uid);

/* What may be taken as said about the machine that was the Node of this UID: that nothing
 * on it uses an address any more. A Node that was made anew for the same machine
 * (machine_same) speaks for it: then nothing is asserted by its former object being gone.
 * A UID that nobody knows asserts nothing. grace_s counts with after_grace only. */
enum assertion machines_assert(const struct machines *machines, const char *node,
    const char *node_uid, bool after_grace, double grace_s, double now);
/* When that answer may change by time alone: later than now, or HUGE_VAL. */
double machines_next_deadline(const struct machines *machines, const char *node,
    const char *node_uid, bool after_grace, double grace_s, double now);

/* "OutOfService", "NodeGone", "AfterGrace"; "" for none. */
const char *assertion_name(enum assertion assertion);

/* For people: the node, its state and since when, and what would free the addresses of
 * the pod pod_uid on it. grace_s: 0 = no AfterGrace. The text changes only with the
 * state, never with time; the caller frees it. */
char *machines_describe(const struct machines *machines, const char *node,
    const char *node_uid, const char *pod_uid, double grace_s);

#endif
