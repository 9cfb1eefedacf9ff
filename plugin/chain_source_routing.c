#include "plugin/chain_source_routing.h"

#include <json-c/json.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/cni_error.h"
#include "table/json.h"

/* ---- what is wanted --------------------------------------------------------- */

static int
decode_gateways(struct json_object *object, struct ip gateways[2], struct err *err)
{
	struct json_object *list = NULL;
	int rc = json_get_array(
	    object, "gateways", "sourceRouting", false, ENTRY_IPS_MAX, &list, err);

	for (size_t i = 0; !rc && list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		struct ip ip;
		if (!json_object_is_type(item, json_type_string))
			return err_set(
			    err, CNI_ERROR_CONFIG, "sourceRouting.gateways[%zu] is no text", i);
		const char *text = json_object_get_string(item);
		if (ip_parse_lax(text, strlen(text), &ip, err))
			return err_wrap(err, "sourceRouting.gateways[%zu]", i);
		if (gateways[ip.family == 6].family)
			return err_set(err, CNI_ERROR_CONFIG,
			    "sourceRouting.gateways has multiple IPv%u addresses; a table has "
			    "one default route",
			    ip.family);
		gateways[ip.family == 6] = ip;
	}
	return rc;
}

static int
refuse_unknown(struct json_object *object, struct err *err)
{
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		if (strcmp(key, "table") != 0 && strcmp(key, "gateways") != 0 &&
		    strcmp(key, "addSourceHints") != 0)
			return err_set(err, CNI_ERROR_CONFIG,
			    "sourceRouting.%.40s is not a known key (table, gateways, "
			    "addSourceHints)",
			    key);
	}
	return 0;
}

static int
decode_object(
    struct json_object *object, struct chain_source_routing *wanted, struct err *err)
{
	const char *where = "sourceRouting";
	uint64_t table = 0;
	int rc = refuse_unknown(object, err);

	if (!rc)
		rc = json_get_number(object, "table", where, false, UINT32_MAX, &table, err);
	if (!rc)
		rc = decode_gateways(object, wanted->gateways, err);
	if (!rc)
		rc = json_get_bool(object, "addSourceHints", where, &wanted->source_hints, err);
	if (rc)
		return rc;
	if (json_path(object, "table") && table == 0)
		return err_set(
		    err, CNI_ERROR_CONFIG, "sourceRouting.table is 0, which is no table");
	wanted->table = (uint32_t)table;
	if (table && (json_path(object, "gateways") || wanted->source_hints))
		return err_set(err, CNI_ERROR_CONFIG,
		    "sourceRouting has table, which makes rules only, and gateways or "
		    "addSourceHints, which are about routes; write one or the other");
	return 0;
}

int
chain_source_routing_decode(struct json_object *config,
    struct chain_source_routing *ret_wanted, struct err *err)
{
	struct json_object *value = json_path(config, "sourceRouting");
	struct chain_source_routing wanted = {0};
	int rc = 0;

	if (json_object_is_type(value, json_type_boolean)) {
		wanted.wanted = json_object_get_boolean(value);
	} else if (json_object_is_type(value, json_type_object)) {
		wanted.wanted = true;
		rc = decode_object(value, &wanted, err);
	} else if (value) {
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "sourceRouting is neither true or false nor an object");
	}
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	*ret_wanted = wanted;
	return 0;
}

/* ---- tables ----------------------------------------------------------------- */

/* The rule of an address, but for its table. */
static struct kernel_rule
rule_of(const struct ip *address)
{
	return (struct kernel_rule){.family = address->family,
	    .from = {.ip = *address, .length = ip_bits(address)},
	    .priority = CHAIN_SOURCE_PRIORITY};
}

bool
chain_source_routing_owns(const struct chain_source_routing *wanted,
    const struct ip *address, const struct kernel_rule *found)
{
	struct kernel_rule ours = rule_of(address);

	ours.table = wanted->table ? wanted->table : found->table;
	return kernel_rule_equal(found, &ours);
}

