#include "plugin/chain_routes.h"

#include <json-c/json.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

/* ---- what is wanted --------------------------------------------------------- */

/* Keys of later versions: ignoring one would leave the pod without what it asks. */
static const char *const refused_keys[] = {
    "rules", "sourceRouting", "delRoutes", "flushRoutes"};

static bool
is_word(struct json_object *entry, const char *key, const char *word)
{
	const char *text = json_path_text(entry, key);

	return text && strcmp(text, word) == 0;
}

/* The entry without its two words, for the common decoder: "auto" goes, "host"
 * becomes a destination of the gateway's family that nobody looks at. */
static struct json_object *
without_words(struct json_object *entry)
{
	if (!json_object_is_type(entry, json_type_object))
		return json_object_get(entry); /* the decoder refuses it */
	struct json_object *copy = json_object_new_object();
	const char *gw = json_path_text(entry, "gw");
	const char *any = gw && strchr(gw, ':') ? "::/0" : "0.0.0.0/0";

	json_object_object_foreach(entry, key, value)
	{
		if (strcmp(key, "dst") == 0 && is_word(entry, "dst", "host"))
			json_put_text(copy, "dst", any);
		else if (strcmp(key, "gw") != 0 || !is_word(entry, "gw", "auto"))
			json_object_object_add(copy, key, json_object_get(value));
	}
	return copy;
}

static int
decode_list(struct json_object *list, struct chain_routes *wanted, struct err *err)
{
	scoped_json *plain = json_object_new_array();
	struct routes routes;
	size_t count = json_object_array_length(list);

	for (size_t i = 0; i < count; i++)
		json_object_array_add(plain, without_words(json_object_array_get_idx(list, i)));
	int rc = routes_decode(plain, "routes", true, &routes, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	for (size_t i = 0; i < count; i++) {
		struct json_object *entry = json_object_array_get_idx(list, i);
		struct chain_route *route = &wanted->list[i];
		*route = (struct chain_route){.route = routes.list[i],
		    .to_host = is_word(entry, "dst", "host"),
		    .auto_gateway = is_word(entry, "gw", "auto")};
		/* the kernel wants no host bits (fib_valid_key_len, net/ipv4) */
		route->route.dst.ip = cidr_first(&route->route.dst);
	}
	wanted->count = (unsigned)count;
	return 0;
}

int
chain_routes_decode(
    struct json_object *config, struct chain_routes *ret_wanted, struct err *err)
{
	struct json_object *list = NULL;

	for (size_t i = 0; i < sizeof(refused_keys) / sizeof(refused_keys[0]); i++)
		if (json_object_object_get_ex(config, refused_keys[i], NULL))
			return err_set(err, CNI_ERROR_CONFIG,
			    "%s is not supported by this version of staticip; remove it from the "
			    "network configuration",
			    refused_keys[i]);
	int rc = json_get_array(
	    config, "routes", "network configuration", false, ROUTES_MAX, &list, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	ret_wanted->count = 0;
	return list ? decode_list(list, ret_wanted, err) : 0;
}

bool
chain_routes_need_host(const struct chain_routes *wanted)
{
	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->list[i].to_host)
			return true;
	return false;
}

bool
chain_routes_need_pod(const struct chain_routes *wanted)
{
	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->list[i].to_host || wanted->list[i].auto_gateway)
			return true;
	return false;
}

/* "host" is of both families, unless a gateway is written. */
static bool
concerns(const struct chain_route *wanted, uint8_t family)
{
	if (wanted->to_host && !wanted->route.gw.family)
		return true;
	return wanted->route.dst.ip.family == family;
}

bool
chain_routes_need_gateway(
    const struct chain_routes *wanted, const struct chain_facts *facts, uint8_t family)
{
	const struct cidr *pod = &facts->pod[family == 6];
	struct ip first;

	if (!pod->ip.family || chain_first_address(pod, &first))
		return false;
	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->list[i].auto_gateway && concerns(&wanted->list[i], family))
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
auto_gateway(const struct chain_facts *facts, uint8_t family, struct ip *ret_gateway,
    struct err *err)
{
	const struct cidr *pod = &facts->pod[family == 6];
	const struct ip *known = &facts->gateway[family == 6];
	char text[ADDRESS_TEXT_MAX];

	if (!pod->ip.family)
		return err_set(err, CNI_ERROR_TRY_LATER,
		    "routes: gw \"auto\" needs an IPv%u address of the pod on this "
		    "interface, and prevResult has none",
		    family);
	if (chain_first_address(pod, ret_gateway))
		return 0;
	if (!known->family)
		return err_set(err, CNI_ERROR_ROUTE,
		    "routes: gw \"auto\" finds no gateway for the pod's address %s: it has no "
		    "other address in its subnet and its interface no default gateway; write "
		    "the gateway instead of \"auto\"",
		    cidr_print(pod, text));
	*ret_gateway = *known;
	return 0;
}

static int
add_route(struct routes *routes, const struct route *route, struct err *err)
{
	for (unsigned i = 0; i < routes->count; i++)
		if (route_equal(&routes->list[i], route))
			return 0;
	if (routes->count == ROUTES_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "routes: more than %d with those of both families to \"host\"", ROUTES_MAX);
	routes->list[routes->count++] = *route;
	return 0;
}

/* One entry in one family. */
static int
plan_one(const struct chain_route *wanted, const struct chain_facts *facts,
    uint8_t family, struct routes *routes, struct err *err)
{
	struct route route = wanted->route;

	if (wanted->to_host) {
		const struct ip *host = &facts->host[family == 6];
		route.dst = (struct cidr){.ip = *host, .length = ip_bits(host)};
	}
	if (wanted->auto_gateway) {
		int rc = auto_gateway(facts, family, &route.gw, err);
		if (rc)
			return rc;
	}
	/* on the node's own bridge or veth the node is the gateway: the pod reaches it
	 * without a route, and one via itself would only collide */
	if (wanted->to_host && ip_equal(&route.gw, &route.dst.ip))
		return 0;
	return add_route(routes, &route, err);
}

static int
no_host_address(const char *families, struct err *err)
{
	return err_set(err, CNI_ERROR_ROUTE,
	    "routes: dst \"host\" finds no %s address of this node; write the address instead "
	    "of \"host\"",
	    families);
}

/* "host" without a written gateway: each family that the pod has. */
static int
plan_host(const struct chain_route *wanted, const struct chain_facts *facts,
    struct routes *routes, struct err *err)
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
    struct routes *ret_routes, struct err *err)
{
	ret_routes->count = 0;
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct chain_route *entry = &wanted->list[i];
		uint8_t family = entry->route.dst.ip.family;
		int rc;
		if (entry->to_host && !entry->route.gw.family)
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
