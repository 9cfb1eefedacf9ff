#include "controller/status.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "table/json.h"

enum { ADDRESSES_SHOWN = 64 };

static const char *const types[CONDITIONS] = {"Accepted", "Programmed", "Ready"};

/* ---- conditions --------------------------------------------------------- */

__attribute__((format(printf, 4, 5))) static void
say(struct condition *condition, bool is_true, const char *reason, const char *format, ...)
{
	va_list args;

	condition->is_true = is_true;
	condition->reason = reason;
	va_start(args, format);
	(void)vsnprintf(condition->message, sizeof(condition->message), format, args);
	va_end(args);
}

static void
judge_accepted(const struct declared *declared, const struct holding *holding,
    struct condition *condition)
{
	if (!declared->spec) {
		say(condition, false, "Invalid", "%s%s", declared->invalid.text,
		    holding ? "; the rows of the last valid version stay" : "");
		return;
	}
	if (!holding || !holding->refused) {
		say(condition, true, "Valid", "the addresses are this allocation's");
		return;
	}
	for (unsigned i = 0; i < holding->row_count; i++) {
		const struct wanted *row = &holding->rows[i];
		if (row->granted)
			continue;
		say(condition, false, row->reason, "entry %u: %s%s", i, row->refusal,
		    holding->refused > 1 ? "; more entries are refused, see status.addresses" : "");
		return;
	}
}

static void
judge_programmed(const struct declared *declared, const struct holding *holding,
    const struct tables *tables, struct condition *condition)
{
	unsigned granted = 0;
	unsigned published = 0;
	unsigned full = 0;

	for (unsigned i = 0; holding && i < holding->row_count; i++) {
		if (!holding->rows[i].granted)
			continue;
		enum row_state state = tables_row_state(tables, holding->rows[i].key);
		granted++;
		published += state == ROW_PUBLISHED;
		full += state == ROW_FULL;
	}
	if (granted == 0)
		say(condition, false, "NoRow", "no row is in the tables");
	else if (full)
		say(condition, false, "TableFull",
		    "%u of %u rows have no room in their bucket: install with more buckets (tables.buckets)",
		    full, granted);
	else if (published < granted)
		say(condition, false, "Pending", "%u of %u rows are in the tables",
		    published, granted);
	else if (declared->restored)
		say(condition, true, "Restored",
		    "all %u rows are in the tables; a table was changed by another hand and put right",
		    granted);
	else
		say(condition, true, "Published", "all %u rows are in the tables", granted);
}

static bool
target_exists(const struct world *world, const struct declared *declared)
{
	if (declared->spec->kind == TARGET_STATEFUL_SET)
		return declared->target->exists;
	return world_find_pod(world, declared->namespace, declared->spec->target) != NULL;
}

/* A target that is not there yet is no fault of the allocation's: its rows wait
 * for the pods. More pods than entries is one. */
static void
judge_target(const struct world *world, const struct declared *declared,
    struct condition *condition)
{
	const char *kind = target_kind_name(declared->spec->kind);
	const char *name = declared->spec->target;
	unsigned entries = declared->spec->entry_count;

	if (!target_exists(world, declared)) {
		say(condition, false, "TargetNotFound",
		    "there is no %s %s in namespace %s; its rows are ready for when it comes", kind,
		    name, declared->namespace);
		return;
	}
	if (declared->spec->kind == TARGET_STATEFUL_SET && declared->target->replicas > entries) {
		scoped_free char *first = world_pod_name(declared, entries);
		say(condition, false, "TooFewAddresses",
		    "StatefulSet %s has %lld replicas, the allocation %u entries: pods from %s on have no address; add entries or scale down",
		    name, (long long)declared->target->replicas, entries, first);
		return;
	}
	say(condition, true, "Ready", "every pod of %s %s has its address", kind, name);
}

/* One of its pods waits, and will wait: who has its address, and what frees it. */
static bool
judge_held(const struct holding *holding, const struct held_summary *held,
    struct condition *condition)
{
	unsigned first = 0;
	unsigned count = 0;

	for (unsigned i = 0; holding && held && i < holding->row_count; i++)
		if (holding->rows[i].granted && held[i].waits && count++ == 0)
			first = i;
	if (!count)
		return false;
	say(condition, false, "AddressHeld", "entry %u: %s%s", first, held[first].waits,
	    count > 1 ? "; more pods wait, see status.addresses" : "");
	return true;
}

void
status_judge(const struct world *world, const struct declared *declared,
    const struct holding *holding, const struct tables *tables,
    const struct held_summary *held, struct condition ret_conditions[CONDITIONS])
{
	struct condition *ready = &ret_conditions[CONDITION_READY];

	judge_accepted(declared, holding, &ret_conditions[CONDITION_ACCEPTED]);
	judge_programmed(declared, holding, tables, &ret_conditions[CONDITION_PROGRAMMED]);
	if (!ret_conditions[CONDITION_ACCEPTED].is_true)
		*ready = ret_conditions[CONDITION_ACCEPTED];
	else if (!ret_conditions[CONDITION_PROGRAMMED].is_true)
		*ready = ret_conditions[CONDITION_PROGRAMMED];
	else if (!judge_held(holding, held, ready))
		judge_target(world, declared, ready);
}

/* ---- encoding ----------------------------------------------------------- */

static const char *
pod_of_key(const char *key, char *out, size_t size)
{
	const char *namespace = strchr(key, '/') + 1;
	const char *pod = strchr(namespace, '/') + 1;

	(void)snprintf(out, size, "%.*s", (int)strcspn(pod, "/"), pod);
	return out;
}