static bool
is_taken(const struct chain_plan *plan, uint32_t table)
{
	/* default, main, local */
	if (table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL)
		return true;
	for (size_t i = 0; i < plan->rule_count; i++)
		if (plan->rules[i].table == table)
			return true;
	for (size_t i = 0; i < plan->route_count; i++)
		if (kernel_route_table(&plan->routes[i]) == table)
			return true;
	return false;
}

/* The one that the address has from an earlier ADD, else the first free one. */
static uint32_t
table_for(const struct chain_source_routing *wanted, const struct ip *address,
    const struct chain_plan *plan)
{
	uint32_t table = CHAIN_SOURCE_TABLE;

	if (wanted->table)
		return wanted->table;
	for (size_t i = 0; i < plan->rule_count; i++)
		if (chain_source_routing_owns(wanted, address, &plan->rules[i]))
			return plan->rules[i].table;
	while (is_taken(plan, table))
		table++;
	return table;
}

/* ---- routes ----------------------------------------------------------------- */

static bool
fits(const struct kernel_route *route, const struct cidr *address)
{
	const struct ip *src = &route->extra.src;
	const struct ip *gw = &route->route.gw;

	if (route->route.dst.ip.family != address->ip.family)
		return false;
	if (!src->family && !gw->family)
		return true;
	return (src->family && cidr_contains(address, src)) ||
	    (gw->family && cidr_contains(address, gw));
}

/* Whether a route of the main table goes along at all. */
static bool
goes(const struct kernel_route *route, unsigned index,
    const struct chain_route_list *written)
{
	return kernel_route_is_over(route, index) &&
	    kernel_route_table(route) == RT_TABLE_MAIN &&
	    !chain_route_is_link_local(route) && !chain_route_list_has(written, route);
}

static int
add_default(const struct ip *gateway, uint32_t table, unsigned index,
    struct chain_plan *plan, struct err *err)
{
	struct kernel_route route = {.index = index};

	if (!gateway->family)
		return 0;
	route.route = (struct route){.dst.ip.family = gateway->family,
	    .gw = *gateway,
	    .has_table = true,
	    .table = table};
	return chain_plan_add_route(plan, &route, err);
}

/* Copies into the table what fits and has a gateway, or has none: gateways are
 * found by the routes on the link. What has its place there already stays. */
