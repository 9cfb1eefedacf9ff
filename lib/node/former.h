/* The MACs that a pod's interface had in sandboxes before this one. A late sandbox may
 * still answer for the pod's addresses, or a switch for it: that is nobody else. */
#ifndef NODE_FORMER_H
#define NODE_FORMER_H

#include <stdbool.h>

#include "core/bounds.h"
#include "node/mac.h"

struct lease;

struct former {
	struct mac list[FORMER_MACS_MAX]; /* the latest first */
	unsigned count;
};

bool former_equal(const struct former *a, const struct former *b);
/* Puts a MAC in front; one that was there moves, and the oldest goes when there is no
 * room. */
void former_add(struct former *former, const struct mac *mac);
/* All of other, which is older than what is there. */
void former_append(struct former *former, const struct former *other);

/* Adds those that a lease tells: of the links in its namespace that have its name or one
 * of its addresses, and those that it remembers. Best effort: what cannot be looked
 * at is not known. */
void former_read(const struct lease *lease, struct former *former);

#endif
