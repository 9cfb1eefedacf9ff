/* Every network namespace of the node, for who looks for an address in all of them. */
#ifndef NODE_NETNS_EACH_H
#define NODE_NETNS_EACH_H

#include "core/err.h"
#include "node/netns_id.h"

/* A namespace that is open; valid during the visit. */
struct netns_place {
	const char *path; /* of its mount, or /proc/PID/ns/net */
	int netns;
	struct netns_id id;
};

/* Visits each network namespace but our own that a mount or a process has, once. 0; or a
 * negative errno when there may be one that was not visited: its mount is hidden under
 * another one, or there are processes that we may not look at. Which mounts and processes
 * we see at all is not known here (agent/host_view.h). */
int netns_each(void (*visit)(void *cookie, const struct netns_place *place), void *cookie,
    struct err *err);

#endif
