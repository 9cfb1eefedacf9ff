/* READ FIRST: settle(), the first function, is what happens to one pod from its creation
 * to the end of its hold. holders_claim.c and holders_release.c are its two halves,
 * node_plan.c is what the pod's node is told, holders_rebuild.c what happens when the
 * ledger is lost. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/holders_private.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"

static const double sweep_s = 1;
static const double forget_s = 60;
static const unsigned settle_passes = 3;

static bool has_anything(const struct claimant *claimant);
static void forget(struct claimant *claimant);
static void leave(struct claimant *claimant);

static void
settle(struct claimant *claimant)
{
	if (pod_lives(claimant_pod(claimant)))
		claimant_want(claimant); /* claims its addresses, is placed, granted or held */
	else if (has_anything(claimant))
		leave(claimant); /* is revoked; on proof its addresses are free */
	else
		forget(claimant);
}

static void
leave(struct claimant *claimant)
{
	(void)tree_add(&claimant->holders->timed, claimant);
	claimant_let_go(claimant);
}

/* ---- pods that want or have something ------------------------------------------------ */

static int
compare_claimants(const void *a, const void *b)
{
	return strcmp(((const struct claimant *)a)->uid, ((const struct claimant *)b)->uid);
}

static int
compare_desks(const void *a, const void *b)
{
	return strcmp(((const struct desk *)a)->name, ((const struct desk *)b)->name);
}

static int
compare_blocks(const void *a, const void *b)
{
	return strcmp(((const struct block *)a)->name, ((const struct block *)b)->name);
}

struct claimant *
claimant_find(const struct holders *holders, const char *uid)
{
	scoped_free char *copy = mem_text(uid);
	struct claimant wanted = {.uid = copy};

	return tree_find(&holders->claimants, &wanted);
}

struct claimant *
claimant_make(struct holders *holders, const char *uid, const char *pod)
{
	struct claimant *claimant = claimant_find(holders, uid);

	if (claimant)
		return claimant;
	claimant = mem_new(1, sizeof(*claimant));
	claimant->uid = mem_text(uid);
	claimant->pod = mem_text(pod);
	claimant->holders = holders;
	(void)tree_add(&holders->claimants, claimant);
	claimant_touch(claimant);
	return claimant;
}

void
claimant_touch(struct claimant *claimant)
{
	struct holders *holders = claimant->holders;

	if (claimant->dirty)
		return;
	claimant->dirty = true;
	(void)tree_add(&holders->work, claimant);
}

static void
free_claimant(void *item)
{
	struct claimant *claimant = item;

	claimant_stop_asking(claimant);
	mem_free(claimant->uid);
	mem_free(claimant->pod);
	mem_free(claimant->node);
	mem_free(claimant->why);
	mem_free(claimant->told);
	mem_free(claimant);
}

const struct pod *
claimant_pod(const struct claimant *claimant)
{
	const char *slash = strchr(claimant->pod, '/');
	scoped_free char *namespace =
	    mem_format("%.*s", slash ? (int)(slash - claimant->pod) : 0, claimant->pod);
	const struct pod *pod = world_find_pod(
	    claimant->holders->spec.world, namespace, slash ? slash + 1 : "");

	return pod && strcmp(pod->uid, claimant->uid) == 0 ? pod : NULL;
}

bool
pod_lives(const struct pod *pod)
{
	return pod && !pod->terminating && !pod->ended;
}

static bool
has_anything(const struct claimant *claimant)
{
	return ledger_holdings(claimant->holders->ledger, claimant->uid) || claimant->revoked ||
	    claimant->rows_granted || claimant->rows_other;
}

static void
forget(struct claimant *claimant)
{
	struct holders *holders = claimant->holders;
	struct desk *desk = claimant->node ? desk_find(holders, claimant->node) : NULL;

	if (desk) {
		(void)tree_remove(&desk->claimants, claimant);
		desk_touch(desk); /* it may have been the last of a node that is gone */
	}
	(void)tree_remove(&holders->claimants, claimant);
	(void)tree_remove(&holders->work, claimant);
	(void)tree_remove(&holders->timed, claimant);
	free_claimant(claimant);
}

