#include "plugin/prev_result.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

static int
read_gateway(struct json_object *object, const char *where, struct ip *ret_gateway,
    struct err *err)
{
	static const struct ip nothing;
	const char *text = NULL;
	struct ip gateway;
	int rc =
	    json_get_text(object, "gateway", where, false, ADDRESS_TEXT_MAX, &text, err);

	/* the reference route-override leaves "", 0.0.0.0 or :: where it took a gateway
	 * away */
	if (rc || !text || !text[0])
		return rc;
	rc = ip_parse_lax(text, strlen(text), &gateway, err);
	if (rc)
		return err_wrap(err, "%s", where);
	if (memcmp(gateway.bytes, nothing.bytes, sizeof(nothing.bytes)) != 0)
		*ret_gateway = gateway;
	return 0;
}

/* key is "address", or "ip" in 0.1.0 and 0.2.0. */
static int
read_address(struct json_object *object, const char *key, const char *where,
    struct prev_result *prev, struct err *err)
{
	struct prev_address address = {.interface = -1};
	const char *text = "";
	uint64_t interface = UINT64_MAX; /* stays when there is none */
	int rc = json_get_text(object, key, where, true, ADDRESS_TEXT_MAX, &text, err);

	if (!rc && cidr_parse_lax(text, strlen(text), &address.cidr, err))
		rc = err_wrap(err, "%s.%s", where, key);
	if (!rc)
		rc = read_gateway(object, where, &address.gateway, err);
	if (!rc)
		rc = json_get_number(object, "interface", where, false, INT_MAX, &interface, err);
	if (rc)
		return rc;
	if (interface != UINT64_MAX)
		address.interface = (int)interface;
	prev->ips[prev->ip_count++] = address;
	return 0;
}

/* Routes are looked at for the default gateways only: what else a route of another
 * plugin says is not ours to judge. */
static void
read_routes(struct json_object *routes, struct prev_result *prev)
{
	size_t count =
	    json_object_is_type(routes, json_type_array) ? json_object_array_length(routes) : 0;

	for (size_t i = 0; i < count && i < PREV_ROUTES_MAX; i++) {
		struct json_object *item = json_object_array_get_idx(routes, i);
		const char *dst = json_path_text(item, "dst");
		const char *gw = json_path_text(item, "gw");
		struct cidr cidr;
		struct ip ip;
		if (!dst || !gw || cidr_parse_lax(dst, strlen(dst), &cidr, NULL) ||
		    ip_parse_lax(gw, strlen(gw), &ip, NULL) || cidr.length != 0)
			continue;
		struct ip *known = &prev->default_gateways[ip.family == 6];
		if (!known->family)
			*known = ip;
	}
}

static int
read_families(struct prev_result *prev, struct err *err)
{
	static const char *const keys[] = {"ip4", "ip6"};

	for (unsigned i = 0; i < 2; i++) {
		struct json_object *object = NULL;
		char where[32];
		(void)snprintf(where, sizeof(where), "prevResult.%s", keys[i]);
		int rc = json_get_object(prev->json, keys[i], "prevResult", false, &object, err);
		if (!rc && object)
			rc = read_address(object, "ip", where, prev, err);
		if (rc)
			return rc;
		read_routes(json_path(object, "routes"), prev);
	}
	return 0;
}

static int
read_interfaces(struct prev_result *prev, struct err *err)
{
	struct json_object *list = NULL;
	int rc = json_get_array(
	    prev->json, "interfaces", "prevResult", false, PREV_INTERFACES_MAX, &list, err);
	size_t count = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *name = json_path_text(item, "name");
		const char *sandbox = json_path_text(item, "sandbox");
		prev->interfaces[i] = (struct prev_interface){
		    .name = name ? name : "", .in_sandbox = sandbox && sandbox[0]};
		prev->interface_count++;
	}
	return rc;
}

