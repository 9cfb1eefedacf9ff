/* Who leads works: lead_or_follow() in lead.c is the story of a
 * controller among others. */
#ifndef CONTROLLER_LEAD_H
#define CONTROLLER_LEAD_H

#include <ev.h>

#include "controller/reconcile.h"
#include "core/err.h"
#include "net/election.h"
#include "net/kube_config.h"

struct lead;

struct lead_options {
	const struct kube_config *config;
	const struct controller_options *controller;
	const struct election_options *election; /* NULL: without one, we lead from the start */
};

/* Works from the loop from then on; options and what they name must live longer. A
 * controller that must not work sets *ret_fatal and breaks the loop. */
struct lead *lead_new(
    struct ev_loop *loop, const struct lead_options *options, struct err *ret_fatal);
/* Where the controller is that works now; NULL there: another one leads. */
struct controller *const *lead_controller(const struct lead *lead);
/* To end in order: breaks the loop when all work has stopped and the lease is given up,
 * some seconds later at most; called once more, at once. */
void lead_end(struct lead *lead);
/* At once, without giving up the lease. Not from within a callback. */
void lead_free(struct lead *lead);

#endif
