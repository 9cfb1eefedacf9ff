/* The controller's heart without its I/O: the ledger, one allocation "ns/ex" of a
 * StatefulSet, its pods, and the desk of the node n1. For the tests and the fuzzer of what
 * is decided there. */
#ifndef TESTS_UNIT_CONTROLLER_ONE_DESK_H
#define TESTS_UNIT_CONTROLLER_ONE_DESK_H

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "controller/holders_private.h"
#include "controller/ledger_text.h"
#include "core/mem.h"
#include "table/json.h"

struct one_desk {
	struct holders *holders;
	struct world *world;
	struct arbiter *arbiter;
	struct machines *machines;
	struct desk *desk;
	struct stored seen; /* the StaticIPNode */
	unsigned reads;     /* blocks that were to be read */
};

static struct one_desk *one_desk_now; /* for callbacks that have no cookie */

static inline int
one_desk_compare_claimants(const void *a, const void *b)
{
	return strcmp(((const struct claimant *)a)->uid, ((const struct claimant *)b)->uid);
}

static inline int
one_desk_compare_desks(const void *a, const void *b)
{
	return strcmp(((const struct desk *)a)->name, ((const struct desk *)b)->name);
}

static inline void
one_desk_on_touched(void *cookie, const char *uid)
{
	(void)cookie;
	(void)uid;
}

static inline void
one_desk_on_dirty(void *cookie, struct block *block)
{
	(void)cookie;
	(void)block;
}

static inline void
one_desk_on_granted(void *cookie, const struct holding *holding, const struct wanted *row)
{
	struct one_desk *one = cookie;

	mem_free(wants_put(&one->holders->wants, row->key, holding->uid));
}

static inline void
one_desk_on_withdrawn(void *cookie, const char *key)
{
	struct one_desk *one = cookie;

	mem_free(wants_drop(&one->holders->wants, key));
}

static inline void
one_desk_on_changed(void *cookie, const struct holding *holding)
{
	(void)cookie;
	(void)holding;
}

static inline void
one_desk_read(struct holders *holders, const struct block *block)
{
	(void)holders;
	(void)block;
	one_desk_now->reads++;
}

static inline struct one_desk *
one_desk_new(void)
{
	static const struct ledger_events ledger_events = {.touched = one_desk_on_touched,
	    .moved = one_desk_on_touched, .dirty = one_desk_on_dirty};
	static const struct arbiter_events arbiter_events = {
	    one_desk_on_granted, one_desk_on_withdrawn, one_desk_on_changed};
	struct one_desk *one = mem_new(1, sizeof(*one));
	struct holders *holders = mem_new(1, sizeof(*holders));

	one->world = world_new();
	one->arbiter = arbiter_new(&arbiter_events, one);
	one->machines = machines_new(NODE_GONE_SECONDS);
	holders->spec = (struct holders_spec){
	    .world = one->world, .arbiter = one->arbiter, .machines = one->machines};
	holders->wants = wants_make();
	holders->claimants = tree_make(one_desk_compare_claimants);
	holders->work = tree_make(one_desk_compare_claimants);
	holders->timed = tree_make(one_desk_compare_claimants);
	holders->desks = tree_make(one_desk_compare_desks);
	holders->dirty_desks = tree_make(one_desk_compare_desks);
	holders->ahead = tree_make(one_desk_compare_desks);
	holders->ledger = ledger_new(&ledger_events, holders);
	holders->dirty_blocks = tree_make(one_desk_compare_desks);
	one->holders = holders;
	one->desk = desk_make(holders, "n1");
	one->seen = (struct stored){.name = mem_text("n1")};
	one_desk_now = one;
	return one;
}

static inline void
one_desk_free(struct one_desk *one)
{
	holders_free(one->holders);
	machines_free(one->machines);
	arbiter_free(one->arbiter);
	world_free(one->world);
	json_object_put(one->seen.object);
	mem_free(one->seen.name);
	mem_free(one->seen.uid);
	mem_free(one);
}

/* Shows the StaticIPNode as received at this tick; NULL: there is none. */
static inline void
one_desk_see(struct one_desk *one, struct json_object *object, uint64_t received)
{
	json_object_put(one->seen.object);
	mem_free(one->seen.uid);
	one->seen.object = object;
	one->seen.uid = mem_text(json_path_text(object, "metadata.uid"));
	one->seen.received = received;
	desk_observe(one->holders, &one->seen);
}

static inline struct json_object *
one_desk_plan(struct one_desk *one, const char *epoch, bool drop)
{
	one->reads = 0;
	return node_plan(one->desk, &one->seen, epoch, drop, one_desk_read);
}

#endif
