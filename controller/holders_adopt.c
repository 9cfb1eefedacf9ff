/* What a node reports that the ledger does not know is entered (adopted): pods from before there
 * was a ledger, or from before it was lost, and those that did not wait for a grant
 * (holders_private.h). */
#include <json-c/json.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/bounds.h"
#include "core/log.h"
#include "core/mem.h"
#include "table/grant.h"
#include "table/json.h"
#include "table/key.h"

/* Its address passed on, or may any moment. One that was revoked and has not been answered
 * for may still use it. */
static bool
is_released(const struct holders *holders, const char *uid)
{
	const struct claimant *claimant = claimant_find(holders, uid);

	return claimant && claimant->revoked && (claimant->answered || claimant->silenced);
}

static void
contradict(struct claimant *claimant, const struct held *held)
{
	char address[ADDRESS_TEXT_MAX];

	if (claimant->contradicted)
		return;
	claimant->contradicted = true;
	claimant->silence = true;
	claimant->holders->counts.contradictions++;
	claimant_touch(claimant);
	log_line(LOG_LEVEL_ERROR,
	    "node %s reports %s for pod %s (UID %s), but pod %s (UID %s) on node %s holds it",
	    claimant->node, ip_print(&held->ip, address), claimant->pod, claimant->uid, held->pod,
	    held->uid, held->node ? held->node : "(none yet)");
}

/* In a rebuilding: an API server that went back in time has a pod bound another time, and the
 * first one runs. So only what the node to which it is bound now has, too, is not believed. */
static bool
is_there_now(struct claimant *claimant, const struct pod *pod)
{
	enum back_word word = pod ? back_word_of(claimant->holders, pod->node, claimant->uid)
	                          : BACK_GIVES_WAY;

	claimant->holders->undecided += word == BACK_NOT_KNOWN;
	return word != BACK_GIVES_WAY;
}

/* A UID is bound to one node, so another's word on it is wrong, whoever wrote it: entered, the
 * pod would have its grant there, or its end be taken from there. */
static bool
is_elsewhere(struct claimant *claimant, const char *node)
{
	bool rebuilding = claimant->holders->rebuilding;
	const struct pod *pod = claimant_pod(claimant);
	const char *bound = pod ? pod->node : NULL;
	const char *own = claimant->node && !rebuilding ? claimant->node : bound;

	if (!own || strcmp(own, node) == 0 || (rebuilding && !is_there_now(claimant, pod)))
		return false;
	if (!claimant->stray) {
		claimant->holders->counts.contradictions++;
		log_line(LOG_LEVEL_ERROR,
		    "node %s reports addresses of pod %s (UID %s), which is on node %s: not believed",
		    node, claimant->pod, claimant->uid, own);
	}
	claimant->stray = true;
	return true;
}

/* By what we have seen so far. */
static bool
is_unbound(const struct claimant *claimant)
{
	const struct pod *pod = claimant->node ? NULL : claimant_pod(claimant);

	return pod && !pod->node;
}

struct report {
	const char *domain, *uid, *pod, *allocation;
};

/* What stands in the ledger by this node's word alone: who claims names an allocation. */
static unsigned
count_adopted(const struct desk *desk)
{
	size_t count = desk->claimants.count;
	scoped_free void **claimants = tree_items(&desk->claimants);
	unsigned adopted = 0;

	for (size_t i = 0; i < count; i++) {
		const struct claimant *claimant = claimants[i];
		const struct holdings *holdings =
		    ledger_holdings(desk->holders->ledger, claimant->uid);
		for (unsigned k = 0; holdings && k < holdings->count; k++)
			adopted += !holdings->list[k]->allocation;
	}
	return adopted;
}

/* A free address, by the node's word alone: when nobody asked for it, only so many, as an
 * agent in wrong hands could take all that are free. */
static bool
has_room(struct desk *desk, const struct report *report)
{
	if (desk->holders->rebuilding || report->allocation)
		return true;
	if (!desk->adopt_counted)
		desk->adopted = count_adopted(desk);
	desk->adopt_counted = true;
	if (desk->adopted < ADOPTED_ADDRESSES_MAX) {
		desk->adopted++;
		return true;
	}
	desk_tell_hoards(desk);
	return false;
}

/* Again and again until the ledger says so: a write may fail, and nobody else asks for it. */
static void
enter(struct holders *holders, struct block *block, const struct held *held,
    const struct claim *claim)
{
	holders->unknown++;
	if (held)
		ledger_place(holders->ledger, block, claim->uid, claim->node, claim->node_uid);
	else
		ledger_claim(holders->ledger, block, claim);
}

static bool
is_others(const struct held *held, const struct report *report)
{
	return held && strcmp(held->uid, report->uid) != 0;
}

/* The ledger is of an earlier time. False: whether its entry stands is not known yet. */
static bool
decide(struct holders *holders, struct block *block, const struct held **held)
{
	enum back_word word = back_word_of(holders, (*held)->node, (*held)->uid);

	holders->undecided += word == BACK_NOT_KNOWN;
	if (word == BACK_GIVES_WAY) {
		ledger_release(holders->ledger, block, (*held)->uid, true);
		*held = NULL;
	}
	return word != BACK_NOT_KNOWN;
}

