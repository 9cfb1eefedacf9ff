#include "controller/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/ledger_text.h"
#include "core/mem.h"

enum change_kind { CHANGE_CLAIM, CHANGE_PLACE, CHANGE_RELEASE, CHANGE_RELEASE_UNPLACED };

struct change {
	enum change_kind kind;
	struct held held; /* what is wanted; of a release only uid */
	unsigned least;   /* of a place: what the pod must hold in the block */
};

struct ledger {
	struct tree blocks;   /* by name */
	struct tree holdings; /* by uid */
	size_t count;
	const struct ledger_events *events;
	void *cookie;
};

static int
compare_blocks(const void *a, const void *b)
{
	return strcmp(((const struct block *)a)->name, ((const struct block *)b)->name);
}

static int
compare_holdings(const void *a, const void *b)
{
	return strcmp(((const struct holdings *)a)->uid, ((const struct holdings *)b)->uid);
}

struct ledger *
ledger_new(const struct ledger_events *events, void *cookie)
{
	struct ledger *ledger = mem_new(1, sizeof(*ledger));

	ledger->blocks = tree_make(compare_blocks);
	ledger->holdings = tree_make(compare_holdings);
	ledger->events = events;
	ledger->cookie = cookie;
	return ledger;
}

static void
forget_changes(struct block *block)
{
	for (unsigned i = 0; i < block->change_count; i++)
		held_release(&block->changes[i].held);
	block->change_count = 0;
	for (unsigned i = 0; i < block->count; i++)
		block->entries[i].leaving = false;
}

static void
free_block(void *item)
{
	struct block *block = item;

	forget_changes(block);
	for (unsigned i = 0; i < block->count; i++)
		held_release(&block->entries[i]);
	for (unsigned i = 0; i < block->waiting_count; i++)
		mem_free(block->waiting[i]);
	mem_free(block->changes);
	mem_free(block->entries);
	mem_free(block->waiting);
	mem_free(block->name);
	mem_free(block->domain);
	mem_free(block);
}

static void
free_holdings(void *item)
{
	struct holdings *holdings = item;

	mem_free(holdings->list);
	mem_free(holdings);
}

void
ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	tree_release(&ledger->holdings, free_holdings);
	tree_release(&ledger->blocks, free_block);
	mem_free(ledger);
}

/* ---- who holds what ---------------------------------------------------------------- */

static struct holdings *
find_holdings(const struct ledger *ledger, const char *uid)
{
	struct holdings wanted = {.uid = uid};

	return tree_find(&ledger->holdings, &wanted);
}

static void
join(struct ledger *ledger, struct held *held)
{
	struct holdings *holdings = find_holdings(ledger, held->uid);

	if (!holdings) {
		holdings = mem_new(1, sizeof(*holdings));
		holdings->uid = held->uid;
		(void)tree_add(&ledger->holdings, holdings);
	}
	holdings->list =
	    mem_resize(holdings->list, holdings->count + 1, sizeof(struct held *));
	holdings->list[holdings->count++] = held;
	ledger->count++;
}

/* The tree's key is the uid of some entry: another one's when that entry goes. */
static void
leave(struct ledger *ledger, const struct held *held)
{
	struct holdings *holdings = find_holdings(ledger, held->uid);
	unsigned kept = 0;

	(void)tree_remove(&ledger->holdings, holdings);
	for (unsigned i = 0; i < holdings->count; i++)
		if (holdings->list[i] != held)
			holdings->list[kept++] = holdings->list[i];
	holdings->count = kept;
	ledger->count--;
	if (!kept) {
		free_holdings(holdings);
		return;
	}
	holdings->uid = holdings->list[0]->uid;
	(void)tree_add(&ledger->holdings, holdings);
}

