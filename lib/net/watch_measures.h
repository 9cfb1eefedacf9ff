/* What watches tell about themselves: measurements, and whether one is stuck. */
#ifndef NET_WATCH_MEASURES_H
#define NET_WATCH_MEASURES_H

#include <stdbool.h>
#include <stdint.h>

#include "net/metrics.h"
#include "net/watch.h"

struct measured_watch {
	const char *resource;            /* "pods" */
	const struct watch_stats *stats; /* NULL = it does not run now: left out */
};
/* The families staticip_watch_…, with label resource. */
void watch_measure(
    struct metrics *metrics, const struct measured_watch *watches, unsigned count);

/* Whether a watch still does anything, be it to fail: an API server that is away leaves
 * its traces (faults), a watch that has lost its timer or its call leaves none. No such
 * fault is known; it would be ours, and only a new start would end it. */
struct watch_progress {
	uint64_t done;  /* as last seen */
	double contact; /* likewise */
	double since;   /* clock_seconds() when that was new */
};
/* Longer than the longest wait of a watch (net/watch.h, watch_times_usual: a stream of
 * ten minutes on which nothing happens) with everything that may come on top. */
enum { WATCH_STUCK_S = 20 * 60 };

/* Looks at the watch now (clock_seconds()); false: nothing has happened since looks
 * WATCH_STUCK_S ago. progress starts as zeroes, or after the watch was made anew. */
bool watch_progress_look(
    struct watch_progress *progress, const struct watch_stats *stats, double now);

#endif
