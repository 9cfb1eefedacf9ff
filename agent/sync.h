/* From the tables' ConfigMaps to the node's files. Read sync.c first. */
#ifndef AGENT_SYNC_H
#define AGENT_SYNC_H

#include <ev.h>
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/verify.h"
#include "core/err.h"
#include "net/watch.h"

struct report;
struct sync;

struct sync_spec {
	struct ev_loop *loop;
	struct kube *kube;     /* NULL = no watch: for tests */
	struct report *report;
	int root;              /* fd of the root directory, its lock held */
	unsigned buckets;      /* K */
	/* Whether tables may be put into force: not while leases are lost. NULL = always. */
	bool (*may_start)(void *cookie);
	/* Whether tables are live, sync_grants_required or sync_tables_ahead has another answer;
	 * may be NULL. */
	void (*changed)(void *cookie);
	/* The API server went back in time: to end, and start anew. NULL with kube NULL. */
	void (*went_back)(void *cookie, const struct err *err);
	void *cookie;
	const char *namespace; /* the tables' */
	const char *node_name;
};

enum sync_outcome {
	SYNC_PUBLISHED, /* readers see the new table */
	SYNC_UNCHANGED, /* they saw it already */
	SYNC_REFUSED,   /* against a rule A1 to A8: the last good one stays */
	SYNC_FAILED,    /* the node would not take it: stays, and is tried again */
};

/* What is in force, for logs, the file `agent` and measurements. */
struct sync_state {
	unsigned published; /* of K buckets */
	uint64_t bytes;
	bool live;
	double last_contact; /* wall time, 0 = never */
	bool listed;         /* a whole list was seen since the start */
	uint64_t generations; /* of the published buckets, added */
	uint64_t newest;      /* the highest of them */
	/* ConfigMaps refused since the start, by rule: [0] is A1 */
	uint64_t refusals[VERIFY_RULES];
	const struct watch_stats *watch; /* NULL = it does not run now */
};

/* Nothing happens before sync_start. Strings of the spec must outlive it. */
struct sync *sync_new(const struct sync_spec *spec);
void sync_free(struct sync *sync);

/* Takes up what a predecessor left, and starts to watch. On failure (the node's
 * directories cannot be made, or may_start says no) nothing runs; it may be called again,
 * also while it runs: then it does nothing. */
int sync_start(struct sync *sync, struct err *err);
/* The same, again and again until it works; each failure is logged. */
void sync_keep_started(struct sync *sync);

/* One ConfigMap that is there or changed; one that is gone. The watch calls them. */
enum sync_outcome sync_config_map(
    struct sync *sync, const struct object_id *id, struct json_object *config_map);
enum sync_outcome sync_config_map_gone(struct sync *sync, const struct object_id *id);
/* What follows, up to sync_listed, is one list: readers see all of it at once, then. */
void sync_listing(struct sync *sync);
/* A whole list was seen: what is in force without a ConfigMap is reported. */
void sync_listed(struct sync *sync);

/* Whether every table is in force here and every network in them requires grants. Only what
 * was verified when it was put into force counts: a look at K bits. */
bool sync_grants_required(const struct sync *sync);
/* The highest generation in force whose ConfigMap was refused as older (A6), or as another of
 * the same generation (A7); 0 = none. */
uint64_t sync_tables_ahead(const struct sync *sync);

/* From time to time: starts over when somebody removed files of ours. */
void sync_check(struct sync *sync);
struct sync_state sync_state(const struct sync *sync);

#endif