void
ledger_touch_waiting(struct ledger *ledger, struct block *block)
{
	char **waiting = block->waiting;
	unsigned count = block->waiting_count;

	block->waiting = NULL;
	block->waiting_count = 0;
	for (unsigned i = 0; i < count; i++) {
		ledger->events->touched(ledger->cookie, waiting[i]);
		mem_free(waiting[i]);
	}
	mem_free(waiting);
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Tells of the entries in list that the other list does not have: all pods of a block
 * need not look at each of its changes. */
static void
tell_differing(struct ledger *ledger, const struct held *list, unsigned count,
    const struct held *others, unsigned other_count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;
		while (k < other_count &&
		    (!ip_equal(&list[i].ip, &others[k].ip) ||
		        strcmp(list[i].uid, others[k].uid) != 0 ||
		        !same_text(list[i].node, others[k].node) ||
		        !same_text(list[i].node_uid, others[k].node_uid)))
			k++;
		if (k < other_count)
			continue;
		ledger->events->touched(ledger->cookie, list[i].uid);
		if (list[i].allocation)
			ledger->events->moved(ledger->cookie, list[i].allocation);
	}
}

static void
replace_entries(struct ledger *ledger, struct block *block, struct held *entries, unsigned count)
{
	struct held *old = block->entries;
	unsigned old_count = block->count;

	for (unsigned i = 0; i < old_count; i++)
		leave(ledger, &old[i]);
	block->entries = entries;
	block->count = count;
	for (unsigned i = 0; i < count; i++) {
		entries[i].block = block;
		join(ledger, &entries[i]);
	}
	tell_differing(ledger, old, old_count, entries, count);
	tell_differing(ledger, entries, count, old, old_count);
	for (unsigned i = 0; i < old_count; i++)
		held_release(&old[i]);
	mem_free(old);
}

/* ---- blocks -------------------------------------------------------------------------- */

struct block *
ledger_block_named(const struct ledger *ledger, const char *name)
{
	scoped_free char *copy = mem_text(name);
	struct block wanted = {.name = copy};

	return tree_find(&ledger->blocks, &wanted);
}

static struct block *
make_block(struct ledger *ledger, const char *name, const char *domain, const struct cidr *cidr)
{
	struct block *block = mem_new(1, sizeof(*block));

	block->name = mem_text(name);
	block->domain = mem_text(domain);
	block->cidr = *cidr;
	(void)tree_add(&ledger->blocks, block);
	return block;
}

/* Its name alone is known, for it is made of domain and cidr: who looks for the block of
 * an address finds it. */
static struct block *
make_unknown(struct ledger *ledger, const char *name)
{
	return make_block(ledger, name, "", &(struct cidr){0});
}

/* Takes domain over. */
static void
set_frame(struct block *block, char *domain, const struct cidr *cidr)
{
	mem_free(block->domain);
	block->domain = domain;
	block->cidr = *cidr;
}

struct block *
ledger_block(struct ledger *ledger, const char *domain, const struct ip *ip)
{
	struct cidr cidr = block_cidr(ip);
	scoped_free char *name = block_name(domain, &cidr);
	struct block *block = ledger_block_named(ledger, name);

	if (!block)
		return make_block(ledger, name, domain, &cidr);
	if (!block->domain[0])
		set_frame(block, mem_text(domain), &cidr);
	return block;
}

void
ledger_forget_unused(struct ledger *ledger)
{
	size_t count = ledger->blocks.count;
	scoped_free void **blocks = tree_items(&ledger->blocks);

	for (size_t i = 0; i < count; i++) {
		struct block *block = blocks[i];
		if (block->exists || block->count || block->change_count || block->waiting_count)
			continue;
		(void)tree_remove(&ledger->blocks, block);
		free_block(block);
	}
}

static void
forget_block(struct ledger *ledger, struct block *block, uint64_t live)
{
	block->exists = block->unreadable = false;
	block->live = live;
	forget_changes(block);
	replace_entries(ledger, block, NULL, 0);
	ledger_touch_waiting(ledger, block);
}

/* What somebody holds in it is not known: written over, all would be free. */
static void
mark_unreadable(struct ledger *ledger, struct block *block, uint64_t live)
{
	block->exists = block->unreadable = true;
	block->live = live;
	forget_changes(block);
	ledger_touch_waiting(ledger, block);
}

