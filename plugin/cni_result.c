#include "plugin/cni_result.h"

#include <json-c/json.h>

#include "plugin/cni_error.h"
#include "table/json.h"

/* ---- 0.1.0 and 0.2.0 -------------------------------------------------------- */

static struct json_object *
family_routes(const struct cni_result *result, uint8_t family)
{
	static struct route plain[ROUTES_MAX]; /* CALL_MEMORY, see ipam.c */
	unsigned count = 0;

	for (unsigned i = 0; i < result->route_count; i++)
		if (result->routes[i].dst.ip.family == family)
			plain[count++] = (struct route){
			    .dst = result->routes[i].dst, .gw = result->routes[i].gw};
	return count ? routes_encode(plain, count) : NULL;
}

static struct json_object *
family_object(const struct cni_address *address, const struct cni_result *result)
{
	struct json_object *object = json_object_new_object();
	char text[ADDRESS_TEXT_MAX];
	struct json_object *list = family_routes(result, address->cidr.ip.family);

	json_put_text(object, "ip", cidr_print(&address->cidr, text));
	if (address->gateway.family)
		json_put_text(object, "gateway", ip_print(&address->gateway, text));
	if (list)
		json_object_object_add(object, "routes", list);
	return object;
}

static void
put_families(const struct cni_result *result, struct json_object *object)
{
	for (unsigned i = 0; i < result->ip_count; i++) {
		const struct cni_address *address = &result->ips[i];
		json_object_object_add(object, address->cidr.ip.family == 4 ? "ip4" : "ip6",
		    family_object(address, result));
	}
}

int
cni_result_fits(const struct cni_result *result, const struct cni_version *version,
    struct err *err)
{
	unsigned of_family[2] = {0};

	for (unsigned i = 0; i < result->ip_count; i++)
		of_family[result->ips[i].cidr.ip.family == 6]++;
	if (version->shape != CNI_SHAPE_FAMILIES || (of_family[0] <= 1 && of_family[1] <= 1))
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "CNI version %s does not support more than 1 address per family; the network "
	    "configuration needs cniVersion 0.3.0 or later",
	    version->text);
}

/* ---- 0.3.0 and later -------------------------------------------------------- */

static struct json_object *
address_object(const struct cni_address *address, enum cni_shape shape)
{
	struct json_object *object = json_object_new_object();
	char text[ADDRESS_TEXT_MAX];

	if (shape == CNI_SHAPE_VERSIONS)
		json_put_text(object, "version", address->cidr.ip.family == 4 ? "4" : "6");
	json_put_text(object, "address", cidr_print(&address->cidr, text));
	if (address->gateway.family)
		json_put_text(object, "gateway", ip_print(&address->gateway, text));
	return object;
}

static void
put_list(const struct cni_result *result, enum cni_shape shape, struct json_object *object)
{
	struct json_object *ips = json_object_new_array();

	for (unsigned i = 0; i < result->ip_count; i++)
		json_object_array_add(ips, address_object(&result->ips[i], shape));
	json_object_object_add(object, "ips", ips);
	if (result->route_count)
		json_object_object_add(
		    object, "routes", routes_encode(result->routes, result->route_count));
}

int
cni_result_print(const struct cni_result *result, const struct cni_version *version,
    struct buf *out, struct err *err)
{
	scoped_json *object = json_object_new_object();
	int rc = cni_result_fits(result, version, err);

	if (rc)
		return rc;
	json_put_text(object, "cniVersion", version->text);
	if (version->shape == CNI_SHAPE_FAMILIES)
		put_families(result, object);
	else
		put_list(result, version->shape, object);
	if (result->dns)
		json_object_object_add(object, "dns", json_object_get(result->dns));
	(void)buf_print(out, "%s\n", json_print(object));
	return buf_whole(out, "the result", err);
}
