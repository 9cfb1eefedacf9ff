/* One node's StaticIPNode: what it says about pods, and its next version
 * (holders_private.h; what that is, node_plan.c decides). */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "table/json.h"
#include "table/key.h"

/* A revocation that can go waits so long for a write that is due anyway. */
static const double drop_delay_s = 2;
/* A direct look at a Node counts for so long. */
static const double look_lasts_s = 5;
static const double look_deadline_s = 10;

struct desk *
desk_find(const struct holders *holders, const char *name)
{
	scoped_free char *copy = mem_text(name);
	struct desk wanted = {.name = copy};

	return tree_find(&holders->desks, &wanted);
}

struct desk *
desk_make(struct holders *holders, const char *name)
{
	struct desk *desk = desk_find(holders, name);

	if (desk)
		return desk;
	desk = mem_new(1, sizeof(*desk));
	desk->name = mem_text(name);
	desk->claimants = tree_make(holders->claimants.compare);
	desk->holders = holders;
	(void)tree_add(&holders->desks, desk);
	return desk;
}

void
desk_free(void *item)
{
	struct desk *desk = item;

	if (desk->looking)
		kube_cancel(desk->looking);
	tree_release(&desk->claimants, NULL);
	mem_free(desk->name);
	mem_free(desk);
}

void
desk_touch(struct desk *desk)
{
	desk->touched = true;
	(void)tree_add(&desk->holders->dirty_desks, desk);
}

void
desk_join(struct holders *holders, struct claimant *claimant, const char *node)
{
	if (claimant->node) {
		if (strcmp(claimant->node, node) != 0)
			log_line(LOG_LEVEL_ERROR, "pod %s (UID %s) is known on node %s and on node %s; the latter is left out",
			    claimant->pod, claimant->uid, claimant->node, node);
		return;
	}
	claimant->node = mem_text(node);
	(void)tree_add(&desk_make(holders, node)->claimants, claimant);
}

bool
desk_is_real(const struct holders *holders, const char *name)
{
	const struct stored *seen;

	return machines_known(holders->spec.machines, name) ||
	    ((seen = store_find(holders->nodes, name)) && seen->object);
}

/* ---- the Node object, directly ----------------------------------------------------- */

static void
on_looked(void *cookie, const struct kube_answer *answer)
{
	struct desk *desk = cookie;
	struct holders *holders = desk->holders;
	const struct machine *machine = machines_find(holders->spec.machines, desk->name);
	struct object_id id = {.namespace = "", .name = desk->name, .uid = "", .version = ""};

	desk->looking = NULL;
	if (answer->ok && answer->body) {
		id.uid = json_path_text(answer->body, "metadata.uid");
		id.version = json_path_text(answer->body, "metadata.resourceVersion");
		machines_changed(holders->spec.machines, &id, answer->body);
	} else if (answer->status == 404 && machine && !machine->gone) {
		id.uid = machine->uid;
		machines_gone(holders->spec.machines, &id);
	} else if (answer->status != 404) {
		log_line(LOG_LEVEL_WARN, "looking at node %s: %s", desk->name, answer->err.text);
		return;
	}
	desk->looked_at = clock_seconds();
	holders_node_touched(holders, desk->name);
	holders->spec.events->wake(holders->spec.cookie);
}

bool
desk_looked(struct desk *desk)
{
	struct holders *holders = desk->holders;
	scoped_free char *path = mem_format("/api/v1/nodes/%s", desk->name);

	if (desk->looked_at > 0 && holders->now - desk->looked_at < look_lasts_s)
		return true;
	if (!desk->looking)
		desk->looking = kube_call(holders->spec.kube, "GET", path, NULL, NULL, NULL,
		    look_deadline_s, on_looked, desk);
	return false;
}

/* ---- what it says --------------------------------------------------------------------- */

static void
forget_words(struct desk *desk)
{
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);

	for (size_t i = 0; i < count; i++) {
		struct claimant *claimant = claimants[i];
		claimant->rows_granted = claimant->rows_other = 0;
		claimant->revoked = claimant->silenced = claimant->answered = false;
	}
}

