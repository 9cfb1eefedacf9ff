/* This node's StaticIPNode: its spec becomes the file `node`, which the plugin reads;
 * its status is this agent's answer. Read node.c. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/node_spec.h"
#include "core/err.h"
#include "net/watch.h"

struct host_view;
struct kube;
struct node;
struct recorder;
struct sync;

struct node_spec_of_agent {
	struct ev_loop *loop;
	struct kube *kube;
	struct recorder *recorder;
	int root;         /* fd of the root directory, its lock held */
	const char *path; /* of the same */
	const char *node_name;
	const char *boot_id;
	const struct host_view *view;
	const struct sync *sync; /* whose tables the answer is about too */
	/* node_may_serve says yes now: at most once for each time that it said no. */
	void (*opened)(void *cookie);
	/* The API server went back in time: to end, and start anew. */
	void (*went_back)(void *cookie, const struct err *err);
	void *cookie;
};

/* Begins to watch at once. Strings must outlive it. NULL and err: the node's
 * directories cannot be made. */
struct node *node_new(const struct node_spec_of_agent *spec, struct err *err);
void node_free(struct node *node);

/* Whether tables may be put into force: the leases of this boot are there, as far as
 * anybody can know. Not before the API server was asked, where the marker is missing. */
bool node_may_serve(const struct node *node);
/* What the answer says about the tables has changed. */
void node_look(struct node *node);
/* For measurements and health. */
struct node_state {
	bool listed;         /* whether there is one was asked */
	uint64_t serial;     /* of the last answer that the API server took; 0 = none */
	uint64_t answers;    /* that it took, since the start */
	uint64_t failures;   /* answers that it did not take */
	size_t leases;       /* at the last look */
	unsigned busy;       /* revoked pods that had one then */
	uint64_t refusals[NODE_RULES]; /* specs refused since the start: [0] is N1 */
	const struct watch_stats *watch;
};
struct node_state node_state(const struct node *node);

#endif
