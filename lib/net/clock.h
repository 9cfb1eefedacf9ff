/* Time for durations, and chance for jitter. */
#ifndef NET_CLOCK_H
#define NET_CLOCK_H

/* Seconds of a clock that nobody sets (ev_now is wall time: it jumps). */
double clock_seconds(void);
/* Uniform in [0, 1). Not for secrets. */
double clock_chance(void);

#endif