/* Allocations whose status tells about it: those that give it a row, and those that gave
 * it what it still has. */
void
claimant_moved(const struct claimant *claimant)
{
	struct holders *holders = claimant->holders;
	const struct wants_of_pod *wants = wants_find(&holders->wants, claimant->pod);
	const struct holdings *holdings = ledger_holdings(holders->ledger, claimant->uid);

	for (unsigned i = 0; wants && i < wants->count; i++) {
		const struct declared *declared =
		    world_find(holders->spec.world, wants->list[i].allocation);
		if (declared)
			holders->spec.events->moved(holders->spec.cookie, declared->path);
	}
	for (unsigned i = 0; holdings && i < holdings->count; i++)
		if (holdings->list[i]->allocation)
			holders->spec.events->moved(
			    holders->spec.cookie, holdings->list[i]->allocation);
}

/* Those that wait for its addresses say for what. */
static void
tell_waiting(const struct claimant *claimant)
{
	struct ledger *ledger = claimant->holders->ledger;
	const struct holdings *holdings = ledger_holdings(ledger, claimant->uid);

	for (unsigned i = 0; holdings && i < holdings->count; i++)
		ledger_touch_waiting(ledger, holdings->list[i]->block);
}

/* What its node shall be told from now on; takes why over. */
void
holders_say(struct holders *holders, enum word word, struct claimant *claimant, char *why)
{
	bool same = claimant->word == word &&
	    (why ? claimant->why && strcmp(why, claimant->why) == 0 : !claimant->why);
	struct desk *desk = claimant->node ? desk_find(holders, claimant->node) : NULL;

	if (word == WORD_HOLD) {
		(void)tree_add(&holders->timed, claimant);
		if (claimant->word != WORD_HOLD)
			claimant->waits_since = holders->now;
	} else if (claimant->word == WORD_HOLD) {
		mem_free(claimant->told); /* when it waits once more, that is news */
		claimant->told = NULL;
	}
	claimant->word = word;
	mem_free(claimant->why);
	claimant->why = why;
	if (desk)
		desk_touch(desk);
	claimant_tell(claimant);
	if (same)
		return;
	claimant_moved(claimant);
	tell_waiting(claimant);
}

/* ---- what was touched ------------------------------------------------------------------ */

void
holders_pod_touched(struct holders *holders, const char *pod, const char *uid)
{
	struct claimant *claimant = claimant_find(holders, uid);

	if (!claimant && wants_find(&holders->wants, pod))
		claimant = claimant_make(holders, uid, pod);
	if (claimant)
		claimant_touch(claimant);
}

/* The pod that has this name now. */
static void
touch_named(struct holders *holders, const char *name)
{
	const char *slash = strchr(name, '/');
	scoped_free char *namespace = mem_format("%.*s", (int)(slash - name), name);
	const struct pod *pod = world_find_pod(holders->spec.world, namespace, slash + 1);

	if (pod)
		holders_pod_touched(holders, name, pod->uid);
}

void
holders_row_given(struct holders *holders, const char *key, const char *allocation)
{
	scoped_free char *pod = wants_put(&holders->wants, key, allocation);

	if (pod)
		touch_named(holders, pod);
}

void
holders_row_taken(struct holders *holders, const char *key)
{
	scoped_free char *pod = wants_drop(&holders->wants, key);

	if (pod)
		touch_named(holders, pod);
}

void
holders_node_touched(struct holders *holders, const char *node)
{
	struct desk *desk = desk_make(holders, node);
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);

	desk_touch(desk);
	for (size_t i = 0; i < count; i++)
		claimant_touch(claimants[i]);
}

static void
on_touched(void *cookie, const char *uid)
{
	struct holders *holders = cookie;
	const struct holdings *holdings = ledger_holdings(holders->ledger, uid);
	struct claimant *claimant = claimant_find(holders, uid);

	if (!claimant && holdings)
		claimant = claimant_make(holders, uid, holdings->list[0]->pod);
	if (!claimant)
		return;
	for (unsigned i = 0; holdings && i < holdings->count; i++)
		if (holdings->list[i]->node)
			desk_join(holders, claimant, holdings->list[i]->node);
	claimant_touch(claimant);
}