int
ledger_observe(struct ledger *ledger, const char *name, struct json_object *object,
    uint64_t live, struct err *err)
{
	struct block *block = ledger_block_named(ledger, name);
	struct block_text text;

	if (!object) {
		if (block)
			forget_block(ledger, block, live);
		return 0;
	}
	int rc = block_decode(name, object, &text, err);
	if (rc) {
		mark_unreadable(ledger, block ? block : make_unknown(ledger, name), live);
		return rc;
	}
	if (!block)
		block = make_unknown(ledger, name);
	set_frame(block, text.domain, &text.cidr);
	block->exists = true;
	block->unreadable = false;
	block->live = live;
	forget_changes(block);
	replace_entries(ledger, block, text.entries, text.count);
	ledger_touch_waiting(ledger, block);
	return 0;
}

static struct held *
entry_of(const struct block *block, const struct ip *ip)
{
	for (unsigned i = 0; i < block->count; i++)
		if (ip_equal(&block->entries[i].ip, ip))
			return &block->entries[i];
	return NULL;
}

const struct held *
ledger_find(struct ledger *ledger, const char *domain, const struct ip *ip)
{
	return entry_of(ledger_block(ledger, domain, ip), ip);
}

const struct holdings *
ledger_holdings(const struct ledger *ledger, const char *uid)
{
	return find_holdings(ledger, uid);
}

size_t
ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}

void
ledger_each(const struct ledger *ledger,
    void (*visit)(void *cookie, const struct block *block), void *cookie)
{
	size_t count = ledger->blocks.count;
	scoped_free void **blocks = tree_items(&ledger->blocks);

	for (size_t i = 0; i < count; i++)
		visit(cookie, blocks[i]);
}

/* ---- changes --------------------------------------------------------------------------- */

static bool
is_asked(const struct block *block, const struct change *change)
{
	for (unsigned i = 0; i < block->change_count; i++)
		if (block->changes[i].kind == change->kind &&
		    strcmp(block->changes[i].held.uid, change->held.uid) == 0 &&
		    ip_equal(&block->changes[i].held.ip, &change->held.ip))
			return true;
	return false;
}

/* While a block is being written, its changes wait, and are asked for again and again. */
static void
add_change(struct ledger *ledger, struct block *block, struct change *change)
{
	/* it may be dropped; who asked before may have been touched meanwhile, and waits no more */
	ledger_wait(block, change->held.uid);
	if (is_asked(block, change)) {
		held_release(&change->held);
		return;
	}
	block->changes =
	    mem_resize(block->changes, block->change_count + 1, sizeof(*block->changes));
	block->changes[block->change_count++] = *change;
	ledger->events->dirty(ledger->cookie, block);
}

void
ledger_claim(struct ledger *ledger, struct block *block, const struct claim *claim)
{
	struct change change = {.kind = CHANGE_CLAIM,
	    .held = {.ip = claim->ip, .uid = mem_text(claim->uid), .pod = mem_text(claim->pod),
	        .node = mem_text(claim->node), .node_uid = mem_text(claim->node_uid),
	        .allocation = mem_text(claim->allocation)}};

	add_change(ledger, block, &change);
}

void
ledger_place_claimed(
    struct ledger *ledger, struct block *block, const struct claim *claim, unsigned least)
{
	struct change change = {.kind = CHANGE_PLACE, .least = least,
	    .held = {.uid = mem_text(claim->uid), .node = mem_text(claim->node),
	        .node_uid = mem_text(claim->node_uid)}};

	add_change(ledger, block, &change);
}

void
ledger_place(struct ledger *ledger, struct block *block, const char *uid, const char *node,
    const char *node_uid)
{
	const struct claim claim = {.uid = uid, .node = node, .node_uid = node_uid};

	ledger_place_claimed(ledger, block, &claim, 0);
}

/* Whether there was something that had not been leaving before. */
static bool
mark_leaving(struct block *block, const char *uid, bool placed_too)
{
	bool news = false;

	for (unsigned i = 0; i < block->count; i++) {
		struct held *held = &block->entries[i];
		if (strcmp(held->uid, uid) != 0 || (held->node && !placed_too))
			continue;
		news = news || !held->leaving;
		held->leaving = true;
	}
	return news;
}

