/* What the parts of node.c share. */
#ifndef AGENT_NODE_PRIVATE_H
#define AGENT_NODE_PRIVATE_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "agent/condition.h"
#include "agent/node.h"
#include "net/watch.h"

struct lease;
struct lease_watch;
struct status;
struct tend;

/* An object of the watch that outlives its callback. */
struct held {
	struct json_object *object; /* NULL = none */
	char uid[POD_UID_MAX + 1];
};

struct node {
	struct node_spec_of_agent spec;
	struct watch *watch;
	struct lease_watch *leases;
	struct tend *tend;
	struct status *status;
	struct ev_timer retry;
	double retry_s;
	char *selector;
	struct held in_force; /* what readers see, and what is answered */
	struct held pending;  /* what could not come into force yet */
	bool again;           /* something changed since the last patch was sent */
	char last_fault[ERR_TEXT_MAX];
	struct node_state state;
	uint64_t sent_serial; /* of the answer on its way */
	struct conditions conditions;
	struct lease *seen; /* the leases that were reported last */
	size_t seen_count;

	/* this boot (marker.h) */
	bool serving;  /* leases are whole, as far as is known */
	bool known;    /* the API server has had its id */
	bool fresh;    /* it had not, and there was no marker */
	bool lost;     /* it was said that leases are lost */
	char told[POD_UID_MAX + 1];    /* the object that has acknowledged it */
	char telling[POD_UID_MAX + 1]; /* the one that is to acknowledge it */
};

void node_hold(struct held *held, const struct object_id *id, struct json_object *object);
/* Remembers the leases that are reported, for a time when they are lost. The list is taken
 * over (mem_free). */
void node_remember(struct node *node, struct lease *list, size_t count);
/* Later, whatever is pending or else the answer; each fault is logged once. */
void node_try_again(struct node *node, const struct err *why);
/* A log line, and an Event on this node's StaticIPNode (uid). */
void node_tell(struct node *node, bool warning, const char *reason, const char *action,
    const char *note, const char *uid);

/* Whether the object may come into force: this boot is told, and the marker is there. Does
 * the next step for it otherwise, and keeps the object pending. */
bool node_admit(struct node *node, const struct object_id *id, struct json_object *object);
/* The API server has acknowledged the boot's id. */
void node_boot_told(struct node *node);
/* No StaticIPNode: nothing of this boot was told, and nothing is granted. */
void node_admit_none(struct node *node);
bool node_is_marked(const struct node *node);

/* node_ahead.c: the spec was refused, by N3 or N4. Answers with what is in force, and that
 * this is so; once for each object that does not say so already. */
void node_tell_ahead(
    struct node *node, const struct object_id *id, struct json_object *object);
/* The API server has acknowledged it. */
void node_ahead_told(struct node *node);

#endif
