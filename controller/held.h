/* Who holds the addresses of an entry, as far as people are told. Pure. */
#ifndef CONTROLLER_HELD_H
#define CONTROLLER_HELD_H

#include <stdbool.h>

#include "core/bounds.h"
#include "table/ip.h"

/* About one entry of an allocation; texts are the caller's. */
struct held_summary {
	const char *uid;   /* of the pod that holds its addresses; NULL: nobody does */
	const char *pod;   /* its namespace/name */
	const char *node;  /* where it is; NULL: not bound */
	const char *since; /* RFC 3339 */
	/* The state of that node and what would free the addresses (machines_describe), when
	 * that pod is over; else NULL. */
	const char *why;
	/* What the entry's own pod waits for, in one sentence, once that takes longer than a
	 * hand-over does (holders_waits); else NULL. */
	const char *waits;
	bool soon; /* the grant of that pod is on its way: a moment later there is more to say */
};

/* One sentence for a hold, a condition and an event: who holds the address, since when,
 * and what frees it. Cut at GRANT_WORDS_MAX. */
void held_describe(
    const struct held_summary *held, const struct ip *ip, char out[GRANT_WORDS_MAX + 1]);

#endif