/* By a pod that is not the one of the name, or not any more. */
static bool
held_by_former(
    const struct wanted *row, const struct pod *pod, const struct held_summary *held)
{
	return row->granted && held->uid &&
	    (!pod || pod->ended || strcmp(pod->uid, held->uid) != 0);
}

static const char *
state_of(const struct wanted *row, const struct pod *pod, const struct held_summary *held)
{
	if (!row->granted)
		return "Refused";
	if (held_by_former(row, pod, held))
		return "Held";
	if (!pod)
		return "Free";
	if (pod->ended)
		return "Ended";
	if (pod->terminating)
		return "Terminating";
	return pod->running ? "Running" : "Pending";
}

static bool
in_use(const struct wanted *row, const struct pod *pod, const struct held_summary *held)
{
	return row->granted && pod && pod->node && !pod->ended &&
	    !held_by_former(row, pod, held);
}

static struct json_object *
encode_ips(const struct entry *entry)
{
	struct json_object *array = json_object_new_array_ext((int)entry->ip_count);
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < entry->ip_count; i++)
		json_object_array_add(
		    array, json_object_new_string(ip_print(&entry->ips[i].ip, text)));
	return array;
}

/* Keys sorted, here and below. */
static struct json_object *
encode_address(const struct wanted *row, unsigned index, const char *name,
    const struct pod *pod, const struct held_summary *held)
{
	struct json_object *object = json_object_new_object();
	bool former = held_by_former(row, pod, held);
	const char *node = pod ? pod->node : NULL;
	const char *uid = pod ? pod->uid : NULL;

	json_put_number(object, "index", index);
	json_object_object_add(object, "ips", encode_ips(&row->entry));
	json_put_text(object, "node", former ? held->node : node);
	json_put_text(object, "pod", name);
	json_put_text(object, "since", row->granted && held->uid ? held->since : NULL);
	json_put_text(object, "state", state_of(row, pod, held));
	json_put_text(object, "uid", former ? held->uid : uid);
	return object;
}

struct counts {
	unsigned used, held;
};

static struct json_object *
encode_addresses(const struct world *world, const struct declared *declared,
    const struct holding *holding, const struct held_summary *held,
    struct counts *ret_counts)
{
	static const struct held_summary nobody = {.uid = NULL};
	struct json_object *array = json_object_new_array();
	char name[SUBDOMAIN_MAX + 1];
	struct counts counts = {0};

	for (unsigned i = 0; holding && i < holding->row_count; i++) {
		const struct wanted *row = &holding->rows[i];
		pod_of_key(row->key, name, sizeof(name));
		const struct pod *pod = world_find_pod(world, declared->namespace, name);
		const struct held_summary *holder = held ? &held[i] : &nobody;
		counts.used += in_use(row, pod, holder);
		counts.held += held_by_former(row, pod, holder);
		if (i < ADDRESSES_SHOWN)
			json_object_array_add(array, encode_address(row, i, name, pod, holder));
	}
	*ret_counts = counts;
	return array;
}

/* lastTransitionTime changes only with the status. */
static struct json_object *
encode_condition(const struct declared *declared, int type, const struct condition *condition,
    const char *now)
{
	struct json_object *object = json_object_new_object();
	const struct condition_seen *seen = &declared->conditions[type];
	const char *status = condition->is_true ? "True" : "False";
	bool same = strcmp(seen->status, status) == 0;

	json_put_text(object, "lastTransitionTime", same ? seen->since : now);
	json_put_text(object, "message", condition->message);
	json_put_number(object, "observedGeneration", (uint64_t)declared->generation);
	json_put_text(object, "reason", condition->reason);
	json_put_text(object, "status", status);
	json_put_text(object, "type", types[type]);
	return object;
}

static void
put_summary(struct json_object *status, const struct holding *holding)
{
	char text[ADDRESS_TEXT_MAX] = "";
	scoped_free char *summary = NULL;

	if (holding && holding->row_count) {
		ip_print(&holding->rows[0].entry.ips[0].ip, text);
		if (holding->row_count > 1)
			summary = mem_format("%s +%u", text, holding->row_count - 1);
	}
	json_put_text(status, "summary", summary ? summary : text);
}

static void
put_target(struct json_object *status, const struct declared *declared)
{
	scoped_free char *target = declared->spec
	    ? mem_format("%s/%s", target_kind_name(declared->spec->kind), declared->spec->target)
	    : mem_text("");

	json_put_text(status, "target", target);
}

struct json_object *
status_encode(const struct world *world, const struct declared *declared,
    const struct holding *holding, const struct condition conditions[CONDITIONS],
    const struct held_summary *held, const char *now)
{
	struct json_object *status = json_object_new_object();
	struct json_object *list = json_object_new_array_ext(CONDITIONS);
	struct counts counts = {0};

	json_object_object_add(
	    status, "addresses", encode_addresses(world, declared, holding, held, &counts));
	for (int i = 0; i < CONDITIONS; i++)
		json_object_array_add(list, encode_condition(declared, i, &conditions[i], now));
	json_object_object_add(status, "conditions", list);
	json_put_number(status, "held", counts.held);
	json_put_number(status, "inUse", counts.used);
	json_put_number(status, "observedGeneration", (uint64_t)declared->generation);
	put_summary(status, holding);
	put_target(status, declared);
	json_put_number(status, "total", holding ? holding->row_count : 0);
	return status;
}
