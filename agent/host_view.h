/* Whether the agent sees what the host has: its processes, and its mounts of network
 * namespaces. Who does not must never conclude that a namespace is gone. */
#ifndef AGENT_HOST_VIEW_H
#define AGENT_HOST_VIEW_H

#include <stdbool.h>

#include "core/bounds.h"

/* Of whose mounts the agent's are. */
enum host_mounts {
	HOST_MOUNTS_OURS,    /* process 1 has the same ones: no container */
	HOST_MOUNTS_OTHERS,  /* process 1 has others: a container */
	HOST_MOUNTS_UNKNOWN, /* some machines let nobody look at process 1: taken for a container */
};

/* What is looked at. */
struct host_facts_of_view {
	bool is_init;      /* the agent is process 1 itself */
	bool under_init;   /* its line of parents ends at process 1 */
	bool may_look;     /* at the namespaces of another process, its parent */
	enum host_mounts mounts;
	bool netns_follows; /* the mount at /run/netns gets what the host mounts there */
};

struct host_view {
	bool seen;
	bool contained;          /* of the mounts only those below /run/netns are the host's */
	char why[ERR_TEXT_MAX];  /* not seen: what is missing, and the way out */
};

/* Pure. A program that was started by an init of its own in a container with process
 * namespace and mounts of its own cannot be told from one on the host: the image has none. */
void host_view_judge(const struct host_facts_of_view *facts, struct host_view *ret_view);
/* Looks at /proc, and judges. */
void host_view_look(struct host_view *ret_view);

/* Whether a namespace that was known by this path, and that no mount and no process has,
 * is gone. */
bool host_view_covers(const struct host_view *view, const char *path);

#endif
