/* The controller's health and measurements. Whoever has more to measure adds a function
 * to the list at controller_metrics. */
#ifndef CONTROLLER_MEASURES_H
#define CONTROLLER_MEASURES_H

#include <ev.h>

#include "controller/reconcile.h"
#include "net/health.h"
#include "net/metrics.h"

/* NULL: this process decides nothing at the moment (another one leads). */
void controller_metrics(const struct controller *controller, struct metrics *metrics);
/* Whether all first lists are complete and the published rows were taken up; with
 * NULL, yes: what stands by is ready to. */
bool controller_ready(const struct controller *controller, struct buf *ret_why);

struct controller_health;

struct controller_health_spec {
	struct ev_loop *loop;
	struct health_addresses addresses;
	/* Looked at with each question: where the controller is that runs now, or NULL. */
	struct controller *const *controller;
	/* More reasons to be started anew; may be NULL. */
	const struct health_check *live;
	unsigned live_count;
};

/* Starts to answer. NULL and err when an address cannot be had. */
struct controller_health *controller_health_new(
    const struct controller_health_spec *spec, struct err *err);
void controller_health_free(struct controller_health *health);

#endif
