/* What a node's StaticIPNode shall say: the next version, from what it says and what was
 * decided about the pods of the node (holders_private.h). Pure. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/bounds.h"
#include "core/mem.h"
#include "table/json.h"

struct plan {
	const struct desk *desk;
	const struct stored *seen;
	bool drop;
	void (*read)(struct holders *holders, const struct block *block);
	struct json_object *rows, *profiles, *revoked, *notes;
};

static size_t
length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool
text_is(struct json_object *object, const char *path, const char *text)
{
	const char *is = json_path_text(object, path);

	return is && strcmp(is, text) == 0;
}

/* The element of a list whose member is the text; NULL. */
static struct json_object *
find_item(struct json_object *array, const char *member, const char *text)
{
	for (size_t i = 0; i < length_of(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		if (text_is(item, member, text))
			return item;
	}
	return NULL;
}

bool
node_has_grant(const struct stored *seen, const char *key, const char *uid)
{
	struct json_object *rows = seen ? json_path(seen->object, "spec.rows") : NULL;

	for (size_t i = 0; i < length_of(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		if (text_is(row, "uid", uid) && text_is(row, "key", key))
			return text_is(row, "state", "Granted");
	}
	return false;
}

/* ---- profiles ----------------------------------------------------------------------------- */

static struct json_object *
list_ips(const struct ip *ips, unsigned count)
{
	struct json_object *array = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(ip_print(&ips[i], text)));
	return array;
}

static struct json_object *
make_profile(const struct holding *holding)
{
	struct json_object *profile = json_object_new_object();

	json_put_text(profile, "name", holding->name);
	json_put_text(profile, "uid", holding->uid);
	if (holding->gateway_count)
		json_object_object_add(
		    profile, "gateways", list_ips(holding->gateways, holding->gateway_count));
	if (holding->routes->count)
		json_object_object_add(profile, "routes",
		    routes_encode(holding->routes->list, holding->routes->count));
	return profile;
}

/* Rows without their profile are refused by the agent, and all others with them (I6). */
static struct json_object *
make_bare_profile(const char *name)
{
	struct json_object *profile = json_object_new_object();

	json_put_text(profile, "name", name);
	json_put_text(profile, "uid", "unknown");
	return profile;
}

static void
add_profile(struct plan *plan, const char *name, const struct holding *holding)
{
	struct json_object *old =
	    find_item(json_path(plan->seen->object, "spec.profiles"), "name", name);

	if (find_item(plan->profiles, "name", name))
		return;
	json_object_array_add(plan->profiles,
	    holding  ? make_profile(holding)
	        : old ? json_object_get(old)
	              : make_bare_profile(name));
}

/* Of a grant that is kept: the allocation's as it is now, or as it was when it is gone. */
static void
keep_profile(struct plan *plan, const char *name)
{
	const struct holders *holders = plan->desk->holders;
	const struct declared *declared = world_find_named(holders->spec.world, name);

	add_profile(plan, name,
	    declared ? arbiter_find(holders->spec.arbiter, declared->uid) : NULL);
}

/* ---- grants --------------------------------------------------------------------------------- */

static bool
has_room(struct json_object *list)
{
	return json_object_array_length(list) < GRANTS_MAX;
}

/* What was granted stays as it was, for as long as the pod lives. */
static void
keep_grants(struct plan *plan, const struct claimant *claimant)
{
	struct json_object *rows = json_path(plan->seen->object, "spec.rows");

	for (size_t i = 0; i < length_of(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *profile = json_path_text(row, "profile");
		if (!text_is(row, "uid", claimant->uid) || !text_is(row, "state", "Granted") ||
		    !profile || !json_path_text(row, "key") || !has_room(plan->rows))
			continue;
		json_object_array_add(plan->rows, json_object_get(row));
		keep_profile(plan, profile);
	}
}

/* A grant needs every entry read directly after this version of the StaticIPNode came in:
 * then nobody can have revoked it in between without the write failing (model:
 * NO_ENTRY_AGAIN, NO_ROW_CAS). */
static bool
entries_stand(struct plan *plan, const struct claimant *claimant, const struct wish *wishes,
    unsigned count)
{
	struct holders *holders = plan->desk->holders;
	bool stand = true;

	for (unsigned i = 0; i < count; i++) {
		const struct held *held =
		    ledger_find(holders->ledger, wishes[i].holding->domain, &wishes[i].ip);
		if (!held || held->block->unreadable || strcmp(held->uid, claimant->uid) != 0 ||
		    !held->node || strcmp(held->node, plan->desk->name) != 0)
			return false;
		if (held->block->live > plan->seen->received)
			continue;
		ledger_wait(held->block, claimant->uid);
		plan->read(holders, held->block);
		stand = false;
	}
	return stand;
}

static struct json_object *
begin_row(const char *key, const struct claimant *claimant, const char *state)
{
	struct json_object *row = json_object_new_object();

	json_put_text(row, "key", key);
	json_put_text(row, "uid", claimant->uid);
	json_put_text(row, "state", state);
	return row;
}

static struct json_object *
make_grant(const struct claimant *claimant, const struct wish *wish)
{
	struct json_object *row = begin_row(wish->row->key, claimant, "Granted");
	struct json_object *ips = json_object_new_array();
	const struct entry *entry = &wish->row->entry;
	char text[ADDRESS_TEXT_MAX];

	json_put_text(row, "domain", wish->holding->domain);
	for (unsigned i = 0; i < entry->ip_count; i++)
		json_object_array_add(
		    ips, json_object_new_string(cidr_print(&entry->ips[i], text)));
	json_object_object_add(row, "ips", ips);
	if (entry->gateway_count)
		json_object_object_add(
		    row, "gateways", list_ips(entry->gateways, entry->gateway_count));
	json_put_text(row, "profile", wish->holding->name);
	return row;
}

static bool
has_row(const struct plan *plan, const char *key, const char *uid)
{
	for (size_t i = 0; i < json_object_array_length(plan->rows); i++) {
		struct json_object *row = json_object_array_get_idx(plan->rows, i);
		if (text_is(row, "uid", uid) && text_is(row, "key", key))
			return true;
	}
	return false;
}

static void
add_grants(struct plan *plan, const struct claimant *claimant)
{
	unsigned count = 0;
	scoped_free struct wish *wishes = claimant_wishes(claimant, plan->seen, &count);

	if (!count || !entries_stand(plan, claimant, wishes, count))
		return;
	for (unsigned i = 0; i < count; i++) {
		if (has_row(plan, wishes[i].row->key, claimant->uid) || !has_room(plan->rows))
			continue;
		json_object_array_add(plan->rows, make_grant(claimant, &wishes[i]));
		add_profile(plan, wishes[i].holding->name, wishes[i].holding);
	}
}

/* A hold or a refusal, for each row that the pod wants and was not granted. */
static void
add_words(struct plan *plan, const struct claimant *claimant, const char *state)
{
	const struct wants_of_pod *wants =
	    wants_find(&plan->desk->holders->wants, claimant->pod);
	scoped_free char *message = mem_format("%.*s", GRANT_WORDS_MAX, claimant->why);

	for (unsigned i = 0; wants && i < wants->count && has_room(plan->rows); i++) {
		if (has_row(plan, wants->list[i].key, claimant->uid))
			continue;
		struct json_object *row = begin_row(wants->list[i].key, claimant, state);
		json_put_text(row, "message", message);
		json_object_array_add(plan->rows, row);
	}
}

/* What it was told to wait for stays while its claim is written: in a moment a grant
 * takes the place of these words. */
static void
keep_words(struct plan *plan, const struct claimant *claimant)
{
	struct json_object *rows = json_path(plan->seen->object, "spec.rows");
	const struct wants_of_pod *wants =
	    wants_find(&plan->desk->holders->wants, claimant->pod);

	for (size_t i = 0; wants && i < length_of(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		if (!text_is(row, "uid", claimant->uid) || !text_is(row, "state", "Held"))
			continue;
		for (unsigned k = 0; k < wants->count && has_room(plan->rows); k++)
			if (text_is(row, "key", wants->list[k].key) &&
			    !has_row(plan, wants->list[k].key, claimant->uid))
				json_object_array_add(plan->rows, json_object_get(row));
	}
}

/* ---- revocations -------------------------------------------------------------------------------- */

/* It was answered, the pod is not busy, and the ledger says nothing of it. A pod that
 * lives under a revoked UID is a static one that comes back (claimant_begin_again). */
bool
node_can_drop(const struct claimant *claimant)
{
	return claimant->revoked && claimant->answered &&
	    (claimant->word == WORD_REVOKE || pod_lives(claimant_pod(claimant))) &&
	    !ledger_holdings(claimant->holders->ledger, claimant->uid);
}

/* "network/podnet 10.0.2.40" → the block. */
static struct block *
block_of(const struct holders *holders, const char *text)
{
	const char *space = strchr(text, ' ');
	struct ip ip;

	if (!space || ip_parse(space + 1, strlen(space + 1), &ip, NULL))
		return NULL;
	scoped_free char *domain = mem_format("%.*s", (int)(space - text), text);
	return ledger_block(holders->ledger, domain, &ip);
}

/* The entries are gone, and that was read directly after this version of the StaticIPNode
 * came in: a late controller that still reads them must find the revocation
 * (model: NO_ENTRY_BEFORE_DROP). */
static bool
drop_is_safe(struct plan *plan, const struct claimant *claimant, struct json_object *old)
{
	struct holders *holders = plan->desk->holders;
	struct json_object *addresses = json_path(old, "addresses");
	bool safe = node_can_drop(claimant);

	for (size_t i = 0; safe && i < length_of(addresses); i++) {
		const char *text =
		    json_object_get_string(json_object_array_get_idx(addresses, i));
		struct block *block = text ? block_of(holders, text) : NULL;
		if (block && block->unreadable)
			return false; /* it may still name the pod */
		if (!block || block->live > plan->seen->received)
			continue;
		ledger_wait(block, claimant->uid);
		plan->read(holders, block);
		safe = false;
	}
	return safe;
}

static bool
has_text(struct json_object *array, const char *text)
{
	for (size_t i = 0; i < length_of(array); i++) {
		const char *is = json_object_get_string(json_object_array_get_idx(array, i));
		if (is && strcmp(is, text) == 0)
			return true;
	}
	return false;
}

/* What it held: those of the old text, too. */
static struct json_object *
list_addresses(const struct claimant *claimant, struct json_object *old)
{
	const struct holdings *holdings =
	    ledger_holdings(claimant->holders->ledger, claimant->uid);
	struct json_object *list = json_object_new_array();
	struct json_object *before = json_path(old, "addresses");
	char ip[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < length_of(before); i++)
		json_object_array_add(
		    list, json_object_get(json_object_array_get_idx(before, i)));
	for (unsigned i = 0; holdings && i < holdings->count; i++) {
		const struct held *held = holdings->list[i];
		scoped_free char *text =
		    mem_format("%s %s", held->block->domain, ip_print(&held->ip, ip));
		if (!has_text(list, text) && json_object_array_length(list) < REVOKED_ADDRESSES_MAX)
			json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}

static void
add_revocation(struct plan *plan, const struct claimant *claimant)
{
	struct json_object *old =
	    find_item(json_path(plan->seen->object, "spec.revoked"), "uid", claimant->uid);
	struct json_object *item;

	if ((plan->drop && old && drop_is_safe(plan, claimant, old)) || !has_room(plan->revoked))
		return;
	item = json_object_new_object();
	json_put_text(item, "uid", claimant->uid);
	json_put_text(item, "pod", claimant->pod);
	if (claimant->silence)
		json_object_object_add(item, "silence", json_object_new_boolean(true));
	json_object_object_add(item, "addresses", list_addresses(claimant, old));
	json_object_array_add(plan->revoked, item);
}

/* ---- all of it ------------------------------------------------------------------------------------ */

static bool
is_leaving(const struct claimant *claimant)
{
	return claimant->word == WORD_REVOKE || claimant->revoked;
}

static enum word
word_of(const struct claimant *claimant)
{
	return is_leaving(claimant) ? WORD_REVOKE : claimant->word;
}

/* So that the same rows are the same text. */
static int
compare_rows(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;
	int order = strcmp(json_path_text(x, "key"), json_path_text(y, "key"));

	return order ? order : strcmp(json_path_text(x, "uid"), json_path_text(y, "uid"));
}

/* What stays and what goes (all grants, when the API server went back in time), then what
 * is new, then words: where there is no room for all, no word takes the place of a grant. A UID is never granted and revoked at once. */
static void
plan_claimants(struct plan *plan, void **claimants, size_t count)
{
	const struct holders *holders = plan->desk->holders;

	for (size_t i = 0; i < count; i++)
		if (is_leaving(claimants[i]))
			add_revocation(plan, claimants[i]);
		else if (!holders->withdrawn)
			keep_grants(plan, claimants[i]);
	for (size_t i = 0; i < count && !holders->rebuilding; i++)
		if (word_of(claimants[i]) == WORD_GRANT)
			add_grants(plan, claimants[i]);
	for (size_t i = 0; i < count; i++)
		if (word_of(claimants[i]) == WORD_HOLD)
			add_words(plan, claimants[i], "Held");
		else if (word_of(claimants[i]) == WORD_REFUSE)
			add_words(plan, claimants[i], "Refused");
		else if (!is_leaving(claimants[i]) && pod_lives(claimant_pod(claimants[i])))
			keep_words(plan, claimants[i]);
	json_object_array_sort(plan->rows, compare_rows);
}

static bool
same_list(struct json_object *spec, const char *name, struct json_object *list)
{
	struct json_object *is = json_path(spec, name);

	return is ? json_object_equal(is, list) : json_object_array_length(list) == 0;
}

static bool
differs(const struct plan *plan, const char *epoch)
{
	struct json_object *spec = json_path(plan->seen->object, "spec");

	return !spec || node_notes_differ(plan->seen, plan->notes) || !text_is(spec, "epoch", epoch) || !same_list(spec, "rows", plan->rows) ||
	    !same_list(spec, "profiles", plan->profiles) ||
	    !same_list(spec, "revoked", plan->revoked);
}

/* ---- the object -------------------------------------------------------------------------- */

/* Whatever else the object has (labels, others' annotations) stays. */
static struct json_object *
frame(const struct plan *plan)
{
	struct json_object *object = NULL;

	if (plan->seen->object && json_object_deep_copy(plan->seen->object, &object, NULL) == 0) {
		json_object_object_del(object, "status");
	} else {
		struct json_object *metadata = json_object_new_object();
		object = json_object_new_object();
		json_put_text(metadata, "name", plan->desk->name);
		json_object_object_add(object, "metadata", metadata);
	}
	json_object_object_add(json_path(object, "metadata"), "annotations",
	    json_object_get(plan->notes));
	return object;
}

static struct json_object *
write_plan(const struct plan *plan, const char *epoch)
{
	struct json_object *object = frame(plan);
	struct json_object *spec = json_object_new_object();
	int64_t serial = json_path_number(plan->seen->object, "spec.serial", 0);

	/* objects of a list come without them */
	json_put_text(object, "apiVersion", "staticip.dev/v1alpha1");
	json_put_text(object, "kind", "StaticIPNode");
	json_put_text(spec, "epoch", epoch);
	json_put_number(spec, "serial", (uint64_t)serial + 1);
	json_object_object_add(spec, "profiles", json_object_get(plan->profiles));
	json_object_object_add(spec, "rows", json_object_get(plan->rows));
	json_object_object_add(spec, "revoked", json_object_get(plan->revoked));
	json_object_object_add(object, "spec", spec);
	return object;
}

struct json_object *
node_plan(struct desk *desk, const struct stored *seen, const char *epoch, bool drop,
    void (*read)(struct holders *holders, const struct block *block))
{
	struct plan plan = {.desk = desk, .seen = seen, .drop = drop, .read = read,
	    .rows = json_object_new_array(), .profiles = json_object_new_array(),
	    .revoked = json_object_new_array()};
	struct json_object *object = NULL;
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);

	plan_claimants(&plan, claimants, count);
	plan.notes = node_notes(desk, seen);
	/* what could go goes with whatever has to be written anyway */
	if (differs(&plan, epoch))
		object = write_plan(&plan, epoch);
	json_object_put(plan.rows);
	json_object_put(plan.profiles);
	json_object_put(plan.revoked);
	json_object_put(plan.notes);
	return object;
}
