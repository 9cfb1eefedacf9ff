/* When the ledger is lost, or older than what the nodes know: nothing new is given until
 * every node has said, in a new epoch, what it has; that is entered (adopted). The same
 * makes pods known that ran before there was a ledger (holders_private.h).
 *
 * The ConfigMap staticip-ledger is the record of it: {epoch, complete}. A StaticIPNode's
 * epoch is the record's with something behind it that is new for each new object. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/holders_private.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "table/grant.h"
#include "table/json.h"

/* Nodes that a sentence names. */
enum { MISSING_NAMED = 5 };
static const double missing_every_s = 10;

/* ---- the record ------------------------------------------------------------------------ */

static uint64_t
epoch_number(const char *epoch)
{
	uint64_t number = 0;

	if (epoch)
		(void)grant_epoch_number(epoch, &number); /* 0: below all that we make */
	return number;
}

struct highest {
	const struct holders *holders;
	uint64_t number;
};

static void
raise_epoch(void *cookie, const struct stored *node)
{
	struct highest *highest = cookie;
	const uint64_t numbers[] = {epoch_number(json_path_text(node->object, "spec.epoch")),
	    back_epoch_answered(highest->holders,
	        json_path_text(node->object, "status.answer.epoch"))};

	for (unsigned i = 0; i < 2; i++)
		if (numbers[i] > highest->number)
			highest->number = numbers[i];
}

static uint32_t
chance(void)
{
	return (uint32_t)(clock_chance() * UINT32_MAX);
}

/* Above everything that was seen: so a controller finds out that it has missed one
 * (rebuild_is_behind). */
static char *
new_epoch(const struct holders *holders)
{
	struct highest highest = {holders, epoch_number(holders->epoch)};
	uint64_t now = (uint64_t)time(NULL);

	store_each(holders->nodes, raise_epoch, &highest);
	return mem_format("%" PRIu64 "-%08" PRIx32, now > highest.number ? now : highest.number + 1,
	    chance());
}

char *
rebuild_epoch(const struct holders *holders, struct json_object *node)
{
	const char *is = json_path_text(node, "spec.epoch");
	size_t length = strlen(holders->epoch);

	if (is && strncmp(is, holders->epoch, length) == 0 && is[length] == '-')
		return mem_text(is);
	return mem_format("%s-%08" PRIx32, holders->epoch, chance());
}

static bool
write_record(struct holders *holders, const char *epoch, bool complete)
{
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *data = json_object_new_object();

	json_put_text(object, "apiVersion", "v1");
	json_put_text(object, "kind", "ConfigMap");
	json_put_text(metadata, "name", RECORD);
	json_object_object_add(object, "metadata", metadata);
	json_put_text(data, "epoch", epoch);
	json_put_text(data, "complete", complete ? "true" : "false");
	if (!complete && (holders->withdrawn || holders->start_withdrawn))
		json_put_text(data, "withdrawn", "true");
	json_object_object_add(object, "data", data);
	return store_write(holders->record, RECORD, object);
}

static void
touch_all(struct holders *holders)
{
	size_t count = holders->claimants.count;
	scoped_free void **claimants = tree_items(&holders->claimants);
	size_t desk_count = holders->desks.count;
	scoped_free void **desks = tree_items(&holders->desks);

	for (size_t i = 0; i < count; i++)
		claimant_touch(claimants[i]);
	for (size_t i = 0; i < desk_count; i++)
		desk_touch(desks[i]);
}

void
rebuild_anew(struct holders *holders, const char *why)
{
	if (holders->start)
		return;
	holders->start = new_epoch(holders);
	holders->rebuilding = true;
	log_line(LOG_LEVEL_WARN,
	    "%s: nothing is granted until all nodes have reported what they have", why);
}

void
rebuild_start(struct holders *holders, const char *why)
{
	if (!holders->rebuilding)
		rebuild_anew(holders, why);
}