static void
on_entry_moved(void *cookie, const char *allocation)
{
	struct holders *holders = cookie;

	holders->spec.events->moved(holders->spec.cookie, allocation);
}

static void
on_dirty_block(void *cookie, struct block *block)
{
	struct holders *holders = cookie;

	(void)tree_add(&holders->dirty_blocks, block);
}

static void
on_block(void *cookie, const struct stored *stored)
{
	struct holders *holders = cookie;
	struct err err = {0};

	if (!stored->object) {
		struct block *block = ledger_block_named(holders->ledger, stored->name);
		if (block && (block->count || block->unreadable))
			rebuild_anew(holders, "a StaticIPBlock with entries is gone");
	}
	if (ledger_observe(holders->ledger, stored->name, stored->object, stored->live, &err))
		log_line(LOG_LEVEL_ERROR, "%s; its addresses are not given to anybody", err.text);
	holders->spec.events->wake(holders->spec.cookie);
}

static void
on_node(void *cookie, const struct stored *stored)
{
	struct holders *holders = cookie;

	desk_observe(holders, stored);
	holders->spec.events->wake(holders->spec.cookie);
}

static void
on_record(void *cookie, const struct stored *stored)
{
	struct holders *holders = cookie;

	(void)stored;
	holders->spec.events->wake(holders->spec.cookie);
}

static void
on_fault(void *cookie, const struct err *err)
{
	struct holders *holders = cookie;

	log_line(LOG_LEVEL_WARN, "ledger: %s", err->text);
	if (err->code == ENOTRECOVERABLE)
		holders->spec.events->went_back(holders->spec.cookie, err);
}

/* ---- running ----------------------------------------------------------------------------- */

bool
holders_synced(const struct holders *holders)
{
	return store_synced(holders->blocks) && store_synced(holders->nodes) &&
	    store_synced(holders->record);
}

/* What nodes report that the ledger does not know: pods from before there was one, or
 * from before it was lost. */
static void
hear_nodes(struct holders *holders)
{
	size_t count = holders->dirty_desks.count;
	scoped_free void **desks = tree_items(&holders->dirty_desks);

	for (size_t i = 0; i < count; i++) {
		struct desk *desk = desks[i];
		const struct stored *node = store_find(holders->nodes, desk->name);
		desk->reported = desk->reported && node && node->object &&
		    rebuild_adopt(holders, node);
	}
}

/* A Node that is gone counts as long as a pod of its name has something. */
static bool
machine_needed(void *cookie, const char *name, const struct machine *machine)
{
	const struct desk *desk = desk_find(cookie, name);

	(void)machine;
	return desk && desk->claimants.count > 0;
}

/* Grace periods pass, looks are repeated. */
static void
sweep(struct holders *holders)
{
	size_t count = holders->timed.count;

	if (holders->now < holders->sweep_at)
		return;
	holders->sweep_at = holders->now + sweep_s;
	scoped_free void **timed = tree_items(&holders->timed);
	for (size_t i = 0; i < count; i++) {
		(void)tree_remove(&holders->timed, timed[i]);
		claimant_touch(timed[i]);
	}
	machines_forget(holders->spec.machines, machine_needed, holders);
}

static void
settle_work(struct holders *holders)
{
	size_t count = holders->work.count;
	scoped_free void **work = tree_items(&holders->work);

	for (size_t i = 0; i < count; i++) {
		struct claimant *claimant = work[i];
		(void)tree_remove(&holders->work, claimant);
		claimant->dirty = false;
		settle(claimant);
	}
}

/* What one gives up another takes in the same write: a second look, and not one without
 * end. */
static void
settle_touched(struct holders *holders)
{
	for (unsigned i = 0; i < settle_passes && holders->work.count; i++)
		settle_work(holders);
}

static void
write_blocks(struct holders *holders)
{
	size_t count = holders->dirty_blocks.count;
	scoped_free void **blocks = tree_items(&holders->dirty_blocks);
	char now[32];
	time_t seconds = time(NULL);
	struct tm broken;

	(void)strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &broken));
	for (size_t i = 0; i < count; i++) {
		struct block *block = blocks[i];
		const struct stored *stored = store_find(holders->blocks, block->name);
		(void)tree_remove(&holders->dirty_blocks, block);
		if (stored && stored->busy)
			continue; /* who wants something asks again when that is done */
		struct json_object *next = ledger_next(block, now);
		if (next)
			(void)store_write(holders->blocks, block->name, next);
	}
}

