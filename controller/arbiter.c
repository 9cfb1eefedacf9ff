#include "controller/arbiter.h"

#include <string.h>

#include "core/mem.h"
#include "core/tree.h"

/* One thing that only one row can have: a key (ip.family 0), or an address of a
 * domain. */
struct claim {
	const char *domain; /* or the key; the holding's */
	struct ip ip;
	const struct holding *holder;
};

struct arbiter {
	struct tree holdings; /* by uid */
	struct tree waiting;  /* those with refused rows, oldest first */
	struct tree claims;
	const struct arbiter_events *events;
	void *cookie;
};

static int
compare_uid(const void *a, const void *b)
{
	return strcmp(((const struct holding *)a)->uid, ((const struct holding *)b)->uid);
}

/* R4 */
static int
compare_age(const void *a, const void *b)
{
	const struct holding *x = a;
	const struct holding *y = b;
	int order = strcmp(x->created, y->created);

	return order ? order : strcmp(x->uid, y->uid);
}

static int
compare_claim(const void *a, const void *b)
{
	const struct claim *x = a;
	const struct claim *y = b;
	int order = ip_compare(&x->ip, &y->ip);

	return order ? order : strcmp(x->domain, y->domain);
}

struct arbiter *
arbiter_new(const struct arbiter_events *events, void *cookie)
{
	struct arbiter *arbiter = mem_new(1, sizeof(*arbiter));

	arbiter->holdings = tree_make(compare_uid);
	arbiter->waiting = tree_make(compare_age);
	arbiter->claims = tree_make(compare_claim);
	arbiter->events = events;
	arbiter->cookie = cookie;
	return arbiter;
}

void
holding_free(struct holding *holding)
{
	if (!holding)
		return;
	for (unsigned i = 0; i < holding->row_count; i++) {
		mem_free(holding->rows[i].key);
		mem_free(holding->rows[i].refusal);
		mem_free(holding->rows[i].entry.ips);
		mem_free(holding->rows[i].entry.gateways);
	}
	mem_free(holding->rows);
	mem_free(holding->uid);
	mem_free(holding->name);
	mem_free(holding->created);
	mem_free(holding->domain);
	mem_free(holding->network);
	mem_free(holding->routes);
	mem_free(holding);
}

static void
free_holding(void *item)
{
	holding_free(item);
}

void
arbiter_free(struct arbiter *arbiter)
{
	if (!arbiter)
		return;
	tree_release(&arbiter->claims, mem_free);
	tree_release(&arbiter->waiting, NULL);
	tree_release(&arbiter->holdings, free_holding);
	mem_free(arbiter);
}

static struct claim
claim_key(const struct wanted *row)
{
	return (struct claim){.domain = row->key};
}

static struct claim
claim_address(const struct holding *holding, const struct ip *ip)
{
	return (struct claim){.domain = holding->domain, .ip = *ip};
}

static void
take(struct arbiter *arbiter, struct claim claim, const struct holding *holder)
{
	struct claim *taken = mem_new(1, sizeof(*taken));

	claim.holder = holder;
	*taken = claim;
	/* was free: blocked() looked. But a table written by another hand may name
	 * one address twice in a row. */
	if (tree_add(&arbiter->claims, taken))
		mem_free(taken);
}

static void
give_back(struct arbiter *arbiter, struct claim claim)
{
	mem_free(tree_remove(&arbiter->claims, &claim));
}

static void
refuse(struct wanted *row, const char *reason, char *refusal)
{
	mem_free(row->refusal);
	row->reason = reason;
	row->refusal = refusal;
}

/* R1, R2: whether somebody is in the way; says who. */
static bool
blocked(const struct arbiter *arbiter, const struct holding *holding, struct wanted *row)
{
	char text[ADDRESS_TEXT_MAX];
	struct claim claim = claim_key(row);
	const struct claim *other = tree_find(&arbiter->claims, &claim);

	if (other) {
		refuse(row, "TargetConflict", mem_format(
		    "%s has its row from StaticIPAllocation %s: one allocation per pod and network (rule R1)",
		    row->key, other->holder->name));
		return true;
	}
	for (unsigned i = 0; i < row->entry.ip_count; i++) {
		claim = claim_address(holding, &row->entry.ips[i].ip);
		other = tree_find(&arbiter->claims, &claim);
		if (!other)
			continue;
		refuse(row, "AddressConflict", mem_format(
		    "%s on network %s belongs to StaticIPAllocation %s: choose another address, or take it out there (rule R2)",
		    ip_print(&row->entry.ips[i].ip, text), holding->network,
		    other->holder->name));
		return true;
	}
	return false;
}

