/* A pod that lives: from its creation to its grant (holders_private.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/mem.h"

static bool refused(struct claimant *claimant, const struct pod *pod);
static bool claim_all(struct claimant *claimant, const struct wish *wishes, unsigned count);
static void place_with_claims(struct claimant *claimant, struct block *block, unsigned claims);
static bool place_all(struct claimant *claimant, const struct wish *wishes, unsigned count);
static char *rebuild_words(const struct holders *holders);
static bool is_doubted(const struct claimant *claimant);
static char *doubted_words(const struct claimant *claimant);
static char *unreal_words(const struct claimant *claimant);

void
claimant_want(struct claimant *claimant)
{
	struct holders *holders = claimant->holders;
	const struct pod *pod = claimant_pod(claimant);

	if (claimant->gone || claimant->freed)
		claimant_return(claimant);
	if (pod->node)
		desk_join(holders, claimant, pod->node);
	if (refused(claimant, pod))
		return;
	if (claimant->revoked)
		claimant_begin_again(claimant);
	const struct stored *node =
	    claimant->node ? store_find(holders->nodes, claimant->node) : NULL;
	unsigned count = 0;
	scoped_free struct wish *wishes = claimant_wishes(claimant, node, &count);
	if (count == 0 || claimant->revoked)
		holders_say(holders, count ? WORD_KEEP : WORD_GRANT, claimant, NULL);
	else if (holders->rebuilding)
		holders_say(holders, WORD_HOLD, claimant, rebuild_words(holders));
	else if (is_doubted(claimant))
		holders_say(holders, WORD_HOLD, claimant, doubted_words(claimant));
	else if (!claim_all(claimant, wishes, count) || !pod->node)
		return;
	else if (!desk_is_real(holders, claimant->node))
		holders_say(holders, WORD_HOLD, claimant, unreal_words(claimant));
	else if (place_all(claimant, wishes, count))
		holders_say(holders, WORD_GRANT, claimant, NULL);
}

/* ---- what it wants ---------------------------------------------------------------------- */

static int
compare_wishes(const void *a, const void *b)
{
	const struct wish *x = a;
	const struct wish *y = b;
	int order = strcmp(x->holding->domain, y->holding->domain);

	return order ? order : ip_compare(&x->ip, &y->ip);
}

static void
add_wishes(struct wish **list, unsigned *count, const struct want *want,
    const struct holding *holding, const struct wanted *row)
{
	*list = mem_resize(*list, *count + row->entry.ip_count, sizeof(**list));
	for (unsigned i = 0; i < row->entry.ip_count; i++)
		(*list)[(*count)++] = (struct wish){.want = want, .holding = holding, .row = row,
		    .ip = row->entry.ips[i].ip};
}

struct wish *
claimant_wishes(
    const struct claimant *claimant, const struct stored *node, unsigned *ret_count)
{
	const struct holders *holders = claimant->holders;
	const struct wants_of_pod *wants = wants_find(&holders->wants, claimant->pod);
	struct wish *list = NULL;
	unsigned count = 0;

	for (unsigned i = 0; wants && i < wants->count; i++) {
		const struct holding *holding;
		const struct wanted *row =
		    wants_row(holders->spec.arbiter, &wants->list[i], &holding);
		if (row && (holders->withdrawn || !node_has_grant(node, row->key, claimant->uid)))
			add_wishes(&list, &count, &wants->list[i], holding, row);
	}
	if (count)
		qsort(list, count, sizeof(*list), compare_wishes);
	*ret_count = count;
	return list;
}

/* Rows go by a pod's name: one that merely has the name of a StatefulSet's ordinal gets
 * nothing (I8). */
static bool
refused(struct claimant *claimant, const struct pod *pod)
{
	struct holders *holders = claimant->holders;
	const struct wants_of_pod *wants = wants_find(&holders->wants, claimant->pod);

	for (unsigned i = 0; wants && i < wants->count; i++) {
		const struct declared *declared =
		    world_find(holders->spec.world, wants->list[i].allocation);
		if (!declared || !declared->spec || declared->spec->kind != TARGET_STATEFUL_SET)
			continue;
		scoped_free char *owner = mem_format("StatefulSet/%s", declared->spec->target);
		if (pod->owner && strcmp(pod->owner, owner) == 0)
			continue;
		holders_say(holders, WORD_REFUSE, claimant,
		    mem_format("StaticIPAllocation %s is for the pods of %s; pod %s only has the "
		        "name of one of them: rename it, or make an allocation for it",
		        declared->path, owner, claimant->pod));
		return true;
	}
	return false;
}

/* ---- claiming ----------------------------------------------------------------------------- */

static char *
rebuild_words(const struct holders *holders)
{
	return mem_format("the ledger of addresses is being rebuilt from what the nodes report; "
	    "no answer yet from %s. A node that will not answer can be left out: delete its Node "
	    "object, taint it node.kubernetes.io/out-of-service, or label it "
	    "staticip.dev/agent=none where staticip never ran",
	    holders->missing ? holders->missing : "the API server");
}

/* Its node's word stands, and is not followed. */
static bool
is_doubted(const struct claimant *claimant)
{
	const struct holders *holders = claimant->holders;

	return holders->ahead.count && claimant->node &&
	    ahead_stands(holders, desk_find(holders, claimant->node));
}

