#include "controller/allocation.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"

const char *
target_kind_name(enum target_kind kind)
{
	return kind == TARGET_POD ? "Pod" : "StatefulSet";
}

void
allocation_free(struct allocation *allocation)
{
	if (!allocation)
		return;
	for (unsigned i = 0; i < allocation->entry_count; i++) {
		mem_free(allocation->entries[i].ips);
		mem_free(allocation->entries[i].gateways);
	}
	mem_free(allocation->entries);
	mem_free(allocation->network);
	mem_free(allocation->interface);
	mem_free(allocation->target);
	mem_free(allocation->routes);
	mem_free(allocation);
}

static const char *
text_at(struct json_object *array, size_t i)
{
	struct json_object *element = json_object_array_get_idx(array, i);

	return json_object_is_type(element, json_type_string) ? json_object_get_string(element) : "";
}

/* V1 for names. */
static int
decode_names(struct json_object *spec, struct allocation *a, struct err *err)
{
	const char *network = NULL;
	const char *interface = NULL;
	const char *kind = NULL;
	const char *name = NULL;
	struct json_object *target = NULL;
	int rc = json_get_text(spec, "network", "spec", true, NETWORK_NAME_MAX, &network, err);

	if (!rc)
		rc = json_get_text(spec, "interface", "spec", false, IFNAME_LEN_MAX, &interface, err);
	if (!rc)
		rc = json_get_object(spec, "targetRef", "spec", true, &target, err);
	if (!rc)
		rc = json_get_text(target, "kind", "spec.targetRef", true, LABEL_MAX, &kind, err);
	if (!rc)
		rc = json_get_text(target, "name", "spec.targetRef", true, SUBDOMAIN_MAX, &name, err);
	if (rc)
		return rc;
	if (!key_network_valid(network))
		return err_set(err, EINVAL, "spec.network: '%s' is no CNI network name", network);
	if (interface && !key_interface_valid(interface))
		return err_set(err, EINVAL, "spec.interface: '%s' is no interface name", interface);
	if (!key_subdomain_valid(name))
		return err_set(err, EINVAL, "spec.targetRef.name: '%s' is no object name", name);
	if (strcmp(kind, "Pod") != 0 && strcmp(kind, "StatefulSet") != 0)
		return err_set(err, EINVAL,
		    "spec.targetRef.kind: '%s' is unknown, use Pod or StatefulSet", kind);
	/* names of its pods: NAME-ORDINAL, an ordinal has up to ten digits */
	if (strcmp(kind, "StatefulSet") == 0 && strlen(name) > STATEFUL_SET_NAME_MAX)
		return err_set(err, EINVAL,
		    "spec.targetRef.name: a StatefulSet's name has at most %d characters here, its pods' ordinals need the rest",
		    STATEFUL_SET_NAME_MAX);
	a->network = mem_text(network);
	a->interface = mem_text(interface);
	a->kind = strcmp(kind, "Pod") == 0 ? TARGET_POD : TARGET_STATEFUL_SET;
	a->target = mem_text(name);
	return 0;
}

/* V1 for gateways: canonical, at most one per family. */
static int
decode_gateways(struct json_object *owner, const char *where, struct ip *list,
    unsigned *ret_count, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(owner, "gateways", where, false, ENTRY_GATEWAYS_MAX, &array, err);

	size_t count = array ? json_object_array_length(array) : 0;
	for (size_t i = 0; !rc && i < count; i++) {
		const char *text = text_at(array, i);
		rc = ip_parse(text, strlen(text), &list[i], err);
		if (rc)
			return err_wrap(err, "%s.gateways[%zu]", where, i);
	}
	if (!rc && count == 2 && list[0].family == list[1].family)
		return err_set(err, EINVAL, "%s.gateways has two of one family", where);
	if (!rc)
		*ret_count = (unsigned)count;
	return rc;
}

static int
decode_entry_ips(struct json_object *object, const char *where, struct entry *entry,
    struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(object, "ips", where, true, ENTRY_IPS_MAX, &array, err);

	if (rc)
		return rc;
	size_t count = json_object_array_length(array);
	if (count == 0)
		return err_set(err, EINVAL, "%s.ips is empty", where);
	entry->ips = mem_new(count, sizeof(*entry->ips));
	entry->ip_count = (unsigned)count;
	for (size_t i = 0; i < count; i++) {
		const char *text = text_at(array, i);
		if (cidr_parse(text, strlen(text), &entry->ips[i], err))
			return err_wrap(err, "%s.ips[%zu]", where, i);
	}
	return 0;
}

