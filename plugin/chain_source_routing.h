/* `sourceRouting` of the chained role: what leaves by an address of the interface
 * follows a routing table of its own. As the reference plugin sbr does it, but
 * repeatable, and without touching routes that go nowhere. No I/O here. */
#ifndef PLUGIN_CHAIN_SOURCE_ROUTING_H
#define PLUGIN_CHAIN_SOURCE_ROUTING_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/bounds.h"
#include "core/err.h"
#include "node/kernel_rule.h"
#include "plugin/chain_plan.h"
#include "table/ip.h"

struct chain_source_routing {
	bool wanted;
	uint32_t table;        /* an existing one, whose routes are not ours; 0 = own ones */
	struct ip gateways[2]; /* instead of prevResult's; [0] IPv4; family 0 = none */
	bool source_hints;     /* the subnet stays in the main table, with src */
};

/* Addresses of one interface; gateway family 0 = none. */
struct chain_addresses {
	struct {
		struct cidr cidr;
		struct ip gateway;
	} list[PREV_IPS_MAX];
	unsigned count;
};

enum {
	/* Our rules: behind written ones without a priority, before the kernel's. A
	 * rule of this priority for an address is ours, and its table the address's. */
	CHAIN_SOURCE_PRIORITY = 31000,
	/* The first table that we take, as sbr has it. */
	CHAIN_SOURCE_TABLE = 100,
};

/* Reads `sourceRouting`: true, false or an object. Error code 7. */
int chain_source_routing_decode(struct json_object *config,
    struct chain_source_routing *ret_wanted, struct err *err);

/* For each address: a rule, and in its table a default route by the gateway. The
 * main table's routes of the interface that fit go along (source or gateway in the
 * address's subnet, or neither said): the written ones stay where they are, and
 * link-local ones, as neighbours are found by them. A plan for CHECK wants rules and
 * default routes only, as what went along is not known any more. Error codes: 11 no
 * address; 105 as chain_plan_add_route. */
int chain_source_routing_plan(const struct chain_source_routing *wanted,
    const struct chain_addresses *addresses, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err);

/* Second part: what went along leaves the main table. The written routes are to be
 * planned between the two, as their gateways are found by what leaves; gateways leave
 * first, so that taking back puts them last. */
int chain_source_routing_leave_main(const struct chain_source_routing *wanted,
    const struct chain_addresses *addresses, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err);

/* Whether a rule of the kernel is one that the plan made for the address. */
bool chain_source_routing_owns(const struct chain_source_routing *wanted,
    const struct ip *address, const struct kernel_rule *found);

#endif
