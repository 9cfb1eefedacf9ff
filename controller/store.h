/* Objects of one resource, kept in sight and written on condition: a watch, direct
 * reads, and writes that succeed only on the version that was seen. I/O only; what is
 * written is decided elsewhere.
 *
 * Ticks count requests and answers of the whole controller, so that "read after" can be
 * asked: an object is live since a tick when the request that showed it was sent then,
 * whatever the watch had delivered (DESIGN.md of the project, section "Ledger"). */
#ifndef CONTROLLER_STORE_H
#define CONTROLLER_STORE_H

#include <ev.h>
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/kube.h"
#include "net/watch.h"

struct store;

/* One object as last seen. An object that is gone, or that was never there and was
 * looked for, has version NULL. Strings and object are the store's. */
struct stored {
	char *name;
	char *uid, *version;
	struct json_object *object;
	uint64_t received; /* tick at which this spec (UID and generation) came in, or its absence */
	uint64_t live;     /* tick at which the request was sent that showed it; 0: only the watch did */
	bool busy;         /* a call is under way, or its failure is waited out */
};

struct store_events {
	/* It changed, is gone, was read again, or may be written again. */
	void (*changed)(void *cookie, const struct stored *stored);
	/* A call failed for another reason than somebody else's write: for the log. */
	void (*fault)(void *cookie, const struct err *err);
};

struct store_spec {
	const char *path;           /* "/apis/staticip.dev/v1alpha1/staticipblocks" */
	const char *field_selector; /* or NULL */
	uint64_t *ticks;            /* the controller's counter */
	const struct store_events *events;
	void *cookie;
};

/* Watches at once. Strings of spec are copied; ticks must live longer. */
struct store *store_new(struct ev_loop *loop, struct kube *kube, const struct store_spec *spec);
/* Cancels what is under way. */
void store_free(struct store *store);
/* All that exists was seen. */
bool store_synced(const struct store *store);
const struct watch_stats *store_stats(const struct store *store);

/* NULL: never heard of. */
const struct stored *store_find(const struct store *store, const char *name);
void store_each(const struct store *store, void (*visit)(void *cookie, const struct stored *stored),
    void *cookie);

/* Writes the object: PUT on the version seen (which is put into it), POST where there is
 * none. Takes object over. false (and nothing is sent): busy. What comes of it is told by
 * changed; after a conflict or an unknown outcome the object has been read again by then.
 * What was there before has no managedFields any more. */
bool store_write(struct store *store, const char *name, struct json_object *object);
/* Replaces the spec of an object that is there, if its generation is still the one that was
 * seen: what others write into its status meanwhile does not count. Takes spec over; else
 * like store_write. */
bool store_write_spec(struct store *store, const char *name, struct json_object *spec);
/* Deletes what was seen, and no other; nothing when busy. */
void store_delete(struct store *store, const char *name);
/* Frees what is kept of an object that is gone, unless something is under way; not from within
 * changed. */
void store_forget(struct store *store, const char *name);
/* The tick of the last one: what was never heard of may be what was forgotten then, so its
 * absence came in no later. */
uint64_t store_forgotten(const struct store *store);
/* Reads it directly; nothing when busy (changed follows in any case). */
void store_read(struct store *store, const char *name);

#endif