static size_t
length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static void
read_row(struct holders *holders, struct json_object *row, const char *node)
{
	const char *key = json_path_text(row, "key");
	const char *uid = json_path_text(row, "uid");
	const char *state = json_path_text(row, "state");
	scoped_free char *pod = key ? key_pod_path(key) : NULL;

	if (!pod || !uid || !state)
		return;
	struct claimant *claimant = claimant_make(holders, uid, pod);
	desk_join(holders, claimant, node);
	if (strcmp(state, "Granted") == 0)
		claimant->rows_granted++;
	else
		claimant->rows_other++;
}

/* Whether the agent's answer is one to what is in the object now. */
static bool
answer_counts(const struct stored *stored, uint64_t *ret_serial)
{
	const char *uid = json_path_text(stored->object, "status.answer.objectUID");
	const char *epoch = json_path_text(stored->object, "status.answer.epoch");
	const char *asked = json_path_text(stored->object, "spec.epoch");
	int64_t serial = json_path_number(stored->object, "status.answer.serial", -1);

	*ret_serial = serial < 0 ? 0 : (uint64_t)serial;
	/* one to more than was asked is of a time that is lost: it proves nothing */
	return uid && epoch && asked && serial >= 0 && strcmp(uid, stored->uid) == 0 &&
	    strcmp(epoch, asked) == 0 &&
	    serial <= json_path_number(stored->object, "spec.serial", 0) &&
	    !json_object_get_boolean(json_path(stored->object, "status.answer.ahead")) &&
	    json_path_number(stored->object, "status.protocol", 0) >= 1;
}

static bool
is_busy(const struct stored *stored, const char *uid)
{
	struct json_object *busy = json_path(stored->object, "status.answer.busy");

	for (size_t i = 0; i < length_of(busy); i++) {
		const char *one = json_object_get_string(json_object_array_get_idx(busy, i));
		if (one && strcmp(one, uid) == 0)
			return true;
	}
	return false;
}

/* Of revocations that this process has seen unanswered. */
static void
measure_handshake(struct claimant *claimant)
{
	if (!claimant->answered && claimant->revoked_at <= 0) {
		claimant->revoked_at = clock_seconds();
	} else if (claimant->answered && claimant->revoked_at > 0) {
		histogram_observe(&claimant->holders->handshakes,
		    clock_seconds() - claimant->revoked_at);
		claimant->revoked_at = 0;
	}
}

static void
read_revocation(struct holders *holders, struct json_object *item, const struct stored *stored)
{
	const char *uid = json_path_text(item, "uid");
	const char *pod = json_path_text(item, "pod");
	uint64_t asked = (uint64_t)json_path_number(stored->object, "spec.serial", 0);
	uint64_t answered;

	if (!uid)
		return;
	struct claimant *claimant = claimant_make(holders, uid, pod ? pod : "");
	desk_join(holders, claimant, stored->name);
	claimant->revoked = true;
	claimant->silenced = json_object_get_boolean(json_path(item, "silence"));
	claimant->silence = claimant->silence || claimant->silenced;
	if (!claimant->revoked_serial || claimant->revoked_serial > asked)
		claimant->revoked_serial = asked;
	claimant->answered = answer_counts(stored, &answered) &&
	    answered >= claimant->revoked_serial && !is_busy(stored, uid);
	measure_handshake(claimant);
}

static void
read_all(struct holders *holders, const struct stored *stored)
{
	struct json_object *rows = json_path(stored->object, "spec.rows");
	struct json_object *revoked = json_path(stored->object, "spec.revoked");

	for (size_t i = 0; i < length_of(rows); i++)
		read_row(holders, json_object_array_get_idx(rows, i), stored->name);
	for (size_t i = 0; i < length_of(revoked); i++)
		read_revocation(holders, json_object_array_get_idx(revoked, i), stored);
}

/* A UID that comes back (a static pod's) is revoked anew another time. */
static void
forget_serials(const struct desk *desk)
{
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);

	for (size_t i = 0; i < count; i++) {
		struct claimant *claimant = claimants[i];
		if (claimant->revoked || !claimant->revoked_serial)
			continue;
		claimant->revoked_serial = 0;
		claimant->revoked_at = 0;
		/* who asserts something of what it has now says so again */
		claimant->silence = claimant->contradicted;
	}
}

void
desk_observe(struct holders *holders, const struct stored *stored)
{
	struct desk *desk = desk_make(holders, stored->name);

	forget_words(desk);
	if (stored->object)
		read_all(holders, stored);
	forget_serials(desk);
	rebuild_check(holders, stored);
	desk->reported = stored->object != NULL;
	holders_node_touched(holders, stored->name);
}

