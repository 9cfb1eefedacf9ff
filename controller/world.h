/* What the API server has, as last seen by the watches: allocations, StatefulSets
 * and pods, as small structs. No I/O; who changes it marks what must be looked at
 * again. */
#ifndef CONTROLLER_WORLD_H
#define CONTROLLER_WORLD_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "controller/allocation.h"
#include "core/tree.h"
#include "net/watch.h"

enum { CONDITIONS = 3 };

/* A condition as the API server has it. */
struct condition_seen {
	char status[8];  /* "True", "False", "Unknown" or "" */
	char since[32];  /* lastTransitionTime */
	char reason[64];
};

/* One StaticIPAllocation. */
struct declared {
	char *namespace, *name, *uid, *created;
	char *path; /* namespace/name */
	int64_t generation;
	struct allocation *spec; /* NULL: it could not be decoded or is not valid */
	struct err invalid;      /* then why */
	struct target *target;
	/* what its status says in the API server */
	struct condition_seen conditions[CONDITIONS];
	uint64_t status_hash;
	/* what is to be done */
	bool arbitrate;  /* its spec or target changed */
	bool report;     /* its status may have to change */
	bool writing;    /* a status write is under way */
	double retry_at; /* not before: after a write that failed */
	double pending_since; /* monotonic; its rows are on their way since; 0 = they are not */
	bool restored;   /* a table with its rows was changed by another hand and put right */
};

/* A workload that some allocation names, or that exists. */
struct target {
	char *key; /* Kind/namespace/name */
	struct declared **users;
	size_t user_count;
	/* StatefulSets only */
	bool exists;
	int64_t start;    /* spec.ordinals.start */
	int64_t replicas; /* spec.replicas */
};

struct pod {
	char *key; /* namespace/name */
	char *uid, *node;
	char *owner; /* Kind/name of the controlling owner; NULL: none */
	bool terminating, ended, running;
};

struct world {
	struct tree declared; /* by uid */
	struct tree named;    /* the same, by namespace/name */
	struct tree targets;  /* by key */
	struct tree pods;     /* by key */
	struct tree work;     /* declared with arbitrate or report, oldest first */
	char **gone; /* UIDs */
	size_t gone_count;
};

struct world *world_new(void);
void world_free(struct world *world);

/* The watches' callbacks, cookie = the world. */
void world_allocation_changed(void *cookie, const struct object_id *id, struct json_object *object);
void world_allocation_gone(void *cookie, const struct object_id *id);
void world_stateful_set_changed(void *cookie, const struct object_id *id, struct json_object *object);
void world_stateful_set_gone(void *cookie, const struct object_id *id);
void world_pod_changed(void *cookie, const struct object_id *id, struct json_object *object);
void world_pod_gone(void *cookie, const struct object_id *id);

/* The UID by which a node knows the pod: a static pod's is the hash of its manifest, which
 * its mirror in the API carries as an annotation. The object's memory, or NULL. */
const char *world_pod_uid(struct json_object *object);

/* Marks. */
void world_want_arbitration(struct world *world, struct declared *declared);
void world_want_report(struct world *world, struct declared *declared);
/* Takes the mark of what was done away. */
void world_arbitrated(struct world *world, struct declared *declared);
void world_reported(struct world *world, struct declared *declared);

struct declared *world_find(const struct world *world, const char *uid);
struct declared *world_find_named(const struct world *world, const char *allocation);
const struct pod *world_find_pod(const struct world *world, const char *namespace, const char *name);
/* The name of the pod that index i serves; the caller frees it. */
char *world_pod_name(const struct declared *declared, unsigned index);

/* UIDs of allocations that are gone, for the reconciler to take out of the
 * arbiter: the oldest, or NULL; the caller frees it. */
char *world_next_gone(struct world *world);

#endif
