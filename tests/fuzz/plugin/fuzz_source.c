/* An ipam block and CNI_ARGS: what an inline source makes of them. The input is CNI_ARGS
 * up to the first line break, then a network configuration. Addresses that come out are
 * such as a host can have, walks stay in their ranges, and errors are JSON. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "core/mem.h"
#include "plugin/cni_error.h"
#include "plugin/dns.h"
#include "plugin/source.h"
#include "table/json.h"

enum { CANDIDATES = 300 };

static void
judge(const struct err *err)
{
	scoped_buf out = buf_make(64 * 1024);
	scoped_json *object = NULL;

	assert(err->code > 0 && err->text[0]);
	cni_error_print(err, cni_version_newest(), &out);
	assert(json_parse(buf_string(&out), out.length - 1, "error", &object, NULL) == 0);
}

static void
look_at_list(const struct source *source)
{
	char room[96];

	assert(source->ip_count >= 1 && source->ip_count <= ENTRY_IPS_MAX);
	for (unsigned i = 0; i < source->ip_count; i++) {
		const struct cni_address *address = &source->ips[i];
		assert(!cidr_unusable(&address->cidr, room));
		assert(!address->gateway.family || address->gateway.family == address->cidr.ip.family);
		for (unsigned k = 0; k < i; k++)
			assert(!ip_equal(&address->cidr.ip, &source->ips[k].cidr.ip));
	}
}

static void
walk(const struct range_set *set, const struct ip *last)
{
	struct range_walk walk;
	struct cidr candidate;
	struct cidr first = {.length = 0};
	char room[96];

	range_walk_start(set, last, &walk);
	for (unsigned i = 0; i < CANDIDATES && range_walk_next(&walk, &candidate); i++) {
		const struct range *range = range_set_find(set, &candidate.ip);
		assert(range && cidr_contains(&range->subnet, &candidate.ip));
		assert(candidate.length == range->subnet.length && !cidr_unusable(&candidate, room));
		assert(!ip_equal(&candidate.ip, &range->gateway));
		assert(ip_compare(&candidate.ip, &set->fixed.first) < 0 ||
		    ip_compare(&candidate.ip, &set->fixed.last) > 0);
		assert(i == 0 || !ip_equal(&candidate.ip, &first.ip)); /* it ends */
		if (i == 0)
			first = candidate;
	}
}

static void
look_at_ranges(const struct range_sets *sets)
{
	assert(sets->count >= 1 && sets->count <= ENTRY_IPS_MAX);
	for (unsigned i = 0; i < sets->count; i++) {
		const struct range_set *set = &sets->list[i];
		assert(set->count >= 1 && set->count <= RANGE_SET_RANGES_MAX);
		assert(!set->requested.family || range_set_find(set, &set->requested));
		walk(set, NULL);
		for (unsigned k = 0; k < set->count; k++) {
			walk(set, &set->list[k].span.first);
			walk(set, &set->list[k].span.last);
		}
	}
}

static void
look_at_index(const struct index_rule *rule)
{
	static const char cmdline[] = "epoxy.ipv4=10.0.0.9/20,10.0.0.1,8.8.8.8, epoxy.ipv6=fd00::9/64,fd00::1,,";
	struct index_host hosts[2];
	struct cni_address address;
	struct err err = {0};

	assert(rule->number >= 1 && rule->number <= INDEX_MAX);
	assert(index_parse_cmdline(cmdline, "epoxy", hosts, NULL) == 0);
	for (unsigned i = 0; i < 2; i++) {
		if (index_add(rule, &hosts[i], &address, &err))
			judge(&err);
		else
			assert(cidr_contains(&hosts[i].cidr, &address.cidr.ip));
	}
}

static void
look(const struct source *source)
{
	assert(source->wait_s <= WAIT_SECONDS_MAX);
	if (source->kind == SOURCE_ALLOCATIONS || source->kind == SOURCE_ADDRESSES)
		look_at_list(source);
	if (source->kind == SOURCE_RANGES)
		look_at_ranges(source->ranges);
	if (source->kind == SOURCE_INDEX)
		look_at_index(&source->index);
}

/* The same bytes as other texts that come from a host. */
static void
other_texts(const char *text, size_t length)
{
	struct index_host hosts[2];
	struct json_object *dns = NULL;
	struct err err = {0};

	if (index_parse_cmdline(text, "epoxy", hosts, &err))
		judge(&err);
	if (dns_parse_resolv_conf(text, length, "resolv.conf", &dns, &err))
		judge(&err);
	json_object_put(dns);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = mem_new(size + 1, 1);
	scoped_args args = {0};
	scoped_config config = {0};
	scoped_source source = {.ip_count = 0};
	struct err err = {0};

	memcpy(text, data, size);
	char *line = memchr(text, '\n', size);
	if (!line)
		return 0;
	*line = '\0';
	if (cni_args_parse(text, &args, NULL))
		return 0;
	other_texts(line + 1, strlen(line + 1));
	if (cni_config_parse(line + 1, size - (size_t)(line + 1 - text), CNI_ADD, &config, NULL) ||
	    !config.ipam)
		return 0;
	if (source_read(&config, &args, &source, &err))
		judge(&err);
	else
		look(&source);
	return 0;
}