void
rebuild_doubtful(struct holders *holders, const char *why)
{
	if (holders->start && holders->start_withdrawn)
		return;
	/* one that is being written with less is none: its epoch is not waited for */
	mem_free(holders->start);
	holders->start = NULL;
	rebuild_anew(holders, why);
	holders->start_withdrawn = true;
}

/* Until the record says so, it has not begun: a write may fail, or another's be faster. */
static void
begin(struct holders *holders)
{
	mem_free(holders->start);
	holders->start = new_epoch(holders);
	(void)write_record(holders, holders->start, false);
}

static bool
is_true(struct json_object *object, const char *path)
{
	const char *text = json_path_text(object, path);

	return text && strcmp(text, "true") == 0;
}

static void
read_record(struct holders *holders, struct json_object *object)
{
	const char *epoch = json_path_text(object, "data.epoch");
	bool begun = holders->start && epoch && strcmp(holders->start, epoch) == 0;

	if (begun) {
		mem_free(holders->start);
		holders->start = NULL;
		holders->start_withdrawn = false;
	}
	bool rebuilding = holders->start || !is_true(object, "data.complete");
	bool same = holders->epoch && epoch && strcmp(holders->epoch, epoch) == 0;

	if (!epoch || (same && rebuilding == holders->rebuilding))
		return;
	mem_free(holders->epoch);
	holders->epoch = mem_text(epoch);
	holders->rebuilding = rebuilding;
	holders->withdrawn = rebuilding && is_true(object, "data.withdrawn");
	log_line(LOG_LEVEL_INFO, "ledger: epoch %s%s%s", epoch,
	    rebuilding ? ", being rebuilt" : ", complete",
	    holders->withdrawn ? ", all grants withdrawn" : "");
	touch_all(holders);
}

/* ---- whether all have answered ------------------------------------------------------------ */

struct roll_call {
	const struct holders *holders;
	struct buf missing;
	unsigned count;
};

bool
rebuild_has_reported(const struct holders *holders, const struct stored *node)
{
	const char *epoch = node ? json_path_text(node->object, "spec.epoch") : NULL;
	const char *answered = node ? json_path_text(node->object, "status.answer.epoch") : NULL;
	const char *to = node ? json_path_text(node->object, "status.answer.objectUID") : NULL;
	size_t length = strlen(holders->epoch);

	return epoch && answered && to && strncmp(epoch, holders->epoch, length) == 0 &&
	    strcmp(epoch, answered) == 0 && strcmp(to, node->uid) == 0 &&
	    !json_object_get_boolean(json_path(node->object, "status.answer.ahead")) &&
	    json_object_get_boolean(json_path(node->object, "status.answer.grantsRequired"));
}

bool
rebuild_counts(const struct machine *machine)
{
	return !machine->gone && !machine->no_agent &&
	    !(machine->out_of_service && !machine->ready);
}

static void
call_node(void *cookie, const char *name, const struct machine *machine)
{
	struct roll_call *call = cookie;

	if (!rebuild_counts(machine) ||
	    ahead_stands(call->holders, desk_find(call->holders, name)) ||
	    rebuild_has_reported(call->holders, store_find(call->holders->nodes, name)))
		return;
	if (call->count++ < MISSING_NAMED)
		(void)buf_print(&call->missing, "%s%s", call->count > 1 ? ", " : "", name);
}

/* What it reported is still on its way into the ledger. */
static void
call_desk(void *item, void *cookie)
{
	const struct desk *desk = item;
	struct roll_call *call = cookie;
	const struct machine *machine =
	    machines_find(call->holders->spec.machines, desk->name);

	if (machine && !rebuild_counts(machine))
		return; /* left out, as people were told */
	if (desk->reported && call->count++ < MISSING_NAMED)
		(void)buf_print(&call->missing, "%s%s", call->count > 1 ? ", " : "", desk->name);
}

/* Those that wait say for which nodes. Not with each answer: that would be a write and an
 * event for each of them and each node. */
