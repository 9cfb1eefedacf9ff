/* This node's StaticIPNode: its spec becomes the file `node`, which the plugin reads;
 * its status is this agent's answer. Read node.c. */
#ifndef AGENT_NODE_H
#define AGENT_NODE_H

#include <ev.h>

#include "core/err.h"

struct kube;
struct node;
struct recorder;

struct node_spec_of_agent {
	struct ev_loop *loop;
	struct kube *kube;
	struct recorder *recorder;
	int root;         /* fd of the root directory, its lock held */
	const char *path; /* of the same */
	const char *node_name;
	const char *boot_id;
};

/* Begins to watch at once. Strings must outlive it. NULL and err: the node's
 * directories cannot be made. */
struct node *node_new(const struct node_spec_of_agent *spec, struct err *err);
void node_free(struct node *node);

#endif
