#include "net/watch_backoff.h"

const struct watch_times watch_times_usual = {
    .list = 60,
    .stream_min = 300,
    .stream_max = 600,
    .stream_slack = 30,
    /* bookmarks come about once a minute (apiserver cacher.go) */
    .stall = 180,
    .short_stream = 1,
    .good_stream = 10,
    .backoff_first = 0.8,
    .backoff_max = 30,
    .backoff_reset = 120,
};

double
watch_backoff_next(struct watch_backoff *backoff, const struct watch_times *times,
    double now, double chance)
{
	bool first = backoff->base <= 0. || now - backoff->failed > times->backoff_reset;
	double base = first ? times->backoff_first : backoff->base * 2;

	backoff->base = base < times->backoff_max ? base : times->backoff_max;
	backoff->failed = now;
	return backoff->base * (1 + chance);
}

void
watch_backoff_reset(struct watch_backoff *backoff)
{
	backoff->base = 0;
}
