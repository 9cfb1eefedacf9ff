/* Which rows the tables give to a pod, by the pod's name: what a new pod of that name
 * will want to hold. Pure. */
#ifndef CONTROLLER_WANTS_H
#define CONTROLLER_WANTS_H

#include "controller/arbiter.h"
#include "core/tree.h"

/* One row. Its content is the arbiter's (wants_row). */
struct want {
	char *key;        /* network/namespace/pod, or with /interface */
	char *allocation; /* its UID */
};

/* All rows of one pod, sorted by key. */
struct wants_of_pod {
	char *pod; /* namespace/name */
	struct want *list;
	unsigned count;
};

struct wants {
	struct tree pods;
};

struct wants wants_make(void);
void wants_release(struct wants *wants);

/* The arbiter gave a row of this allocation (its UID) the key, or took it. Both return
 * the pod's name, the caller frees it; NULL: the key is no pod's. */
char *wants_put(struct wants *wants, const char *key, const char *allocation);
char *wants_drop(struct wants *wants, const char *key);

/* NULL: none. */
const struct wants_of_pod *wants_find(const struct wants *wants, const char *pod);
/* The row as the arbiter has it; NULL: it is no longer given. */
const struct wanted *wants_row(const struct arbiter *arbiter, const struct want *want,
    const struct holding **ret_holding);

#endif
