/* What people are told about holders: events, summaries, counts (holders_private.h). */
#include <stdio.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/bounds.h"
#include "core/log.h"
#include "core/mem.h"

/* A rolling restart waits for a moment at each pod: that is no news. */
static const double patience_s = 2;

/* ---- events ---------------------------------------------------------------------------- */

static void
tell_pod(const struct claimant *claimant, const char *reason, const char *note)
{
	const char *slash = strchr(claimant->pod, '/');
	scoped_free char *namespace =
	    mem_format("%.*s", slash ? (int)(slash - claimant->pod) : 0, claimant->pod);
	struct event_subject subject = {.api_version = "v1", .kind = "Pod",
	    .namespace = namespace, .name = slash ? slash + 1 : "", .uid = claimant->uid};

	(void)recorder_event(claimant->holders->spec.recorder, &subject, true, reason, "Wait", note);
}

static bool
waits_long(const struct claimant *claimant)
{
	return claimant->word == WORD_HOLD &&
	    claimant->holders->now - claimant->waits_since >= patience_s;
}

void
claimant_tell(struct claimant *claimant)
{
	bool waits = claimant->word == WORD_REFUSE || waits_long(claimant);

	if (!waits || !claimant->why ||
	    (claimant->told && strcmp(claimant->told, claimant->why) == 0))
		return;
	mem_free(claimant->told);
	claimant->told = mem_text(claimant->why);
	claimant_moved(claimant); /* its allocation says so, too */
	tell_pod(claimant, claimant->word == WORD_REFUSE ? "AddressRefused" : "AddressHeld",
	    claimant->why);
}

const char *
proof_name(enum proof proof)
{
	static const char *const names[PROOFS] = {[PROOF_NONE] = "None",
	    [PROOF_ANSWERED] = "Answered", [PROOF_OUT_OF_SERVICE] = "OutOfService",
	    [PROOF_NODE_GONE] = "NodeGone", [PROOF_AFTER_GRACE] = "AfterGrace",
	    [PROOF_BY_HAND] = "Released"};

	return names[proof];
}

/* On the node whose pod lost its addresses without the node's answer. */
void
claimant_tell_released(const struct claimant *claimant, enum proof how)
{
	const struct stored *node = store_find(claimant->holders->nodes, claimant->node);
	scoped_free char *note = mem_format("the addresses of pod %s (UID %s) pass on without this "
	    "node's answer: %s. When the node returns, its agent cuts that pod off",
	    claimant->pod, claimant->uid, proof_name(how));
	struct event_subject subject = {.api_version = "staticip.dev/v1alpha1",
	    .kind = "StaticIPNode", .name = claimant->node, .uid = node ? node->uid : NULL};

	(void)recorder_event(claimant->holders->spec.recorder, &subject, true,
	    "AddressesReleased", "Release", note);
}

static void
tell_doubted(const struct desk *desk, const char *note)
{
	const struct holders *holders = desk->holders;
	const struct stored *node = store_find(holders->nodes, desk->name);
	struct event_subject subject = {.api_version = "staticip.dev/v1alpha1",
	    .kind = "StaticIPNode", .name = desk->name, .uid = node ? node->uid : NULL};

	log_line(LOG_LEVEL_ERROR, "%s", note);
	(void)recorder_event(
	    holders->spec.recorder, &subject, true, "NodeDoubted", "Believe", note);
}

void
desk_tell_hoards(struct desk *desk)
{
	if (desk->hoards_told)
		return;
	scoped_free char *note = mem_format("node %s reports more than %d addresses that nobody had "
	    "asked for: those beyond are not entered into the ledger, and can be given to others. "
	    "If its pods do have them (status.attachments of StaticIPNode %s), delete ConfigMap "
	    RECORD "; if not, its agent is broken or in wrong hands: look at the machine and delete "
	    "its Node", desk->name, ADOPTED_ADDRESSES_MAX, desk->name);
	desk->hoards_told = true;
	tell_doubted(desk, note);
}

void
desk_tell_doubted(struct desk *desk)
{
	scoped_free char *note = mem_format("node %s says again that it has had more than the API "
	    "server knows; its word alone is not followed now, and its own pods get nothing new. If "
	    "etcd was restored once more, delete ConfigMap " RECORD "; if not, its agent is broken "
	    "or in wrong hands: look at the machine and delete its Node",
	    desk->name);

	if (desk->ahead_told)
		return;
	desk->ahead_told = true;
	tell_doubted(desk, note);
}

/* ---- summaries ---------------------------------------------------------------------------- */

enum holder_state
holders_state(const struct holders *holders, const char *uid, const char **ret_words)
{
	const struct claimant *claimant = claimant_find(holders, uid);

	*ret_words = claimant && claimant->why ? claimant->why : "";
	if (!claimant)
		return HOLDER_NONE;
	switch (claimant->word) {
	case WORD_GRANT:
		return HOLDER_GRANTED;
	case WORD_HOLD:
		return HOLDER_WAITING;
	case WORD_REFUSE:
		return HOLDER_REFUSED;
	case WORD_REVOKE:
		return HOLDER_LEAVING;
	case WORD_KEEP:
		break;
	}
	return ledger_holdings(holders->ledger, uid) ? HOLDER_CLAIMING : HOLDER_NONE;
}

/* Bound, and its grant not yet on its node. */
static bool
is_under_way(const struct claimant *claimant)
{
	bool wanted = claimant->word == WORD_GRANT || claimant->word == WORD_KEEP;

	return wanted && claimant->node && !claimant->rows_granted && !claimant->revoked &&
	    pod_lives(claimant_pod(claimant));
}

const char *
holders_waits(const struct holders *holders, const char *uid)
{
	const struct claimant *claimant = claimant_find(holders, uid);

	return claimant && waits_long(claimant) ? claimant->why : NULL;
}

bool
holders_find(const struct holders *holders, const char *domain, const struct ip *ip,
    struct held_summary *ret_held)
{
	const struct held *held = ledger_find(holders->ledger, domain, ip);

	if (!held)
		return false;
	const struct claimant *claimant = claimant_find(holders, held->uid);
	*ret_held = (struct held_summary){.uid = held->uid, .pod = held->pod,
	    .node = held->node, .since = held->since};
	ret_held->soon = claimant && is_under_way(claimant);
	return true;
}

static size_t
count_doubted(const struct holders *holders)
{
	size_t count = holders->ahead.count, doubted = 0;
	scoped_free void **desks = tree_items(&holders->ahead);

	for (size_t i = 0; i < count; i++)
		doubted += ahead_stands(holders, desks[i]);
	return doubted;
}

struct holders_counts
holders_count(const struct holders *holders)
{
	struct holders_counts counts = holders->counts;
	size_t count = holders->claimants.count;
	scoped_free void **claimants = tree_items(&holders->claimants);
	const char *words;

	counts.adopted = holders->unknown;
	counts.entries = ledger_count(holders->ledger);
	counts.nodes = holders->desks.count;
	counts.rebuilding = holders->rebuilding;
	counts.doubted = count_doubted(holders);
	for (size_t i = 0; i < count; i++) {
		const struct claimant *claimant = claimants[i];
		counts.pods[holders_state(holders, claimant->uid, &words)]++;
	}
	return counts;
}
