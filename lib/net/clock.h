/* Time for durations, and chance for jitter. */
#ifndef NET_CLOCK_H
#define NET_CLOCK_H

/* Seconds of a clock that nobody sets (ev_now is wall time: it jumps). */
double clock_seconds(void);
/* The same, and it goes on while the machine is suspended: for what others time, too. */
double clock_boot_seconds(void);
/* The wall clock as metav1.MicroTime, "2006-01-02T15:04:05.000000Z": for people, no
 * decision follows from it. */
enum { MICRO_TIME_BYTES = 64 };
void clock_micro_time(char out[MICRO_TIME_BYTES]);
/* Uniform in [0, 1). Not for secrets. */
double clock_chance(void);

#endif