/* R5. Returns whether the row is granted now. */
static bool
try_grant(struct arbiter *arbiter, struct holding *holding, struct wanted *row)
{
	if (blocked(arbiter, holding, row))
		return false;
	refuse(row, NULL, NULL);
	take(arbiter, claim_key(row), holding);
	for (unsigned i = 0; i < row->entry.ip_count; i++)
		take(arbiter, claim_address(holding, &row->entry.ips[i].ip), holding);
	row->granted = true;
	return true;
}

static void
release(struct arbiter *arbiter, const struct holding *holding)
{
	for (unsigned i = 0; i < holding->row_count; i++) {
		const struct wanted *row = &holding->rows[i];
		if (!row->granted)
			continue;
		give_back(arbiter, claim_key(row));
		for (unsigned k = 0; k < row->entry.ip_count; k++)
			give_back(arbiter, claim_address(holding, &row->entry.ips[k].ip));
	}
}

static void
grant_all(struct arbiter *arbiter, struct holding *holding)
{
	holding->refused = 0;
	for (unsigned i = 0; i < holding->row_count; i++)
		if (!try_grant(arbiter, holding, &holding->rows[i]))
			holding->refused++;
	if (holding->refused)
		(void)tree_add(&arbiter->waiting, holding);
}

static bool
has_granted_key(const struct holding *holding, const char *key)
{
	/* rows are few per allocation, and mostly in the same place */
	for (unsigned i = 0; i < holding->row_count; i++)
		if (holding->rows[i].granted && strcmp(holding->rows[i].key, key) == 0)
			return true;
	return false;
}

static void
tell_granted(struct arbiter *arbiter, const struct holding *holding)
{
	for (unsigned i = 0; i < holding->row_count; i++)
		if (holding->rows[i].granted)
			arbiter->events->granted(arbiter->cookie, holding, &holding->rows[i]);
}

/* Withdraws the rows of old that now (NULL = gone) does not have. */
static void
tell_withdrawn(struct arbiter *arbiter, const struct holding *old, const struct holding *now)
{
	for (unsigned i = 0; i < old->row_count; i++) {
		const struct wanted *row = &old->rows[i];
		if (!row->granted)
			continue;
		if (now && i < now->row_count && now->rows[i].granted &&
		    strcmp(now->rows[i].key, row->key) == 0)
			continue;
		if (!now || !has_granted_key(now, row->key))
			arbiter->events->withdrawn(arbiter->cookie, row->key);
	}
}

/* Tries the refused rows of one that waits. Returns whether it was told anything
 * new: a row, or another reason. */
static bool
serve(struct arbiter *arbiter, struct holding *holding)
{
	bool news = false;

	for (unsigned i = 0; i < holding->row_count; i++) {
		struct wanted *row = &holding->rows[i];
		if (row->granted)
			continue;
		scoped_free char *before = mem_text(row->refusal);
		if (try_grant(arbiter, holding, row)) {
			holding->refused--;
			arbiter->events->granted(arbiter->cookie, holding, row);
		}
		news |= row->granted || strcmp(before, row->refusal) != 0;
	}
	return news;
}

/* R4: after something became free. */
static void
serve_waiting(struct arbiter *arbiter)
{
	size_t count = arbiter->waiting.count;
	scoped_free void **items = tree_items(&arbiter->waiting);

	for (size_t h = 0; h < count; h++) {
		struct holding *holding = items[h];
		bool news = serve(arbiter, holding);
		if (!holding->refused)
			(void)tree_remove(&arbiter->waiting, holding);
		if (news)
			arbiter->events->changed(arbiter->cookie, holding);
	}
}

void
arbiter_put(struct arbiter *arbiter, struct holding *holding)
{
	struct holding *old = tree_remove(&arbiter->holdings, holding);

	if (old) {
		(void)tree_remove(&arbiter->waiting, old);
		release(arbiter, old);
	}
	/* R3: at once, before anybody who waits is asked */
	grant_all(arbiter, holding);
	(void)tree_add(&arbiter->holdings, holding);
	if (old)
		tell_withdrawn(arbiter, old, holding);
	tell_granted(arbiter, holding);
	if (old)
		serve_waiting(arbiter);
	holding_free(old);
}

void
arbiter_remove(struct arbiter *arbiter, const char *uid)
{
	struct holding key = {.uid = mem_text(uid)};
	struct holding *old = tree_remove(&arbiter->holdings, &key);

	mem_free(key.uid);
	if (!old)
		return;
	(void)tree_remove(&arbiter->waiting, old);
	release(arbiter, old);
	tell_withdrawn(arbiter, old, NULL);
	serve_waiting(arbiter);
	holding_free(old);
}

const struct holding *
arbiter_find(const struct arbiter *arbiter, const char *uid)
{
	struct holding key = {.uid = mem_text(uid)};
	const struct holding *found = tree_find(&arbiter->holdings, &key);

	mem_free(key.uid);
	return found;
}
