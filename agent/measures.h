/* The agent's health and measurements over HTTP (net/health.h). */
#ifndef AGENT_MEASURES_H
#define AGENT_MEASURES_H

#include <ev.h>

#include "core/err.h"

struct measures;
struct node;
struct options;
struct sync;
struct upkeep;

struct measures_spec {
	struct ev_loop *loop;
	const struct options *options;
	const struct sync *sync;
	const struct node *node;
	const struct upkeep *upkeep;
};

/* Starts to answer, at the addresses of the options. All in the spec must outlive it.
 * NULL and err when an address cannot be had. */
struct measures *measures_new(const struct measures_spec *spec, struct err *err);
void measures_free(struct measures *measures);

#endif