static int
read_lists(struct prev_result *prev, struct err *err)
{
	struct json_object *list = NULL;
	int rc = read_interfaces(prev, err);

	if (!rc)
		rc = json_get_array(
		    prev->json, "ips", "prevResult", false, PREV_IPS_MAX, &list, err);
	for (size_t i = 0; !rc && list && i < json_object_array_length(list); i++) {
		char where[40];
		(void)snprintf(where, sizeof(where), "prevResult.ips[%zu]", i);
		rc = read_address(
		    json_object_array_get_idx(list, i), "address", where, prev, err);
	}
	read_routes(json_path(prev->json, "routes"), prev);
	return rc;
}

/* Two versions of one shape are one for this purpose, as in libcni. A result that
 * names none has the configuration's. */
static int
check_version(
    const struct prev_result *prev, const struct cni_version *version, struct err *err)
{
	const char *text = json_path_text(prev->json, "cniVersion");
	const struct cni_version *said = text && text[0] ? cni_version_find(text) : version;

	if (said && said->shape == version->shape)
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "prevResult is of CNI version %.32s, the network configuration of %s; the plugin "
	    "before this one must answer in the version asked",
	    text, version->text);
}

int
prev_result_read(
    const struct cni_config *config, struct prev_result *ret_prev, struct err *err)
{
	struct prev_result *prev = ret_prev;
	const char *config_name = "network configuration";

	*prev = (struct prev_result){0};
	int rc = json_get_object(
	    config->json, "prevResult", config_name, false, &prev->json, err);
	if (rc)
		return rc;
	if (!prev->json)
		return err_set(err, CNI_ERROR_CONFIG,
		    "Required prevResult missing; the container runtime passes it with CHECK, "
		    "and to each plugin that stands behind another one in the list of "
		    "network %s",
		    config->name);
	rc = check_version(prev, config->version, err);
	if (rc)
		return rc;
	return config->version->shape == CNI_SHAPE_FAMILIES ? read_families(prev, err)
	                                                    : read_lists(prev, err);
}

static bool
named_in_sandbox(const struct prev_result *prev, const char *interface)
{
	for (unsigned i = 0; i < prev->interface_count; i++)
		if (prev->interfaces[i].in_sandbox &&
		    strcmp(prev->interfaces[i].name, interface) == 0)
			return true;
	return false;
}

bool
prev_result_is_on(const struct prev_result *prev, unsigned i, const char *interface)
{
	int index = prev->ips[i].interface;

	if (index < 0)
		return true;
	if ((unsigned)index >= prev->interface_count ||
	    strcmp(prev->interfaces[index].name, interface) != 0)
		return false;
	return prev->interfaces[index].in_sandbox || !named_in_sandbox(prev, interface);
}

struct ip
prev_result_gateway(const struct prev_result *prev, const char *interface, uint8_t family)
{
	for (unsigned i = 0; i < prev->ip_count; i++) {
		const struct ip *gateway = &prev->ips[i].gateway;
		if (gateway->family == family && prev_result_is_on(prev, i, interface))
			return *gateway;
	}
	return prev->default_gateways[family == 6];
}

/* The array that routes of a family go into, made where there is none. */
static struct json_object *
routes_of(struct json_object *result, enum cni_shape shape, uint8_t family)
{
	struct json_object *owner = result;
	struct json_object *routes = NULL;

	if (shape == CNI_SHAPE_FAMILIES)
		owner = json_path(result, family == 4 ? "ip4" : "ip6");
	if (!json_object_is_type(owner, json_type_object))
		return NULL;
	if (!json_object_object_get_ex(owner, "routes", &routes) ||
	    !json_object_is_type(routes, json_type_array)) {
		routes = json_object_new_array();
		json_object_object_add(owner, "routes", routes);
	}
	return routes;
}

