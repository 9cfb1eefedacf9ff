/* Who holds an address, and when it is free: pods claim addresses in the ledger, get
 * grants on their nodes, lose them when they end, and their addresses pass on only on
 * proof (DESIGN.md of the project, section "Who holds an address"; I1, I2, I8).
 *
 * Read holders.c first: settle() is the story of one pod. */
#ifndef CONTROLLER_HOLDERS_H
#define CONTROLLER_HOLDERS_H

#include <ev.h>
#include <stdbool.h>

#include "controller/arbiter.h"
#include "controller/held.h"
#include "controller/machines.h"
#include "controller/tables.h"
#include "controller/world.h"
#include "net/event.h"
#include "net/kube.h"

struct holders;

struct holders_events {
	/* Something can be done: run again soon. */
	void (*wake)(void *cookie);
	/* What this allocation's status says about holders may have changed. */
	void (*moved)(void *cookie, const char *allocation);
	/* A node has a table of this generation whose ConfigMap is older. */
	void (*tables_ahead)(void *cookie, uint64_t generation);
	/* The API server went back in time, as a watch found: this process must end. */
	void (*went_back)(void *cookie, const struct err *err);
};

struct holders_spec {
	struct ev_loop *loop;
	struct kube *kube;
	struct recorder *recorder;
	const char *tables_namespace; /* where the record of the ledger is */
	const struct world *world;
	const struct arbiter *arbiter;
	const struct tables *tables;
	struct machines *machines;
	const struct holders_events *events;
	void *cookie;
};

/* Watches StaticIPBlocks, StaticIPNodes and the ledger's record at once. What spec
 * points to must live longer; strings are copied. */
struct holders *holders_new(const struct holders_spec *spec);
void holders_free(struct holders *holders);
/* All of them were seen. */
bool holders_synced(const struct holders *holders);

/* The arbiter gave a row of this allocation (its UID) the key, or took it. */
void holders_row_given(struct holders *holders, const char *key, const char *allocation);
void holders_row_taken(struct holders *holders, const char *key);
/* The pod of this UID is new, changed or gone in the world. */
void holders_pod_touched(struct holders *holders, const char *pod, const char *uid);
/* A Node is new, changed or gone. */
void holders_node_touched(struct holders *holders, const char *node);

/* Once all is synced, and the rows are known: decides about everything that was touched,
 * and starts the writes. */
void holders_run(struct holders *holders);

/* The API server went back in time, and this process ends for it: empties the ledger's
 * record, so that whoever works next asks all nodes before anything is granted. Calls done
 * when that is over, some seconds later at most. */
void holders_doubt(struct holders *holders, void (*done)(void *cookie), void *cookie);

/* ---- for people ---------------------------------------------------------------------- */

enum holder_state {
	HOLDER_NONE,     /* nothing is known of the pod, or it wants nothing */
	HOLDER_CLAIMING, /* its entries are being written */
	HOLDER_WAITING,  /* for another's address: the words say for whose */
	HOLDER_REFUSED,
	HOLDER_GRANTED,
	HOLDER_LEAVING,  /* it ended, or is ending, and still holds its addresses */
};

/* What a pod has; *ret_words is what it waits for, or what would end its hold: the
 * holders', valid until the next run; "" when there is nothing to say. */
enum holder_state holders_state(
    const struct holders *holders, const char *uid, const char **ret_words);

/* What the pod of this UID waits for, once that takes longer than a hand-over does: a
 * sentence, the holders', valid until the next run. NULL: it does not wait, or not yet for long. */
const char *holders_waits(const struct holders *holders, const char *uid);

/* Who holds the address; false: nobody. Texts are the holders', valid until the next run. */
bool holders_find(const struct holders *holders, const char *domain, const struct ip *ip,
    struct held_summary *ret_held);

/* What showed that an address is to be had again (holders_release.c). */
enum proof {
	PROOF_NONE,
	PROOF_ANSWERED,
	PROOF_OUT_OF_SERVICE,
	PROOF_NODE_GONE,
	PROOF_AFTER_GRACE,
	PROOF_BY_HAND,
	PROOFS,
};

/* Counters for metrics. */
struct holders_counts {
	size_t entries, nodes, pods[HOLDER_LEAVING + 1];
	size_t doubted; /* nodes whose word is not followed (controller/DESIGN.md, H17) */
	uint64_t released[PROOFS]; /* pods */
	uint64_t adopted, contradictions;
	bool rebuilding;
};
struct holders_counts holders_count(const struct holders *holders);

#endif
