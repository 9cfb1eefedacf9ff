/* Keeps the table ConfigMaps as tables.h wants them. I/O only: what goes where
 * is decided there. */
#ifndef CONTROLLER_PUBLISH_H
#define CONTROLLER_PUBLISH_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/tables.h"
#include "net/event.h"
#include "net/kube.h"
#include "net/watch.h"

struct publisher;

struct publisher_events {
	/* Something may be publishable now: run again soon. */
	void (*wake)(void *cookie);
	/* A bucket was changed by another hand and is in order again. */
	void (*restored)(void *cookie, unsigned bucket);
	/* The API server went back in time, as the watch found: this process must end. */
	void (*went_back)(void *cookie, const struct err *err);
};

/* Watches the ConfigMaps of namespace at once. */
struct publisher *publisher_new(struct ev_loop *loop, struct kube *kube,
    struct tables *tables, struct recorder *recorder, const char *namespace,
    const struct publisher_events *events, void *cookie);
void publisher_free(struct publisher *publisher);

/* Whether all ConfigMaps were seen. */
bool publisher_synced(const struct publisher *publisher);
/* Starts a write for each bucket that differs, as many at once as is polite. */
void publisher_run(struct publisher *publisher);
/* -EINVAL when tables of another number of buckets are in the namespace: the
 * number is fixed at installation. Once synced. */
int publisher_check(const struct publisher *publisher, struct err *err);

/* For measurements. */
struct publisher_stats {
	uint64_t writes;    /* that were carried out */
	uint64_t conflicts; /* refused: somebody was faster */
	uint64_t failures;  /* that failed otherwise, or whose outcome is not known */
	uint64_t restored;  /* tables changed by another hand */
	unsigned calls;     /* under way */
	const struct watch_stats *watch; /* the publisher's */
};
struct publisher_stats publisher_stats(const struct publisher *publisher);

#endif
