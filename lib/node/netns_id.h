/* Which network namespace it was, for who comes back later: a path may lead to
 * another one by then, and inode numbers are given out again at once. */
#ifndef NODE_NETNS_ID_H
#define NODE_NETNS_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

struct netns_id {
	uint64_t inode;  /* of its nsfs file; 0 = not known */
	uint64_t cookie; /* SO_NETNS_COOKIE (Linux 5.14), never given out twice in a boot;
	                  * 0 = the kernel has none */
};

/* Reads both of an open namespace; before Linux 6.18 it is entered for a
 * moment. Our own is no pod's: it gives an unknown id. */
int netns_id_read(int netns, struct netns_id *ret_id, struct err *err);
/* Unknown ids are equal to nothing. */
bool netns_id_equal(const struct netns_id *a, const struct netns_id *b);

/* Looks for a namespace that was known by path and id. It is there while its path,
 * another mount or a process has it; what only an open file keeps alive counts as
 * gone, like one in a mount namespace that we do not see and that no process is in.
 * Returns 1 and its fd (the caller closes it); 0: it is gone; a negative errno: that
 * could not be found out: also when its mount is hidden under another one, or when there
 * are processes that we may not look at. An unknown id is looked for by nothing:
 * -ENODATA. */
int netns_id_find(const char *path, const struct netns_id *id, int *ret_netns,
    struct err *err);

#endif
