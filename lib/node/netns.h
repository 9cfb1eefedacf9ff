/* Network namespaces: opened once, verified, entered for one block. */
#ifndef NODE_NETNS_H
#define NODE_NETNS_H

#include <stdbool.h>

#include "core/err.h"

/* Opens the namespace that path names (CNI_NETNS) and makes sure that it is a
 * network namespace and no other file. Returns 0 and its fd (O_CLOEXEC, the
 * caller closes it), the open error, or -EINVAL for another file. */
int netns_open(const char *path, int *ret_fd, struct err *err);

/* Whether netns is the namespace that this thread is in. Returns 0 or an errno. */
int netns_is_own(int netns, bool *ret_own, struct err *err);

/* Enters netns. *ret_own is the way back for netns_leave. */
int netns_enter(int netns, int *ret_own, struct err *err);
/* Goes back and closes own. A process that cannot go back must not go on: what it
 * did next would happen to a pod. It ends by abort(). */
void netns_leave(int own);

#endif
