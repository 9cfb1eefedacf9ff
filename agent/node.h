/* This node's StaticIPNode: its spec becomes the file `node`, which the plugin reads;
 * its status is this agent's answer. Read node.c. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include <ev.h>
#include <stdbool.h>

#include "core/err.h"

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

#endif
