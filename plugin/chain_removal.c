#include "plugin/chain_removal.h"

#include <json-c/json.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

/* ---- what is wanted --------------------------------------------------------- */

static int
refuse_other_keys(struct json_object *list, struct err *err)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		if (!json_object_is_type(entry, json_type_object))
			continue; /* the decoder refuses it */
		json_object_object_foreach(entry, key, value)
		{
			(void)value;
			if (strcmp(key, "dst") != 0 && strcmp(key, "gw") != 0)
				return err_set(err, CNI_ERROR_CONFIG,
				    "delRoutes[%zu].%.40s is not a known key of a route to delete "
				    "(dst, gw)",
				    i, key);
		}
	}
	return 0;
}

static int
decode_deletes(struct json_object *config, struct routes *ret_deletes, struct err *err)
{
	struct json_object *list = NULL;
	int rc = json_get_array(config, "delRoutes", "network configuration", false,
	    ROUTES_MAX, &list, err);

	if (!rc && list)
		rc = refuse_other_keys(list, err);
	if (!rc)
		rc = routes_decode(list, "delRoutes", ROUTE_LAX, ret_deletes, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < ret_deletes->count; i++) {
		struct cidr *dst = &ret_deletes->list[i].dst;
		dst->ip = cidr_first(dst);
	}
	return 0;
}

int
chain_removal_decode(
    struct json_object *config, struct chain_removal *ret_removal, struct err *err)
{
	const char *where = "network configuration";
	bool flush_routes = false;
	bool flush_gateway = false;
	int rc = json_get_bool(config, "flushRoutes", where, &flush_routes, err);

	if (!rc)
		rc = json_get_bool(config, "flushGateway", where, &flush_gateway, err);
	/* in its place: the list is large, and most of it is never touched */
	if (!rc)
		rc = decode_deletes(config, &ret_removal->deletes, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	ret_removal->flush_routes = flush_routes;
	ret_removal->flush_gateway = flush_gateway;
	return 0;
}

bool
chain_removal_is_wanted(const struct chain_removal *removal)
{
	return removal->flush_routes || removal->flush_gateway || removal->deletes.count;
}

/* ---- what that takes -------------------------------------------------------- */

static bool
has_gateway(const struct kernel_route *route, const struct ip *gw)
{
	for (unsigned i = 0; i < route->extra.hop_count; i++)
		if (ip_equal(&route->extra.hops[i].gw, gw))
			return true;
	return ip_equal(&route->route.gw, gw);
}

static int
refuse_part(const struct kernel_route *route, const struct ip *gw, struct err *err)
{
	char whole[KERNEL_ROUTE_TEXT_MAX];
	char text[ADDRESS_TEXT_MAX];

	return err_set(err, CNI_ERROR_ROUTE,
	    "delRoutes: %s is one of several gateways of route %s; write the entry without gw "
	    "to delete the whole route",
	    ip_print(gw, text), kernel_route_print(route, whole));
}

/* 1: it goes; 0: it stays. */
static int
judge(const struct chain_removal *removal, const struct kernel_route *route,
    struct err *err)
{
	const struct cidr *dst = &route->route.dst;

	if (removal->flush_gateway && dst->length == 0)
		return 1;
	if (removal->flush_routes && route->route.gw.family &&
	    !chain_route_is_link_local(route))
		return 1;
	for (unsigned i = 0; i < removal->deletes.count; i++) {
		const struct route *entry = &removal->deletes.list[i];
		if (!cidr_equal(&entry->dst, dst) ||
		    (entry->gw.family && !has_gateway(route, &entry->gw)))
			continue;
		if (entry->gw.family && route->extra.hop_count > 1)
			return refuse_part(route, &entry->gw, err);
		return 1;
	}
	return 0;
}

static bool
may_go(const struct kernel_route *route, unsigned index,
    const struct chain_route_list *written)
{
	return kernel_route_is_over(route, index) &&
	    kernel_route_table(route) == RT_TABLE_MAIN &&
	    !chain_route_list_has(written, route);
}

int
chain_removal_plan(const struct chain_removal *removal, unsigned index,
    const struct chain_route_list *written, struct chain_plan *plan, struct err *err)
{
	/* those on the link last: taking back, they come first, and gateways need them */
	for (int on_link = 0; on_link < 2; on_link++) {
		size_t i = 0;
		while (i < plan->route_count) {
			const struct kernel_route *route = &plan->routes[i];
			bool its_turn = (route->route.gw.family == 0) == (on_link == 1);
			int goes = its_turn && may_go(route, index, written)
			    ? judge(removal, route, err)
			    : 0;
			if (goes < 0)
				return goes;
			if (goes)
				chain_plan_delete_route(plan, i);
			else
				i++;
		}
	}
	return 0;
}