static bool
read_route(struct json_object *item, struct route *ret_route)
{
	const char *dst = json_path_text(item, "dst");
	const char *gw = json_path_text(item, "gw");
	int64_t table = json_path_number(item, "table", 0);
	int64_t priority = json_path_number(item, "priority", 0);
	struct route route = {.has_table = true, .has_priority = true};

	if (!dst || cidr_parse_lax(dst, strlen(dst), &route.dst, NULL) || table < 0 ||
	    table > UINT32_MAX || priority < 0 || priority > UINT32_MAX ||
	    (gw && ip_parse_lax(gw, strlen(gw), &route.gw, NULL)))
		return false;
	route.dst.ip = cidr_first(&route.dst);
	route.table = (uint32_t)table;
	route.priority = (uint32_t)priority;
	*ret_route = route;
	return true;
}

struct ip
prev_result_route_gateway(const struct prev_result *prev, const struct route *wanted)
{
	struct json_object *routes = json_path(prev->json, "routes");
	size_t count =
	    json_object_is_type(routes, json_type_array) ? json_object_array_length(routes) : 0;
	struct cidr dst = {.ip = cidr_first(&wanted->dst), .length = wanted->dst.length};

	for (size_t i = 0; i < count; i++) {
		struct route route;
		if (read_route(json_object_array_get_idx(routes, i), &route) &&
		    cidr_equal(&route.dst, &dst) && route.table == wanted->table &&
		    route.priority == wanted->priority)
			return route.gw;
	}
	return (struct ip){0};
}

static void
prune(struct json_object *owner,
    bool (*is_there)(const struct route *route, const void *cookie), const void *cookie)
{
	struct json_object *routes = json_path(owner, "routes");
	size_t i =
	    json_object_is_type(routes, json_type_array) ? json_object_array_length(routes) : 0;

	while (i-- > 0) {
		struct route route;
		if (read_route(json_object_array_get_idx(routes, i), &route) &&
		    !is_there(&route, cookie))
			(void)json_object_array_del_idx(routes, i, 1);
	}
}

void
prev_result_prune_routes(const struct prev_result *prev, enum cni_shape shape,
    bool (*is_there)(const struct route *route, const void *cookie), const void *cookie)
{
	if (shape != CNI_SHAPE_FAMILIES) {
		prune(prev->json, is_there, cookie);
		return;
	}
	prune(json_path(prev->json, "ip4"), is_there, cookie);
	prune(json_path(prev->json, "ip6"), is_there, cookie);
}

/* In 0.1.0 and 0.2.0 there is one address of each family, under its name. */
static struct json_object *
address_object(const struct prev_result *prev, enum cni_shape shape, unsigned i)
{
	if (shape == CNI_SHAPE_FAMILIES)
		return json_path(prev->json, prev->ips[i].cidr.ip.family == 4 ? "ip4" : "ip6");
	return json_object_array_get_idx(json_path(prev->json, "ips"), i);
}

void
prev_result_drop_gateways(
    const struct prev_result *prev, enum cni_shape shape, const char *interface)
{
	for (unsigned i = 0; i < prev->ip_count; i++)
		if (prev_result_is_on(prev, i, interface))
			json_object_object_del(address_object(prev, shape, i), "gateway");
}

static void
append_route(struct json_object *result, enum cni_shape shape, const struct route *route)
{
	struct json_object *routes = routes_of(result, shape, route->dst.ip.family);
	struct route plain = {.dst = route->dst, .gw = route->gw};
	scoped_json *one =
	    routes_encode(shape == CNI_SHAPE_FAMILIES ? &plain : route, 1);

	if (routes)
		json_object_array_add(
		    routes, json_object_get(json_object_array_get_idx(one, 0)));
}

int
prev_result_print(const struct prev_result *prev, const struct cni_version *version,
    const struct route *added, unsigned count, struct buf *out, struct err *err)
{
	json_object_object_add(
	    prev->json, "cniVersion", json_object_new_string(version->text));
	for (unsigned i = 0; i < count; i++)
		append_route(prev->json, version->shape, &added[i]);
	(void)buf_print(out, "%s\n", json_print(prev->json));
	return buf_whole(out, "the result", err);
}
