/* A pod that ended, or is ending: from its revocation to the end of its hold
 * (holders_private.h). An address is free when its pod is gone or ended, and one of the
 * proofs says that it cannot use the address any more (I2):
 *   1  the node's agent answered to the revocation, and the pod is not busy
 *   2  the infrastructure asserts it: taint out-of-service, a cloud's Node is gone
 *   3  the operator asserts it: AfterGrace, annotation staticip.dev/release
 * For 2 and 3 the revocation says silence first: the node finds it when it returns. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/log.h"
#include "core/mem.h"
#include "table/json.h"

static const double look_deadline_s = 10;
static const double look_again_s = 1;
static const double patience_s = 3;

static bool is_fenced(const struct claimant *claimant);
static bool is_over(struct claimant *claimant, const struct pod *pod);
static const struct held *placed_entry(const struct claimant *claimant);
static enum proof proof(struct claimant *claimant, const struct held *placed);
static void watch_stuck(struct claimant *claimant, bool unproven);
static void set_free(struct claimant *claimant, const struct held *placed, enum proof how);
static void release(struct claimant *claimant, bool placed_too);
static char *what_ends_it(const struct claimant *claimant, const struct held *placed, bool over);

void
claimant_let_go(struct claimant *claimant)
{
	const struct pod *pod = claimant_pod(claimant);
	const struct held *placed = placed_entry(claimant);
	bool over = is_over(claimant, pod);

	if (over && !placed && is_fenced(claimant))
		release(claimant, false); /* no node: it cannot have been granted */
	if (!placed && !claimant->rows_granted && !claimant->revoked && !claimant->contradicted) {
		holders_say(claimant->holders, WORD_KEEP, claimant, NULL);
		return;
	}
	if (!over && !pod)
		return; /* a pod that our watch has not brought yet looks like this, too */
	enum proof how = over && placed ? proof(claimant, placed) : PROOF_NONE;
	holders_say(claimant->holders, WORD_REVOKE, claimant, what_ends_it(claimant, placed, over));
	watch_stuck(claimant, over && placed && !how);
	if (how)
		set_free(claimant, placed, how);
}

/* Its node can grant it nothing any more, or never did. One that is revoked can have entries
 * without a node: it ended between two writes of its place, and those that were placed are
 * given back already. */
static bool
is_fenced(const struct claimant *claimant)
{
	return claimant->revoked ? claimant->answered || claimant->silenced
	                         : !claimant->rows_granted && !claimant->contradicted;
}

/* A node that is well answers in a moment; people are told of those that do not. */
static void
watch_stuck(struct claimant *claimant, bool unproven)
{
	double now = claimant->holders->now;
	bool was = claimant->stuck;

	if (!unproven)
		claimant->over_since = 0;
	else if (claimant->over_since <= 0)
		claimant->over_since = now;
	claimant->stuck = unproven && now - claimant->over_since >= patience_s;
	if (claimant->stuck != was)
		claimant_moved(claimant);
}

/* ---- whether the pod is over --------------------------------------------------------- */

static void
on_looked(void *cookie, const struct kube_answer *answer)
{
	struct claimant *claimant = cookie;
	struct holders *holders = claimant->holders;
	const char *uid = answer->ok ? world_pod_uid(answer->body) : NULL;

	claimant->asking = NULL;
	claimant->ask_after = holders->now + look_again_s;
	if (answer->status == 404 || (uid && strcmp(uid, claimant->uid) != 0))
		claimant->gone = true;
	else if (!answer->ok)
		log_line(LOG_LEVEL_WARN, "looking whether pod %s is gone: %s", claimant->pod,
		    answer->err.text);
	claimant_touch(claimant);
	holders->spec.events->wake(holders->spec.cookie);
}

static void
look(struct claimant *claimant)
{
	const char *slash = strchr(claimant->pod, '/');

	if (claimant->asking || !slash || claimant->ask_after > claimant->holders->now)
		return;
	scoped_free char *path = mem_format("/api/v1/namespaces/%.*s/pods/%s",
	    (int)(slash - claimant->pod), claimant->pod, slash + 1);
	claimant->asking = kube_call(claimant->holders->spec.kube, "GET", path, NULL, NULL, NULL,
	    look_deadline_s, on_looked, claimant);
}

void
claimant_stop_asking(struct claimant *claimant)
{
	if (claimant->asking)
		kube_cancel(claimant->asking);
	claimant->asking = NULL;
}

/* Gone under this UID by a direct look, not by our cache; or ended for good. */
static bool
is_over(struct claimant *claimant, const struct pod *pod)
{
	if (pod)
		return pod->ended;
	if (!claimant->gone)
		look(claimant);
	return claimant->gone;
}

/* ---- proofs ------------------------------------------------------------------------------ */

/* That of its own node before those that others reported. */
static const struct held *
placed_entry(const struct claimant *claimant)
{
	const struct holdings *holdings =
	    ledger_holdings(claimant->holders->ledger, claimant->uid);
	const struct held *placed = NULL;

	for (unsigned i = 0; holdings && i < holdings->count; i++) {
		const struct held *held = holdings->list[i];
		if (held->node && claimant->node && strcmp(held->node, claimant->node) == 0)
			return held;
		if (held->node)
			placed = held;
	}
	return placed;
}