static void
adopt(struct holders *holders, const struct stored *node, const struct report *report,
    const struct ip *ip)
{
	struct block *block = ledger_block(holders->ledger, report->domain, ip);
	const struct held *held = ledger_find(holders->ledger, report->domain, ip);
	const struct machine *machine = machines_find(holders->spec.machines, node->name);
	struct claimant *claimant = claimant_make(holders, report->uid, report->pod);
	struct desk *desk = desk_make(holders, node->name);

	if (is_elsewhere(claimant, node->name))
		return;
	if (!holders->rebuilding && is_unbound(claimant)) {
		holders->undecided++; /* looked at again when the watch has brought its node */
		return;
	}
	desk_join(holders, claimant, node->name);
	if (is_others(held, report) && holders->withdrawn && !decide(holders, block, &held))
		return;
	if (is_others(held, report) && claimant->revoked)
		return; /* the node knows that it has to go */
	if (is_others(held, report))
		contradict(claimant, held);
	else if (!block->unreadable && (held ? !held->node : has_room(desk, report)))
		enter(holders, block, held, &(struct claim){.ip = *ip, .uid = report->uid,
		    .pod = report->pod, .node = node->name,
		    .node_uid = machine ? machine->uid : NULL, .allocation = report->allocation});
}

static void
adopt_all(struct holders *holders, const struct stored *node, const struct report *report,
    struct json_object *ips)
{
	size_t count =
	    json_object_is_type(ips, json_type_array) ? json_object_array_length(ips) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(ips, i));
		struct cidr cidr;
		if (text && cidr_parse(text, strlen(text), &cidr, NULL) == 0)
			adopt(holders, node, report, &cidr.ip);
	}
}

static void
adopt_row(struct holders *holders, const struct stored *node, struct json_object *row)
{
	const char *key = json_path_text(row, "key");
	const char *state = json_path_text(row, "state");
	scoped_free char *pod = key ? key_pod_path(key) : NULL;
	struct report report = {.domain = json_path_text(row, "domain"),
	    .uid = json_path_text(row, "uid"), .pod = pod,
	    .allocation = json_path_text(row, "profile")};

	if (pod && report.domain && report.uid && state && strcmp(state, "Granted") == 0 &&
	    !is_released(holders, report.uid))
		adopt_all(holders, node, &report, json_path(row, "ips"));
}

/* What no agent writes: the block would be refused, and all that is to be written with it. Leases
 * that were made again may not know the pod's name. */
static bool
is_readable(const char *namespace, const char *name, const struct report *report)
{
	return namespace && name && (!namespace[0] || key_label_valid(namespace)) &&
	    (!name[0] || key_subdomain_valid(name)) && report->domain && report->uid &&
	    key_domain_valid(report->domain) && strlen(report->domain) <= DOMAIN_MAX &&
	    grant_uid_valid(report->uid);
}

/* Leases of networks that the tables know: others are the business of who made them. */
static void
adopt_attachment(struct holders *holders, const struct stored *node, struct json_object *item)
{
	const char *network = json_path_text(item, "network");
	const char *namespace = json_path_text(item, "namespace");
	const char *name = json_path_text(item, "pod");
	struct report report = {
	    .domain = json_path_text(item, "domain"), .uid = json_path_text(item, "uid")};

	if (!network || !is_readable(namespace, name, &report) ||
	    tables_row_state(holders->spec.tables, network) == ROW_NONE ||
	    is_released(holders, report.uid))
		return;
	scoped_free char *pod = mem_format("%s/%s", namespace, name);
	report.pod = pod;
	adopt_all(holders, node, &report, json_path(item, "ips"));
}

/* A Node that was gone before this controller started. */
static void
recall_machine(const struct holders *holders, const struct stored *node)
{
	struct json_object *notes = json_path(node->object, "metadata.annotations");
	struct json_object *uid = NULL;
	struct json_object *provider = NULL;
	struct json_object *system = NULL;

	if (!notes || !json_object_object_get_ex(notes, NODE_UID_NOTE, &uid) ||
	    !json_object_is_type(uid, json_type_string))
		return;
	(void)json_object_object_get_ex(notes, NODE_PROVIDER_NOTE, &provider);
	(void)json_object_object_get_ex(notes, NODE_SYSTEM_NOTE, &system);
	machines_remember(holders->spec.machines, node->name, json_object_get_string(uid),
	    json_object_get_string(provider), json_object_get_string(system), holders->now);
}

bool
rebuild_adopt(struct holders *holders, const struct stored *node)
{
	unsigned before = holders->unknown + holders->undecided;

	desk_make(holders, node->name)->adopt_counted = false;
	recall_machine(holders, node);
	if (holders->withdrawn && !rebuild_has_reported(holders, node))
		return false; /* its status may be of an earlier time, too */
	if (!holders->withdrawn)
		rebuild_each(holders, node, "spec.rows", adopt_row);
	rebuild_each(holders, node, "status.attachments", adopt_attachment);
	return holders->unknown + holders->undecided != before;
}
