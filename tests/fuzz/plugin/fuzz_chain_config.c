/* A configuration of the chained role: what it wants, and the plan that this makes
 * for a pod that has one of everything. A plan that was carried out leaves nothing
 * to do (I5), and CHECK finds it. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/chain_apply.h"
#include "plugin/chain_clean.h"
#include "plugin/chain_link.h"
#include "plugin/chain_wanted.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {0};

	(void)cidr_parse(text, strlen(text), &cidr, NULL);
	return cidr;
}

static struct kernel_route
route_of(const char *dst, const char *gw)
{
	struct cidr gateway = cidr_of(gw);

	return (struct kernel_route){.route = {.dst = cidr_of(dst), .gw = gateway.ip, .has_scope = true},
	    .index = 2};
}

static void
pod_of(struct chain_plan *plan)
{
	const struct kernel_route routes[] = {route_of("0.0.0.0/0", "10.131.0.1/32"), route_of("10.131.0.0/23", ""),
	    route_of("10.8.0.0/16", "10.131.0.7/32"), route_of("::/0", "fd31::1/128"), route_of("fd31::/64", ""),
	    route_of("fe80::/64", "")};
	const struct kernel_rule rules[] = {{.family = 4, .table = 254, .priority = 32766},
	    {.family = 6, .from = cidr_of("fd31::43/128"), .table = 101, .priority = CHAIN_SOURCE_PRIORITY}};

	plan->routes = mem_new(6, sizeof(*plan->routes));
	memcpy(plan->routes, routes, sizeof(routes));
	plan->route_count = 6;
	plan->rules = mem_new(2, sizeof(*plan->rules));
	memcpy(plan->rules, rules, sizeof(rules));
	plan->rule_count = 2;
}

static const struct chain_facts facts = {.index = 2, .host = {{4, {10, 0, 32, 2}}, {6, {0xfd, 0x32, [15] = 2}}},
    .pod = {{{4, {10, 131, 0, 43}}, 23}, {{6, {0xfd, 0x31, [15] = 0x43}}, 64}}};

static int
make_plan(const struct chain_wanted *wanted, struct chain_plan *plan, struct err *err)
{
	struct chain_addresses addresses = {.count = 2};
	struct chain_route_list written;
	int rc = chain_routes_plan(&wanted->routes, &facts, &written, err);

	addresses.list[0].cidr = facts.pod[0];
	addresses.list[0].gateway = (struct ip){4, {10, 131, 0, 1}};
	addresses.list[1].cidr = facts.pod[1];
	if (!rc && !plan->checking)
		rc = chain_removal_plan(&wanted->removal, facts.index, &written, plan, err);
	if (!rc)
		rc = chain_source_routing_plan(&wanted->source_routing, &addresses, facts.index, &written, plan, err);
	for (unsigned i = 0; !rc && i < written.count; i++)
		rc = chain_plan_add_route(plan, &written.list[i], err);
	if (!rc)
		rc = chain_source_routing_leave_main(&wanted->source_routing, &addresses, facts.index, &written, plan, err);
	if (!rc)
		chain_rules_plan(&wanted->rules, plan);
	for (size_t i = 0; !rc && i < plan->rule_count; i++)
		(void)chain_clean_takes(wanted, &addresses, &plan->rules[i]);
	return rc;
}

/* What the plan leaves, as a pod. */
static void
carry_out(struct chain_plan *plan, bool checking)
{
	mem_free(plan->changes);
	plan->changes = NULL;
	plan->change_count = 0;
	plan->checking = checking;
}

static void
plan_twice(const struct chain_wanted *wanted)
{
	scoped_chain_plan plan = {0};
	struct err err = {0};

	pod_of(&plan);
	if (make_plan(wanted, &plan, &err)) {
		assert(err.code > 0 && err.text[0]);
		return;
	}
	carry_out(&plan, false);
	assert(make_plan(wanted, &plan, NULL) == 0);
	assert(plan.change_count == 0);
	carry_out(&plan, true);
	assert(make_plan(wanted, &plan, NULL) == 0);
	assert(chain_verify(&plan, NULL) == 0);
}

static void
decode_link(struct json_object *config)
{
	struct chain_link link;
	struct err err = {0};

	if (chain_link_decode(config, &link, &err)) {
		assert(cni_error_code(&err) == 7 && err.text[0]);
		return;
	}
	assert(link.ipv6.nodad_count <= NODAD_MAX);
	for (unsigned i = 0; i < link.ipv6.nodad_count; i++)
		assert(chain_ipv6_skips_dad(&link.ipv6, &link.ipv6.nodad[i].ip));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_json *config = NULL;
	struct chain_wanted wanted;
	struct err err = {0};

	if (json_parse((const char *)data, size, "input", &config, NULL))
		return 0;
	decode_link(config);
	if (chain_wanted_decode(config, &wanted, &err)) {
		int code = cni_error_code(&err);
		assert((code == 7 || code == 102) && err.text[0]);
		return 0;
	}
	plan_twice(&wanted);
	return 0;
}