/* ---- what it shall say -------------------------------------------------------------------- */

static void
read_block(struct holders *holders, const struct block *block)
{
	store_read(holders->blocks, block->name);
}

static bool
can_drop_any(const struct desk *desk)
{
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);

	for (size_t i = 0; i < count; i++)
		if (node_can_drop(claimants[i]))
			return true;
	return false;
}

static bool
drop_is_due(const struct desk *desk)
{
	return desk->drop_after > 0 && desk->drop_after <= desk->holders->now;
}

/* Revocations that can go leave with the next write; on their own after a while. */
static bool
time_to_drop(struct desk *desk)
{
	struct holders *holders = desk->holders;

	if (!can_drop_any(desk))
		desk->drop_after = 0;
	else if (desk->drop_after <= 0)
		desk->drop_after = holders->now + drop_delay_s;
	return drop_is_due(desk);
}

/* The spec alone where nothing else changes: the agent writes the status all the time. */
static void
write_node(struct desk *desk, const struct stored *seen, struct json_object *next)
{
	struct store *nodes = desk->holders->nodes;
	struct json_object *notes = json_path(next, "metadata.annotations");

	if (!seen || !seen->object || node_notes_differ(seen, notes)) {
		(void)store_write(nodes, desk->name, next);
		return;
	}
	(void)store_write_spec(nodes, desk->name, json_object_get(json_path(next, "spec")));
	json_object_put(next);
}

/* Neither a Node of that name, nor anything to be said to one. */
static bool
is_over(const struct desk *desk, const struct stored *seen)
{
	const struct machine *machine =
	    machines_find(desk->holders->spec.machines, desk->name);

	return (!machine || machine->gone) && desk->claimants.count == 0 &&
	    (!seen->object || (length_of(json_path(seen->object, "spec.rows")) == 0 &&
	        length_of(json_path(seen->object, "spec.revoked")) == 0));
}

/* Its StaticIPNode is gone, too. */
static void
forget_desk(struct desk *desk)
{
	struct holders *holders = desk->holders;

	store_forget(holders->nodes, desk->name);
	(void)tree_remove(&holders->ahead, desk);
	(void)tree_remove(&holders->desks, desk);
	desk_free(desk);
}

static bool
is_placed(const struct claimant *claimant, const char *node)
{
	const struct holdings *holdings =
	    ledger_holdings(claimant->holders->ledger, claimant->uid);

	for (unsigned i = 0; holdings && i < holdings->count; i++)
		if (holdings->list[i]->node && strcmp(holdings->list[i]->node, node) == 0)
			return true;
	return false;
}

/* Pods name it, and it never was: nothing to be told, and nobody who would read it. What the
 * ledger says of it, it has to answer for. */
static bool
is_unreal(const struct desk *desk)
{
	size_t count = desk->claimants.count;

	if (desk_is_real(desk->holders, desk->name))
		return false;
	scoped_free void **claimants = tree_items(&desk->claimants);
	for (size_t i = 0; i < count; i++)
		if (is_placed(claimants[i], desk->name))
			return false;
	return true;
}

void
desk_run(struct desk *desk)
{
	struct holders *holders = desk->holders;
	const struct stored never = {.received = store_forgotten(holders->nodes)};
	const struct stored *seen = store_find(holders->nodes, desk->name);

	if (seen && seen->busy)
		return; /* touched again when that is done */
	if (rebuild_is_behind(holders, seen) || !(desk->touched || drop_is_due(desk)))
		return;
	desk->touched = false;
	if (is_over(desk, seen ? seen : &never)) {
		(void)tree_remove(&holders->dirty_desks, desk);
		if (seen && seen->object)
			store_delete(holders->nodes, desk->name);
		else
			forget_desk(desk);
		return;
	}
	if (is_unreal(desk)) {
		(void)tree_remove(&holders->dirty_desks, desk);
		return; /* touched again when there is such a Node */
	}
	bool drop = time_to_drop(desk);
	scoped_free char *epoch = rebuild_epoch(holders, seen ? seen->object : NULL);
	struct json_object *next =
	    node_plan(desk, seen ? seen : &never, epoch, drop, read_block);
	if (!desk->reported && (desk->drop_after <= 0 || drop))
		(void)tree_remove(&holders->dirty_desks, desk);
	if (!next)
		return;
	if (drop)
		desk->drop_after = 0;
	write_node(desk, seen, next);
}
