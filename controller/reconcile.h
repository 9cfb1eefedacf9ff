/* READ FIRST. Who decides which pod gets which address: reconcile() in
 * reconcile.c, read top to bottom, is the whole story. */
#ifndef CONTROLLER_RECONCILE_H
#define CONTROLLER_RECONCILE_H

#include <ev.h>
#include <stdbool.h>

#include "core/err.h"
#include "net/kube.h"
#include "net/watch_measures.h"

struct controller;
struct holders;
struct publisher;
struct tables;
struct world;

struct controller_options {
	const char *tables_namespace;
	unsigned buckets;
	double node_gone_s;   /* machines.h */
	const char *instance; /* who we are in events: the pod's name */
};

/* Starts the watches; works from the loop from then on. When it finds that it
 * must not work (tables of another number of buckets), it sets *ret_fatal and
 * breaks the loop. */
struct controller *controller_new(struct ev_loop *loop, struct kube *kube,
    const struct controller_options *options, struct err *ret_fatal);
void controller_free(struct controller *controller);

/* What is measured (measures.h); all of it is the controller's, valid until the loop
 * turns. */
enum { CONTROLLER_WATCHES_MAX = 16 };
struct controller_parts {
	const struct world *world;
	const struct tables *tables;
	const struct publisher *publisher;
	const struct holders *holders;
	struct measured_watch watches[CONTROLLER_WATCHES_MAX];
	unsigned watch_count;
	bool decides; /* its picture was complete, and it knows the incumbents */
};
void controller_parts(const struct controller *controller, struct controller_parts *ret_parts);

#endif
