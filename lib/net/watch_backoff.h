/* How long to wait after a failure. Pure. Private to lib/net. */
#ifndef NET_WATCH_BACKOFF_H
#define NET_WATCH_BACKOFF_H

#include "net/watch.h"

struct watch_backoff {
	double base;   /* of the last wait; 0 = no failure yet */
	double failed; /* when the last failure was */
};

/* The wait after a failure at now (seconds of any steady clock); chance is in
 * [0, 1). First, doubled each time, at most max; then times 1..2; from the
 * beginning when the last failure is reset seconds ago. As client-go's reflector.go
 * with wait.Backoff{Factor: 2, Jitter: 1}: the jitter comes on top of the cap. */
double watch_backoff_next(struct watch_backoff *backoff, const struct watch_times *times,
    double now, double chance);

/* The server is well: the next failure counts as the first. */
void watch_backoff_reset(struct watch_backoff *backoff);

#endif
