/* READ FIRST. Who decides which pod gets which address: reconcile() in
 * reconcile.c, read top to bottom, is the whole story. */
#ifndef CONTROLLER_RECONCILE_H
#define CONTROLLER_RECONCILE_H

#include <ev.h>

#include "core/err.h"
#include "net/kube.h"

struct controller;

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

#endif