void
ledger_release(struct ledger *ledger, struct block *block, const char *uid, bool placed_too)
{
	struct change change = {.kind = placed_too ? CHANGE_RELEASE : CHANGE_RELEASE_UNPLACED,
	    .held = {.uid = mem_text(uid)}};
	bool news = mark_leaving(block, uid, placed_too);

	add_change(ledger, block, &change);
	/* they still wait for what comes of it */
	for (unsigned i = 0; news && i < block->waiting_count; i++)
		ledger->events->touched(ledger->cookie, block->waiting[i]);
}

void
ledger_wait(struct block *block, const char *uid)
{
	for (unsigned i = 0; i < block->waiting_count; i++)
		if (strcmp(block->waiting[i], uid) == 0)
			return;
	block->waiting =
	    mem_resize(block->waiting, block->waiting_count + 1, sizeof(*block->waiting));
	block->waiting[block->waiting_count++] = mem_text(uid);
}

/* The list that is to become the block's: entries are borrowed, nothing is freed. */
struct draft {
	struct held *list;
	unsigned count;
	bool differs;
};

static void
apply_claim(struct draft *draft, const struct held *wanted, const char *now)
{
	for (unsigned i = 0; i < draft->count; i++)
		if (ip_equal(&draft->list[i].ip, &wanted->ip))
			return; /* somebody was faster */
	draft->list = mem_resize(draft->list, draft->count + 1, sizeof(*draft->list));
	draft->list[draft->count] = *wanted;
	draft->list[draft->count++].since = (char *)(uintptr_t)now;
	draft->differs = true;
}

static unsigned
count_held(const struct draft *draft, const char *uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < draft->count; i++)
		count += strcmp(draft->list[i].uid, uid) == 0;
	return count;
}

static void
apply_place(struct draft *draft, const struct held *wanted, unsigned least)
{
	if (count_held(draft, wanted->uid) < least)
		return;
	for (unsigned i = 0; i < draft->count; i++) {
		if (strcmp(draft->list[i].uid, wanted->uid) != 0 || draft->list[i].node)
			continue;
		draft->list[i].node = wanted->node;
		draft->list[i].node_uid = wanted->node_uid;
		draft->differs = true;
	}
}

static void
apply_release(struct draft *draft, const struct held *wanted, bool placed_too)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < draft->count; i++)
		if (strcmp(draft->list[i].uid, wanted->uid) != 0 ||
		    (draft->list[i].node && !placed_too))
			draft->list[kept++] = draft->list[i];
	draft->differs = draft->differs || kept != draft->count;
	draft->count = kept;
}

static void
apply(struct draft *draft, const struct change *change, const char *now)
{
	switch (change->kind) {
	case CHANGE_CLAIM:
		apply_claim(draft, &change->held, now);
		break;
	case CHANGE_PLACE:
		apply_place(draft, &change->held, change->least);
		break;
	case CHANGE_RELEASE:
	case CHANGE_RELEASE_UNPLACED:
		apply_release(draft, &change->held, change->kind == CHANGE_RELEASE);
		break;
	}
}

static int
compare_held(const void *a, const void *b)
{
	return ip_compare(&((const struct held *)a)->ip, &((const struct held *)b)->ip);
}

struct json_object *
ledger_next(struct block *block, const char *now)
{
	struct draft draft = {.count = block->count};
	struct json_object *object = NULL;

	draft.list = mem_new(block->count + 1, sizeof(*draft.list));
	if (block->count)
		memcpy(draft.list, block->entries, block->count * sizeof(*draft.list));
	for (unsigned i = 0; i < block->change_count; i++)
		apply(&draft, &block->changes[i], now);
	if (draft.differs && !block->unreadable) {
		qsort(draft.list, draft.count, sizeof(*draft.list), compare_held);
		object = block_encode(block, draft.list, draft.count);
	}
	mem_free(draft.list);
	forget_changes(block);
	return object;
}
