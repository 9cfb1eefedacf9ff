#include "plugin/cni_result.h"

#include <json-c/json.h>

#include "plugin/cni_error.h"
#include "table/json.h"
#include "table/json_write.h"

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

static void
write_gateway(const struct cni_address *address, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	if (address->gateway.family)
		json_write_member(out, "gateway", ip_print(&address->gateway, text));
}

/* ---- 0.1.0 and 0.2.0 -------------------------------------------------------- */

static void
write_family_routes(const struct cni_result *result, uint8_t family, struct buf *out)
{
	static struct route plain[ROUTES_MAX]; /* CALL_MEMORY, see ipam.c */
	unsigned count = 0;

	for (unsigned i = 0; i < result->route_count; i++)
		if (result->routes[i].dst.ip.family == family)
			plain[count++] = (struct route){
			    .dst = result->routes[i].dst, .gw = result->routes[i].gw};
	if (count)
		routes_write(plain, count, out);
}

static void
write_families(const struct cni_result *result, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < result->ip_count; i++) {
		const struct cni_address *address = &result->ips[i];
		uint8_t family = address->cidr.ip.family;
		json_write_open(out, family == 4 ? "ip4" : "ip6", '{');
		json_write_member(out, "ip", cidr_print(&address->cidr, text));
		write_gateway(address, out);
		write_family_routes(result, family, out);
		json_write_close(out, '}');
	}
}

/* ---- 0.3.0 and later -------------------------------------------------------- */

static void
write_address(const struct cni_address *address, enum cni_shape shape, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	json_write_open(out, NULL, '{');
	if (shape == CNI_SHAPE_VERSIONS)
		json_write_member(out, "version", address->cidr.ip.family == 4 ? "4" : "6");
	json_write_member(out, "address", cidr_print(&address->cidr, text));
	write_gateway(address, out);
	json_write_close(out, '}');
}

static void
write_list(const struct cni_result *result, enum cni_shape shape, struct buf *out)
{
	json_write_open(out, "ips", '[');
	for (unsigned i = 0; i < result->ip_count; i++)
		write_address(&result->ips[i], shape, out);
	json_write_close(out, ']');
	if (result->route_count)
		routes_write(result->routes, result->route_count, out);
}

static void
write_dns(struct json_object *dns, struct buf *out)
{
	if (dns)
		(void)buf_print(out, "\"dns\":%s,", json_print(dns));
}

int
cni_result_print(const struct cni_result *result, const struct cni_version *version,
    struct buf *out, struct err *err)
{
	int rc = cni_result_fits(result, version, err);

	if (rc)
		return rc;
	json_write_open(out, NULL, '{');
	json_write_member(out, "cniVersion", version->text);
	if (version->shape == CNI_SHAPE_FAMILIES)
		write_families(result, out);
	else
		write_list(result, version->shape, out);
	write_dns(result->dns, out);
	json_write_close(out, '}');
	json_write_end(out);
	(void)buf_text(out, "\n");
	return buf_whole(out, "the result", err);
}