/* What one node says, or what is known of one machine, ends nothing that stands on another. */
static bool
is_on_one_node(const struct claimant *claimant)
{
	const struct holdings *holdings =
	    ledger_holdings(claimant->holders->ledger, claimant->uid);

	for (unsigned i = 0; holdings && claimant->node && i < holdings->count; i++)
		if (holdings->list[i]->node &&
		    strcmp(holdings->list[i]->node, claimant->node) != 0)
			return false;
	return true;
}

static bool
after_grace(const struct claimant *claimant, const struct held *placed, double *ret_grace_s)
{
	const struct declared *declared = placed->allocation
	    ? world_find_named(claimant->holders->spec.world, placed->allocation) : NULL;

	*ret_grace_s = declared && declared->spec ? declared->spec->grace_s : 0;
	return declared && declared->spec && declared->spec->after_grace;
}

/* The operator's annotation on the StaticIPNode: UIDs with commas between. */
static bool
released_by_hand(const struct claimant *claimant)
{
	const struct stored *node = store_find(claimant->holders->nodes, claimant->node);
	struct json_object *annotations =
	    node ? json_path(node->object, "metadata.annotations") : NULL;
	struct json_object *value = NULL;

	if (!annotations ||
	    !json_object_object_get_ex(annotations, "staticip.dev/release", &value) ||
	    !json_object_is_type(value, json_type_string))
		return false;
	scoped_free char *list = mem_text(json_object_get_string(value));
	char *rest = list;
	for (char *word = strsep(&rest, ", "); word; word = strsep(&rest, ", "))
		if (strcmp(word, claimant->uid) == 0)
			return true;
	return false;
}

static enum proof
asserted(const struct claimant *claimant, const struct held *placed)
{
	static const enum proof proofs[] = {[ASSERTION_NONE] = PROOF_NONE,
	    [ASSERTION_OUT_OF_SERVICE] = PROOF_OUT_OF_SERVICE,
	    [ASSERTION_NODE_GONE] = PROOF_NODE_GONE, [ASSERTION_AFTER_GRACE] = PROOF_AFTER_GRACE};
	const struct holders *holders = claimant->holders;
	double grace_s;
	bool with_grace = after_grace(claimant, placed, &grace_s);
	enum assertion assertion = machines_assert(holders->spec.machines, placed->node,
	    placed->node_uid, with_grace, grace_s, holders->now);

	if (released_by_hand(claimant))
		return PROOF_BY_HAND;
	if (assertion == ASSERTION_NONE || !is_on_one_node(claimant) ||
	    !desk_looked(desk_find(holders, claimant->node)))
		return PROOF_NONE;
	return proofs[assertion];
}

/* Sets what the revocation has to say, too. */
static enum proof
proof(struct claimant *claimant, const struct held *placed)
{
	struct holders *holders = claimant->holders;
	enum proof how = asserted(claimant, placed);

	if (claimant->answered && is_on_one_node(claimant) &&
	    machine_same(holders->spec.machines, placed->node, placed->node_uid))
		return PROOF_ANSWERED;
	claimant->silence = claimant->silence || how != PROOF_NONE;
	return claimant->silenced ? how : PROOF_NONE;
}

static void
set_free(struct claimant *claimant, const struct held *placed, enum proof how)
{
	if (!claimant->freed) {
		log_line(LOG_LEVEL_INFO, "addresses of pod %s (UID %s) on node %s are free: %s",
		    claimant->pod, claimant->uid, placed->node, proof_name(how));
		claimant->holders->counts.released[how]++;
		if (how != PROOF_ANSWERED)
			claimant_tell_released(claimant, how);
	}
	claimant->freed = true;
	release(claimant, true);
}

void
claimant_return(struct claimant *claimant)
{
	claimant_stop_asking(claimant);
	claimant->gone = claimant->freed = claimant->contradicted = false;
	claimant->silence = claimant->silenced; /* as long as that revocation stands */
	watch_stuck(claimant, false);
}

void
claimant_begin_again(struct claimant *claimant)
{
	const struct held *placed = placed_entry(claimant);

	if (claimant->answered && is_on_one_node(claimant) &&
	    (!placed || machine_same(claimant->holders->spec.machines, placed->node,
	        placed->node_uid)))
		release(claimant, true);
}

static void
release(struct claimant *claimant, bool placed_too)
{
	struct ledger *ledger = claimant->holders->ledger;
	const struct holdings *holdings = ledger_holdings(ledger, claimant->uid);

	for (unsigned i = 0; holdings && i < holdings->count; i++)
		ledger_release(ledger, holdings->list[i]->block, claimant->uid, placed_too);
}

static char *
what_ends_it(const struct claimant *claimant, const struct held *placed, bool over)
{
	double grace_s;

	if (!placed)
		return NULL;
	if (!over)
		return mem_format("the pod is being deleted: its addresses are free when it is gone and "
		    "the agent of node %s has answered", placed->node);
	return machines_describe(claimant->holders->spec.machines, placed->node, placed->node_uid,
	    claimant->uid, after_grace(claimant, placed, &grace_s) ? grace_s : 0);
}