static void
tell_missing(struct holders *holders, const char *missing)
{
	size_t count = holders->claimants.count;
	scoped_free void **claimants = tree_items(&holders->claimants);

	holders->missing_at = holders->now + missing_every_s;
	if (holders->missing && strcmp(holders->missing, missing) == 0)
		return;
	mem_free(holders->missing);
	holders->missing = mem_text(missing);
	for (size_t i = 0; i < count; i++)
		if (((const struct claimant *)claimants[i])->word == WORD_HOLD)
			claimant_touch(claimants[i]);
}

static bool
all_reported(struct holders *holders)
{
	struct roll_call call = {.holders = holders, .missing = buf_make(ERR_TEXT_MAX * 4)};

	machines_each(holders->spec.machines, call_node, &call);
	tree_walk(&holders->desks, call_desk, &call);
	if (call.count > MISSING_NAMED)
		(void)buf_print(&call.missing, " and %u more", call.count - MISSING_NAMED);
	if (holders->now >= holders->missing_at)
		tell_missing(holders, buf_string(&call.missing));
	buf_release(&call.missing);
	return call.count == 0;
}

/* ---- whether the ledger can be right --------------------------------------------------------- */

void
rebuild_each(struct holders *holders, const struct stored *node, const char *path,
    void (*visit)(struct holders *, const struct stored *, struct json_object *))
{
	struct json_object *array = json_path(node->object, path);
	size_t count =
	    json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < count; i++)
		visit(holders, node, json_object_array_get_idx(array, i));
}

static void
check_row(struct holders *holders, const struct stored *node, struct json_object *row)
{
	const char *uid = json_path_text(row, "uid");
	const char *state = json_path_text(row, "state");

	(void)node;
	if (uid && state && strcmp(state, "Granted") == 0 &&
	    !ledger_holdings(holders->ledger, uid))
		rebuild_start(holders, "a node has a grant that the ledger does not know");
}

void
rebuild_check(struct holders *holders, const struct stored *node)
{
	if (node->object)
		back_check_tables(holders, node);
	ahead_hear(holders, node);
}

/* In a rebuilding, too: what a later answer shows can be above its epoch. */
static void
follow_nodes(struct holders *holders)
{
	const struct desk *desk;

	if (!holders->ahead.count || (holders->start && holders->start_withdrawn) ||
	    !(desk = ahead_follow(holders)))
		return;
	scoped_free char *why = mem_format(
	    "node %s has answered to more than the API server knows", desk->name);
	rebuild_doubtful(holders, why);
}

static void
check_node(void *cookie, const struct stored *node)
{
	struct holders *holders = cookie;

	if (!node->object)
		return;
	rebuild_check(holders, node);
	rebuild_each(holders, node, "spec.rows", check_row);
}

/* ---- the story ---------------------------------------------------------------------------------- */

bool
rebuild_run(struct holders *holders)
{
	const struct stored *record = store_find(holders->record, RECORD);
	bool busy = record && record->busy;

	if (record && json_path_text(record->object, "data.epoch"))
		read_record(holders, record->object);
	else if (!busy)
		rebuild_doubtful(holders, "there is no record of a ledger");
	if (!holders->checked && holders->epoch)
		store_each(holders->nodes, check_node, holders);
	holders->checked = true;
	follow_nodes(holders);
	if (holders->start && !busy)
		begin(holders);
	if (!holders->epoch || holders->start)
		return false;
	if (holders->rebuilding && all_reported(holders) && !busy)
		(void)write_record(holders, holders->epoch, true);
	return true;
}

bool
rebuild_is_behind(struct holders *holders, const struct stored *node)
{
	const struct stored *record = store_find(holders->record, RECORD);
	const char *epoch = node ? json_path_text(node->object, "spec.epoch") : NULL;

	if (epoch_number(epoch) <= epoch_number(holders->epoch))
		return false;
	if (record && record->live > node->received)
		rebuild_doubtful(holders, "a StaticIPNode is of a later epoch than the ledger's record");
	else
		store_read(holders->record, RECORD);
	return true;
}
