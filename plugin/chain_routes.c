#include "plugin/chain_routes.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

/* ---- what is wanted --------------------------------------------------------- */

static bool
is_word(struct json_object *entry, const char *key, const char *word)
{
	const char *text = json_path_text(entry, key);

	return text && strcmp(text, word) == 0;
}

/* Which family an entry to "host" is of: that of its gateway or source; NULL when
 * none of them is written. */
static const char *
written_address(struct json_object *entry)
{
	const char *gw = is_word(entry, "gw", "auto") ? NULL : json_path_text(entry, "gw");

	return gw ? gw : json_path_text(entry, "src");
}

/* The entry without its two words, for the common decoder: "auto" goes, "host"
 * becomes a destination of the entry's family that nobody looks at. */
static struct json_object *
without_words(struct json_object *entry)
{
	if (!json_object_is_type(entry, json_type_object))
		return json_object_get(entry); /* the decoder refuses it */
	struct json_object *copy = json_object_new_object();
	const char *written = written_address(entry);
	const char *any = written && strchr(written, ':') ? "::/0" : "0.0.0.0/0";

	json_object_object_foreach(entry, key, value)
	{
		if (strcmp(key, "dst") == 0 && is_word(entry, "dst", "host"))
			json_put_text(copy, "dst", any);
		else if (strcmp(key, "gw") != 0 || !is_word(entry, "gw", "auto"))
			json_object_object_add(copy, key, json_object_get(value));
	}
	return copy;
}

static bool
is_nothing(const struct ip *ip)
{
	static const uint8_t zeros[sizeof(ip->bytes)];

	return ip->family && memcmp(ip->bytes, zeros, sizeof(zeros)) == 0;
}

/* The kernel takes 0.0.0.0 and :: for none: the route would be on the link, and no
 * second ADD would know it again. */
static int
refuse_nothing(const struct chain_route *route, const char *where, struct err *err)
{
	const struct route_extra *extra = &route->extra;
	bool found = is_nothing(&route->route.gw) || is_nothing(&extra->src);

	for (unsigned i = 0; i < extra->hop_count; i++)
		found = found || is_nothing(&extra->hops[i].gw);
	if (!found)
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "%s has 0.0.0.0 or :: for an address; write the gateway or source, or leave the key "
	    "out",
	    where);
}

static int
decode_rest(struct json_object *entry, size_t i, struct chain_route *route, struct err *err)
{
	char where[32];

	(void)snprintf(where, sizeof(where), "routes[%zu]", i);
	route->to_host = is_word(entry, "dst", "host");
	route->both = route->to_host && !written_address(entry);
	route->auto_gateway = is_word(entry, "gw", "auto");
	if (route->to_host && json_path(entry, "nexthops"))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: dst \"host\" takes one gw, no nexthops", where);
	/* the kernel wants no host bits (fib_valid_key_len, net/ipv4) */
	route->route.dst.ip = cidr_first(&route->route.dst);
	int rc = route_extra_decode(entry, where, route->route.dst.ip.family,
	    &route->route.gw, &route->extra, err);
	if (!rc)
		rc = refuse_nothing(route, where, err);
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

int
chain_routes_decode(
    struct json_object *list, struct chain_routes *ret_wanted, struct err *err)
{
	scoped_json *plain = json_object_new_array();
	static struct routes routes; /* CALL_MEMORY, see ipam.c */
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++)
		json_object_array_add(plain, without_words(json_object_array_get_idx(list, i)));
	int rc = routes_decode(plain, "routes", ROUTE_CHAINED, &routes, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	ret_wanted->count = (unsigned)count;
	for (size_t i = 0; !rc && i < count; i++) {
		ret_wanted->list[i] = (struct chain_route){.route = routes.list[i]};
		rc = decode_rest(
		    json_object_array_get_idx(list, i), i, &ret_wanted->list[i], err);
	}
	return rc;
}

bool
chain_routes_need_host(const struct chain_routes *wanted)
{
	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->list[i].to_host)
			return true;
	return false;
}

/* ---- what that makes -------------------------------------------------------- */

bool
chain_first_address(const struct cidr *pod, struct ip *ret_gateway)
{
	struct ip network = cidr_first(pod);
	struct ip last = cidr_last(pod);
	struct ip first = network;

	if (pod->length == ip_bits(&pod->ip))
		return false;
	if (pod->length + 1 == ip_bits(&pod->ip)) {
		*ret_gateway = ip_equal(&pod->ip, &network) ? last : network;
		return true;
	}
	if (!ip_add(&network, 1, &first) || ip_equal(&first, &pod->ip))
		return false;
	*ret_gateway = first;
	return true;
}

