#include "net/turns.h"

#include "core/mem.h"
#include "net/clock.h"

static const double bounds[] = {0.0001, 0.001, 0.01, 0.1, 0.5, 1, 5, 10};

struct turns {
	struct ev_loop *loop;
	struct ev_check begin; /* first behind the sleep ... */
	struct ev_prepare end; /* ... last before it */
	double began;          /* 0 = no turn was begun */
	struct histogram histogram;
};

static void
on_begin(struct ev_loop *loop, struct ev_check *check, int events)
{
	struct turns *turns = check->data;

	(void)loop;
	(void)events;
	turns->began = clock_seconds();
}

static void
on_end(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
	struct turns *turns = prepare->data;

	(void)loop;
	(void)events;
	if (turns->began > 0)
		histogram_observe(&turns->histogram, clock_seconds() - turns->began);
}

struct turns *
turns_new(struct ev_loop *loop)
{
	struct turns *turns = mem_new(1, sizeof(*turns));

	turns->loop = loop;
	turns->histogram.bounds = bounds;
	turns->histogram.bound_count = sizeof(bounds) / sizeof(bounds[0]);
	ev_check_init(&turns->begin, on_begin);
	ev_prepare_init(&turns->end, on_end);
	ev_set_priority(&turns->begin, EV_MAXPRI);
	ev_set_priority(&turns->end, EV_MINPRI);
	turns->begin.data = turns->end.data = turns;
	ev_check_start(loop, &turns->begin);
	ev_prepare_start(loop, &turns->end);
	return turns;
}

void
turns_free(struct turns *turns)
{
	if (!turns)
		return;
	ev_check_stop(turns->loop, &turns->begin);
	ev_prepare_stop(turns->loop, &turns->end);
	mem_free(turns);
}

void
turns_metrics(const struct turns *turns, struct metrics *metrics)
{
	metrics_family(metrics, "staticip_loop_turn_seconds", METRIC_HISTOGRAM,
	    "How long the turns of the event loop took, without its sleep.");
	metrics_histogram(metrics, &turns->histogram, NULL);
}