static int
decode_entry(struct json_object *object, const char *where, struct entry *entry,
    struct err *err)
{
	struct ip gateways[ENTRY_GATEWAYS_MAX] = {{0}};
	int rc = decode_entry_ips(object, where, entry, err);

	if (!rc)
		rc = decode_gateways(object, where, gateways, &entry->gateway_count, err);
	if (rc || !entry->gateway_count)
		return rc;
	entry->gateways = mem_new(entry->gateway_count, sizeof(*entry->gateways));
	memcpy(entry->gateways, gateways, entry->gateway_count * sizeof(*gateways));
	return 0;
}

static int
decode_addresses(struct json_object *array, struct allocation *a, struct err *err)
{
	size_t count = json_object_array_length(array);

	a->entries = mem_new(count, sizeof(*a->entries));
	a->entry_count = (unsigned)count;
	for (size_t i = 0; i < count; i++) {
		char where[48];
		(void)snprintf(where, sizeof(where), "spec.addresses[%zu]", i);
		int rc = decode_entry(json_object_array_get_idx(array, i), where, &a->entries[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

struct ranges {
	struct ip_range list[RANGES_MAX];
	uint8_t length[RANGES_MAX];
	unsigned count;
};

/* V4: a range has a prefix, lies in one subnet and is not too long. */
static int
check_range(const struct ip_range *range, uint8_t length, const char *text, struct err *err)
{
	struct cidr subnet = {.ip = range->first, .length = length};

	if (length == 255)
		return err_set(err, EINVAL, "'%s' has no /prefix length (rule V4)", text);
	if (!cidr_contains(&subnet, &range->last))
		return err_set(err, EINVAL,
		    "'%s': first and last address are not in one /%u subnet (rule V4)", text, length);
	if (ip_range_count(range) > ENTRIES_MAX)
		return err_set(err, EINVAL, "'%s' has more than %d addresses (rule V4)", text, ENTRIES_MAX);
	return 0;
}

static int
decode_ranges(struct json_object *array, struct ranges *ranges, struct err *err)
{
	size_t count = json_object_array_length(array);

	for (size_t i = 0; i < count; i++) {
		const char *text = text_at(array, i);
		struct ip_range *range = &ranges->list[i];
		int rc = ip_range_parse(text, strlen(text), range, &ranges->length[i], err);
		if (!rc)
			rc = check_range(range, ranges->length[i], text, err);
		if (rc)
			return err_wrap(err, "spec.addressRanges[%zu]", i);
	}
	ranges->count = (unsigned)count;
	return 0;
}

/* V5: equally long; V6: no overlap. */
static int
compare_ranges(const struct ranges *ranges, struct err *err)
{
	uint64_t first = ip_range_count(&ranges->list[0]);

	for (unsigned i = 1; i < ranges->count; i++) {
		uint64_t count = ip_range_count(&ranges->list[i]);
		if (count != first)
			return err_set(err, EINVAL,
			    "spec.addressRanges[%u] has %llu addresses, spec.addressRanges[0] has %llu: all ranges must be equally long (rule V5)",
			    i, (unsigned long long)count, (unsigned long long)first);
		for (unsigned k = 0; k < i; k++)
			if (ip_ranges_overlap(&ranges->list[i], &ranges->list[k]))
				return err_set(err, EINVAL,
				    "spec.addressRanges[%u] and spec.addressRanges[%u] overlap (rule V6)", k, i);
	}
	return 0;
}

/* One address of each range per index. */
static void
expand_ranges(const struct ranges *ranges, struct allocation *a)
{
	a->entry_count = (unsigned)ip_range_count(&ranges->list[0]);
	a->entries = mem_new(a->entry_count, sizeof(*a->entries));
	for (unsigned i = 0; i < a->entry_count; i++) {
		struct entry *entry = &a->entries[i];
		entry->ips = mem_new(ranges->count, sizeof(*entry->ips));
		entry->ip_count = ranges->count;
		for (unsigned r = 0; r < ranges->count; r++) {
			/* cannot pass the end: first + count - 1 is last */
			(void)ip_add(&ranges->list[r].first, i, &entry->ips[r].ip);
			entry->ips[r].length = ranges->length[r];
		}
	}
}

/* V2: one of the two forms; V3: a Pod has one entry. */
static int
decode_entries(struct json_object *spec, struct allocation *a, struct err *err)
{
	struct json_object *addresses = NULL;
	struct json_object *range_texts = NULL;
	struct ranges ranges = {.count = 0};
	int rc = json_get_array(spec, "addresses", "spec", false, ENTRIES_MAX, &addresses, err);

	if (!rc)
		rc = json_get_array(spec, "addressRanges", "spec", false, RANGES_MAX, &range_texts, err);
	if (rc)
		return rc;
	if (!addresses == !range_texts)
		return err_set(err, EINVAL, "spec: give either addresses or addressRanges (rule V2)");
	a->field = addresses ? "spec.addresses" : "spec.addressRanges";
	if (addresses)
		rc = decode_addresses(addresses, a, err);
	else
		rc = decode_ranges(range_texts, &ranges, err);
	if (!rc && ranges.count)
		rc = compare_ranges(&ranges, err);
	if (!rc && ranges.count)
		expand_ranges(&ranges, a);
	if (!rc && a->entry_count == 0)
		return err_set(err, EINVAL, "spec: there is no address (rule V2)");
	if (!rc && a->kind == TARGET_POD && a->entry_count != 1)
		return err_set(err, EINVAL, "spec: a Pod has exactly one entry, not %u (rule V3)",
		    a->entry_count);
	return rc;
}

/* V1 for a choice between two words; the first one when it is left out. */
static int
decode_choice(struct json_object *spec, const char *key, const char *const words[2],
    bool *ret_second, struct err *err)
{
	const char *word = words[0];
	int rc = json_get_text(spec, key, "spec", false, LABEL_MAX, &word, err);

	if (rc)
		return rc;
	if (strcmp(word, words[0]) != 0 && strcmp(word, words[1]) != 0)
		return err_set(err, EINVAL, "spec.%s: '%s' is unknown, use %s or %s", key, word,
		    words[0], words[1]);
	*ret_second = strcmp(word, words[1]) == 0;
	return 0;
}

/* V1 for what happens when a holder cannot be asked. */
static int
decode_hand_over(struct json_object *spec, struct allocation *a, struct err *err)
{
	static const char *const handovers[] = {"Strict", "Available"};
	static const char *const failures[] = {"Hold", "AfterGrace"};
	uint64_t grace_s = GRACE_SECONDS_MIN;
	int rc = decode_choice(spec, "handover", handovers, &a->available, err);

	if (!rc)
		rc = decode_choice(spec, "onNodeFailure", failures, &a->after_grace, err);
	if (!rc)
		rc = json_get_number(
		    spec, "graceSeconds", "spec", false, GRACE_SECONDS_MAX, &grace_s, err);
	if (rc)
		return rc;
	if (grace_s < GRACE_SECONDS_MIN)
		return err_set(err, EINVAL, "spec.graceSeconds: %u is less than %d",
		    (unsigned)grace_s, GRACE_SECONDS_MIN);
	a->grace_s = json_path(spec, "graceSeconds") ? (unsigned)grace_s : 0;
	return 0;
}

int
allocation_decode(struct json_object *spec, struct allocation **ret_allocation,
    struct err *err)
{
	struct allocation *a = mem_new(1, sizeof(*a));

	a->routes = mem_new(1, sizeof(*a->routes));
	int rc = decode_names(spec, a, err);
	if (!rc)
		rc = decode_entries(spec, a, err);
	if (!rc)
		rc = decode_gateways(spec, "spec", a->gateways, &a->gateway_count, err);
	if (!rc)
		rc = routes_decode(json_path(spec, "routes"), "spec.routes", ROUTE_STRICT, a->routes, err);
	if (!rc)
		rc = decode_hand_over(spec, a, err);
	if (rc) {
		/* what has no rule of its own is a matter of form */
		if (err && !strstr(err->text, "(rule "))
			(void)err_append(err, " (rule V1)");
		allocation_free(a);
		return rc;
	}
	*ret_allocation = a;
	return 0;
}
