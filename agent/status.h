/* The status of this node's StaticIPNode, patched: one call at a time. What it says is
 * answer.h's. */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"

struct kube;
struct status;

enum status_word {
	STATUS_ANSWER,
	STATUS_BOOT,
	STATUS_CONDITIONS,
	STATUS_AHEAD, /* an answer that the spec was refused, and what is in force */
};

struct status_spec {
	struct kube *kube;
	const char *node_name;
	/* It was acknowledged (why NULL), or not; from the loop. */
	void (*done)(void *cookie, enum status_word word, const struct err *why);
	void *cookie;
};

struct status *status_new(const struct status_spec *spec);
/* done is not called any more. */
void status_free(struct status *status);

bool status_busy(const struct status *status);
/* Not while busy. An answer that is the last one that was acknowledged is not sent. */
void status_send(struct status *status, enum status_word word, struct json_object *patch);
/* What was acknowledged may be overwritten: by a PATCH of ours that was given up and came
 * late, or by a restore of the cluster. Then the next answer is sent whatever it says. An
 * object that is older than our last answer is no harm: the same answer once more
 * changes nothing. */
void status_compare(struct status *status, struct json_object *object);

#endif