static char *
doubted_words(const struct claimant *claimant)
{
	return mem_format("node %s says that it is ahead of the API server, and all nodes were asked for "
	    "that a short while ago: nothing is granted on it until its agent answers as others do "
	    "(the controller's log and events of StaticIPNode %s say more)",
	    claimant->node, claimant->node);
}

static char *
unreal_words(const struct claimant *claimant)
{
	return mem_format("there is no Node %s: whoever made the pod wrote that name into spec.nodeName; "
	    "make the pod anew without, or wait for the Node", claimant->node);
}

static char *
blocked_words(const struct holders *holders, const struct held *by)
{
	const struct claimant *holder = claimant_find(holders, by->uid);
	bool leaving = holder && holder->word == WORD_REVOKE;
	struct held_summary held = {.uid = by->uid, .pod = by->pod, .node = by->node,
	    .since = by->since ? by->since : "an unknown time",
	    .why = leaving ? holder->why : NULL};
	char words[GRANT_WORDS_MAX + 1];

	held_describe(&held, &by->ip, words);
	return mem_text(words);
}

static void
wait_for(struct claimant *claimant, const struct held *by)
{
	struct holders *holders = claimant->holders;

	ledger_wait(by->block, claimant->uid);
	holders_say(holders, WORD_HOLD, claimant, blocked_words(holders, by));
}

static void
claim(struct claimant *claimant, struct block *block, const struct wish *wish)
{
	const struct claim claim = {.ip = wish->ip, .uid = claimant->uid, .pod = claimant->pod,
	    .allocation = wish->holding->name};

	ledger_claim(claimant->holders->ledger, block, &claim);
}

static bool
hold_unreadable(struct claimant *claimant, struct block *block)
{
	ledger_wait(block, claimant->uid);
	holders_say(claimant->holders, WORD_HOLD, claimant,
	    mem_format("StaticIPBlock %s cannot be read (the controller's log says why), so nobody "
	        "knows who holds its addresses: put it right, or delete it to have it made "
	        "anew from what the nodes report", block->name));
	return false;
}

static void
place(struct claimant *claimant, struct block *block, unsigned least)
{
	struct holders *holders = claimant->holders;
	const struct machine *machine = machines_find(holders->spec.machines, claimant->node);
	const struct claim where = {.uid = claimant->uid, .node = claimant->node,
	    .node_uid = machine ? machine->uid : NULL};

	ledger_place_claimed(holders->ledger, block, &where, least);
}

/* Its own, or nobody's, or on its way out of another's hands. */
static bool
is_to_be_had(const struct claimant *claimant, const struct wish *wish)
{
	struct ledger *ledger = claimant->holders->ledger;
	const struct held *held = ledger_find(ledger, wish->holding->domain, &wish->ip);

	if (ledger_block(ledger, wish->holding->domain, &wish->ip)->unreadable)
		return false;
	return !held || held->leaving || strcmp(held->uid, claimant->uid) == 0;
}

/* In the order of domain and address, one block after the other, so that two that want
 * the same addresses never wait for each other (model pair.pml, NO_ORDER). True: all are
 * its own. */
static bool
claim_all(struct claimant *claimant, const struct wish *wishes, unsigned count)
{
	struct ledger *ledger = claimant->holders->ledger;
	struct block *open = NULL; /* where something is being claimed */
	unsigned claims = 0, seen = 0;

	for (; seen < count; seen++) {
		const struct wish *wish = &wishes[seen];
		struct block *block = ledger_block(ledger, wish->holding->domain, &wish->ip);
		const struct held *held = ledger_find(ledger, wish->holding->domain, &wish->ip);
		if (block->unreadable && !open)
			return hold_unreadable(claimant, block);
		if (held && strcmp(held->uid, claimant->uid) == 0 && !block->unreadable)
			continue;
		if (open && block != open)
			break;
		if (held && !held->leaving) {
			wait_for(claimant, held);
			return false;
		}
		open = block;
		claims++;
		claim(claimant, block, wish);
	}
	while (seen < count && is_to_be_had(claimant, &wishes[seen]))
		seen++;
	if (open && seen == count)
		place_with_claims(claimant, open, claims);
	if (open)
		holders_say(claimant->holders, WORD_KEEP, claimant, NULL);
	return !open;
}

/* The claims name the node in the same write when all else is its own, or can be claimed
 * next (model: EARLY). Where another is faster behind this, it waits with a node in its
 * entries, and they go on proof only. */
static void
place_with_claims(struct claimant *claimant, struct block *block, unsigned claims)
{
	struct holders *holders = claimant->holders;
	const struct holdings *holdings = ledger_holdings(holders->ledger, claimant->uid);

	for (unsigned i = 0; holdings && i < holdings->count; i++)
		claims += holdings->list[i]->block == block;
	if (claimant->node && desk_is_real(holders, claimant->node))
		place(claimant, block, claims);
}

/* Its node goes into the entries only when all of them are its own (model: NO_PLACED_STAYS).
 * True: it stands in all of them. */
static bool
place_all(struct claimant *claimant, const struct wish *wishes, unsigned count)
{
	struct holders *holders = claimant->holders;
	bool all = true;

	for (unsigned i = 0; i < count; i++) {
		const struct held *held =
		    ledger_find(holders->ledger, wishes[i].holding->domain, &wishes[i].ip);
		if (held->node)
			continue;
		place(claimant, held->block, 0);
		all = false;
	}
	if (!all)
		holders_say(holders, WORD_KEEP, claimant, NULL);
	return all;
}