static void
write_nodes(struct holders *holders)
{
	size_t count = holders->dirty_desks.count;
	scoped_free void **desks = tree_items(&holders->dirty_desks);

	for (size_t i = 0; i < count; i++)
		desk_run(desks[i]);
}

/* Nodes and others ask for what does not exist, with whatever names. */
static void
forget_unused(struct holders *holders)
{
	if (holders->now < holders->forget_at || holders->dirty_blocks.count)
		return;
	holders->forget_at = holders->now + forget_s;
	ledger_forget_unused(holders->ledger);
}

void
holders_run(struct holders *holders)
{
	holders->now = clock_seconds();
	if (!rebuild_run(holders))
		return;
	sweep(holders);
	hear_nodes(holders);
	settle_touched(holders);
	write_blocks(holders);
	write_nodes(holders);
	forget_unused(holders);
}

/* ---- life ---------------------------------------------------------------------------------- */

static const struct store_events block_events = {.changed = on_block, .fault = on_fault};
static const struct store_events node_events = {.changed = on_node, .fault = on_fault};
static const struct store_events record_events = {.changed = on_record, .fault = on_fault};
static const struct ledger_events ledger_events = {
    .touched = on_touched, .moved = on_entry_moved, .dirty = on_dirty_block};

static struct store *
open_store(struct holders *holders, const char *path, const char *selector,
    const struct store_events *events)
{
	struct store_spec spec = {.path = path, .field_selector = selector,
	    .ticks = &holders->ticks, .events = events, .cookie = holders};

	return store_new(holders->spec.loop, holders->spec.kube, &spec);
}

struct holders *
holders_new(const struct holders_spec *spec)
{
	struct holders *holders = mem_new(1, sizeof(*holders));
	scoped_free char *maps =
	    mem_format("/api/v1/namespaces/%s/configmaps", spec->tables_namespace);

	static const double handshake_bounds[] = {
	    0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600};

	holders->spec = *spec;
	holders->handshakes.bounds = handshake_bounds;
	holders->handshakes.bound_count = sizeof(handshake_bounds) / sizeof(handshake_bounds[0]);
	holders->tables_namespace = mem_text(spec->tables_namespace);
	holders->wants = wants_make();
	holders->claimants = tree_make(compare_claimants);
	holders->work = tree_make(compare_claimants);
	holders->timed = tree_make(compare_claimants);
	holders->desks = tree_make(compare_desks);
	holders->dirty_desks = tree_make(compare_desks);
	holders->dirty_blocks = tree_make(compare_blocks);
	holders->ahead = tree_make(compare_desks);
	holders->ledger = ledger_new(&ledger_events, holders);
	holders->blocks = open_store(
	    holders, "/apis/staticip.dev/v1alpha1/staticipblocks", NULL, &block_events);
	holders->nodes = open_store(
	    holders, "/apis/staticip.dev/v1alpha1/staticipnodes", NULL, &node_events);
	holders->record =
	    open_store(holders, maps, "metadata.name=staticip-ledger", &record_events);
	return holders;
}

void
holders_free(struct holders *holders)
{
	if (!holders)
		return;
	if (holders->doubting)
		kube_cancel(holders->doubting);
	store_free(holders->blocks);
	store_free(holders->nodes);
	store_free(holders->record);
	tree_release(&holders->work, NULL);
	tree_release(&holders->timed, NULL);
	tree_release(&holders->dirty_blocks, NULL);
	tree_release(&holders->claimants, free_claimant);
	tree_release(&holders->dirty_desks, NULL);
	tree_release(&holders->ahead, NULL);
	tree_release(&holders->desks, desk_free);
	wants_release(&holders->wants);
	ledger_free(holders->ledger);
	mem_free(holders->epoch);
	mem_free(holders->start);
	mem_free(holders->missing);
	mem_free(holders->tables_namespace);
	mem_free(holders);
}