static int
copy(const struct kernel_route *moving, size_t count, const struct cidr *address,
    uint32_t table, struct chain_plan *plan, struct err *err)
{
	for (int with_gateway = 0; with_gateway < 2; with_gateway++) {
		for (size_t i = 0; i < count; i++) {
			struct kernel_route route = moving[i];
			bool has_gateway = route.route.gw.family != 0;
			route.route.has_table = true;
			route.route.table = table;
			if (has_gateway != (with_gateway == 1) || !fits(&route, address) ||
			    chain_plan_has_rival(plan, &route))
				continue;
			int rc = chain_plan_add_route(plan, &route, err);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int
plan_address(const struct chain_source_routing *wanted, const struct cidr *address,
    const struct ip *gateway, unsigned index, struct chain_plan *plan, uint32_t *ret_table,
    struct err *err)
{
	const struct ip *written = &wanted->gateways[address->ip.family == 6];
	struct kernel_rule rule = rule_of(&address->ip);

	rule.table = table_for(wanted, &address->ip, plan);
	chain_plan_add_rule(plan, &rule);
	*ret_table = rule.table;
	if (wanted->table)
		return 0;
	return add_default(written->family ? written : gateway, rule.table, index, plan, err);
}

/* The routes of the main table that may go along, as they are now. */
static struct kernel_route *
moving_routes(const struct chain_plan *plan, unsigned index,
    const struct chain_route_list *written, size_t *ret_count)
{
	struct kernel_route *list = mem_new(plan->route_count + 1, sizeof(*list));
	size_t count = 0;

	for (size_t i = 0; i < plan->route_count; i++)
		if (goes(&plan->routes[i], index, written))
			list[count++] = plan->routes[i];
	*ret_count = count;
	return list;
}

int
chain_source_routing_plan(const struct chain_source_routing *wanted,
    const struct chain_addresses *addresses, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err)
{
	scoped_free struct kernel_route *moving = NULL;
	size_t count = 0;
	int rc = 0;

	if (!wanted->wanted)
		return 0;
	if (addresses->count == 0)
		return err_set(err, CNI_ERROR_TRY_LATER,
		    "sourceRouting needs an address of the pod on this interface, and there "
		    "is none");
	moving = moving_routes(plan, index, written, &count);
	for (unsigned i = 0; !rc && i < addresses->count; i++) {
		const struct cidr *address = &addresses->list[i].cidr;
		uint32_t table;
		rc = plan_address(wanted, address, &addresses->list[i].gateway, index, plan,
		    &table, err);
		if (!rc && !wanted->table && !plan->checking)
			rc = copy(moving, count, address, table, plan, err);
	}
	return rc;
}

static const struct cidr *
first_fit(const struct kernel_route *route, const struct chain_addresses *addresses)
{
	for (unsigned i = 0; i < addresses->count; i++)
		if (fits(route, &addresses->list[i].cidr))
			return &addresses->list[i].cidr;
	return NULL;
}

/* With source hints the subnet stays reachable by the main table: by a route on the
 * link, or by one to the subnet through its gateway, as the main plugin ptp has it. */
static bool
stays(const struct chain_source_routing *wanted, const struct kernel_route *route,
    const struct cidr *address)
{
	const struct cidr subnet = {.ip = cidr_first(address), .length = address->length};

	return wanted->source_hints &&
	    (!route->route.gw.family || cidr_equal(&route->route.dst, &subnet));
}

/* Takes one route out of the main table; one that stays says its source. */
static int
leave(const struct chain_source_routing *wanted, const struct kernel_route *route,
    const struct cidr *address, struct chain_plan *plan, struct err *err)
{
	bool hint = stays(wanted, route, address);
	struct kernel_route hinted = *route;

	if (hint && route->extra.src.family)
		return 0;
	chain_plan_delete_found(plan, route);
	hinted.extra.src = address->ip;
	return hint ? chain_plan_add_route(plan, &hinted, err) : 0;
}

/* What stays in the main table has to be there: of an ADD that was killed between taking
 * a route out and putting it back with its source, the copy in the address's own table is
 * left. */
static int
put_back_hints(const struct chain_source_routing *wanted, const struct cidr *address,
    unsigned index, const struct chain_route_list *written, struct chain_plan *plan,
    struct err *err)
{
	uint32_t table = table_for(wanted, &address->ip, plan);
	size_t count = plan->route_count;
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		struct kernel_route hinted = plan->routes[i];
		if (kernel_route_table(&hinted) != table ||
		    !kernel_route_is_over(&hinted, index) || !fits(&hinted, address) ||
		    chain_route_list_has(written, &hinted) ||
		    !stays(wanted, &hinted, address))
			continue;
		hinted.route.table = RT_TABLE_MAIN;
		hinted.extra.src = hinted.extra.src.family ? hinted.extra.src : address->ip;
		if (!chain_plan_has_rival(plan, &hinted))
			rc = chain_plan_add_route(plan, &hinted, err);
	}
	return rc;
}

int
chain_source_routing_leave_main(const struct chain_source_routing *wanted,
    const struct chain_addresses *addresses, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err)
{
	scoped_free struct kernel_route *moving = NULL;
	size_t count = 0;
	int rc = 0;

	if (!wanted->wanted || wanted->table || plan->checking)
		return 0;
	moving = moving_routes(plan, index, written, &count);
	for (int on_link = 0; on_link < 2; on_link++) {
		for (size_t i = 0; !rc && i < count; i++) {
			const struct cidr *address = first_fit(&moving[i], addresses);
			if (address && (moving[i].route.gw.family == 0) == (on_link == 1))
				rc = leave(wanted, &moving[i], address, plan, err);
		}
	}
	for (unsigned i = 0; !rc && i < addresses->count; i++)
		rc = put_back_hints(
		    wanted, &addresses->list[i].cidr, index, written, plan, err);
	return rc;
}
