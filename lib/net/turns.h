/* How long the turns of the event loop take: from what it delivers to its next sleep.
 * While a turn lasts nothing else is done; a long one is a late answer to everybody. */
#ifndef NET_TURNS_H
#define NET_TURNS_H

#include <ev.h>

#include "net/metrics.h"

struct turns;

/* Measures from now on. */
struct turns *turns_new(struct ev_loop *loop);
void turns_free(struct turns *turns);
void turns_metrics(const struct turns *turns, struct metrics *metrics);

#endif