static int
auto_gateway(const struct chain_facts *facts, const struct route *route,
    struct ip *ret_gateway, struct err *err)
{
	uint8_t family = route->dst.ip.family;
	const struct cidr *pod = &facts->pod[family == 6];
	struct ip known = {0};
	char text[ADDRESS_TEXT_MAX];

	if (!pod->ip.family)
		return err_set(err, CNI_ERROR_TRY_LATER,
		    "routes: gw \"auto\" needs an IPv%u address of the pod on this "
		    "interface, and prevResult has none",
		    family);
	if (chain_first_address(pod, ret_gateway))
		return 0;
	if (facts->answer)
		known = prev_result_route_gateway(facts->answer, route);
	if (!known.family)
		known = facts->gateway[family == 6];
	if (!known.family)
		return err_set(err, CNI_ERROR_ROUTE,
		    "routes: gw \"auto\" finds no gateway for the pod's address %s: it has no "
		    "other address in its subnet and its interface no default gateway; write "
		    "the gateway instead of \"auto\"",
		    cidr_print(pod, text));
	*ret_gateway = known;
	return 0;
}

static bool
is_same(const struct kernel_route *a, const struct kernel_route *b)
{
	return route_equal(&a->route, &b->route) && route_extra_equal(&a->extra, &b->extra);
}

static int
add_route(struct chain_route_list *routes, const struct kernel_route *route, struct err *err)
{
	for (unsigned i = 0; i < routes->count; i++)
		if (is_same(&routes->list[i], route))
			return 0;
	if (routes->count == ROUTES_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "routes: more than %d with those of both families to \"host\"", ROUTES_MAX);
	routes->list[routes->count++] = *route;
	return 0;
}

/* Over the interface, unless the route leads nowhere. */
static void
put_index(struct kernel_route *route, unsigned index)
{
	if (route->extra.type != ROUTE_UNICAST)
		return;
	route->index = index;
	for (unsigned i = 0; i < route->extra.hop_count; i++)
		route->hop_indexes[i] = index;
	if (route->extra.hop_count) /* as the kernel's lists have it */
		route->route.gw = route->extra.hops[0].gw;
}

/* One entry in one family. */
static int
plan_one(const struct chain_route *wanted, const struct chain_facts *facts,
    uint8_t family, struct chain_route_list *routes, struct err *err)
{
	struct kernel_route made = {.route = wanted->route, .extra = wanted->extra};
	struct route *route = &made.route;

	if (wanted->to_host) {
		const struct ip *host = &facts->host[family == 6];
		route->dst = (struct cidr){.ip = *host, .length = ip_bits(host)};
	}
	if (wanted->auto_gateway) {
		int rc = auto_gateway(facts, route, &route->gw, err);
		if (rc)
			return rc;
	}
	/* on the node's own bridge or veth the node is the gateway: the pod reaches it
	 * without a route, and one via itself would only collide */
	if (wanted->to_host && ip_equal(&route->gw, &route->dst.ip))
		return 0;
	put_index(&made, facts->index);
	return add_route(routes, &made, err);
}

static int
no_host_address(const char *families, struct err *err)
{
	return err_set(err, CNI_ERROR_ROUTE,
	    "routes: dst \"host\" finds no %s address of this node; write the address instead "
	    "of \"host\"",
	    families);
}

/* "host" of no written family: each that the pod has. */
static int
plan_host(const struct chain_route *wanted, const struct chain_facts *facts,
    struct chain_route_list *routes, struct err *err)
{
	bool pod4 = facts->pod[0].ip.family != 0;
	bool pod6 = facts->pod[1].ip.family != 0;
	bool to4 = pod4 && facts->host[0].family;
	bool to6 = pod6 && facts->host[1].family;

	if (!pod4 && !pod6)
		return err_set(err, CNI_ERROR_TRY_LATER,
		    "routes: dst \"host\" needs an address of the pod on this interface, and "
		    "prevResult has none");
	if (!to4 && !to6)
		return no_host_address(!pod6 ? "IPv4" : !pod4 ? "IPv6" : "IPv4 or IPv6", err);
	int rc = to4 ? plan_one(wanted, facts, 4, routes, err) : 0;
	if (!rc && to6)
		rc = plan_one(wanted, facts, 6, routes, err);
	return rc;
}

int
chain_routes_plan(const struct chain_routes *wanted, const struct chain_facts *facts,
    struct chain_route_list *ret_routes, struct err *err)
{
	ret_routes->count = 0;
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct chain_route *entry = &wanted->list[i];
		uint8_t family = entry->route.dst.ip.family;
		int rc;
		if (entry->both)
			rc = plan_host(entry, facts, ret_routes, err);
		else if (entry->to_host && !facts->host[family == 6].family)
			rc = no_host_address(family == 4 ? "IPv4" : "IPv6", err);
		else
			rc = plan_one(entry, facts, family, ret_routes, err);
		if (rc)
			return rc;
	}
	return 0;
}
