#include "plugin/addresses.h"

#include <json-c/json.h>
#include <stdio.h>

#include "plugin/address.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static int
decode_list(struct json_object *ipam, struct cni_result *written, struct err *err)
{
	struct json_object *array = NULL;

	if (json_get_array(ipam, "addresses", "ipam", false, ENTRY_IPS_MAX, &array, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		struct cni_address address;
		char where[48];
		(void)snprintf(where, sizeof(where), "ipam.addresses[%zu]", i);
		int rc = address_decode(
		    json_object_array_get_idx(array, i), where, &address, err);
		if (!rc)
			rc = address_add(
			    written->ips, &written->ip_count, &address, where, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* In the words of `static`, which differ between the roads. */
static int
no_prefix(const struct requested_item *item, struct err *err)
{
	bool args = item->road == REQUESTED_ARGS_IP;

	return err_set(err, args ? CNI_ERROR_ENVIRONMENT : CNI_ERROR_CONFIG,
	    "%s CIDR notation, got: '%.*s'; it came as %s",
	    args ? "the 'ip' field is expected to be in"
		 : "an entry in the 'ips' field is NOT in",
	    (int)item->length, item->text, requested_road_name(item->road));
}

/* The addresses of one road. */
static int
read_road(const struct requested *requested, enum requested_road road,
    struct cni_result *asked, struct err *err)
{
	for (unsigned i = 0; i < requested->count; i++) {
		const struct requested_item *item = &requested->list[i];
		struct cni_address address = {0};
		if (item->road != road)
			continue;
		if (cidr_parse_lax(item->text, item->length, &address.cidr, NULL))
			return no_prefix(item, err);
		int rc = address_check(&address.cidr, requested_road_name(road), err);
		if (!rc)
			rc = address_add(asked->ips, &asked->ip_count, &address,
			    requested_road_name(road), err);
		if (rc)
			return rc;
	}
	return 0;
}

/* All roads are read, so that an error on any is told; the first that says anything
 * counts. */
static int
read_roads(const struct requested *requested, struct cni_result *ret_asked,
    enum requested_road *ret_road, struct err *err)
{
	for (int road = REQUESTED_ARGS_IP; road >= REQUESTED_RUNTIME; road--) {
		struct cni_result asked = {0};
		int rc = read_road(requested, (enum requested_road)road, &asked, err);
		if (rc)
			return rc;
		if (asked.ip_count == 0)
			continue;
		*ret_asked = asked;
		*ret_road = (enum requested_road)road;
	}
	return 0;
}

static int
set_gateways(const struct requested *requested, struct cni_result *asked, struct err *err)
{
	for (unsigned i = 0; i < requested->count; i++) {
		const struct requested_item *item = &requested->list[i];
		struct cidr gateway;
		bool with_prefix;
		if (item->road != REQUESTED_ARGS_GATEWAY)
			continue;
		int rc = requested_parse(item, &gateway, &with_prefix, err);
		if (rc)
			return rc;
		for (unsigned k = 0; k < asked->ip_count; k++)
			if (cidr_contains(&asked->ips[k].cidr, &gateway.ip))
				asked->ips[k].gateway = gateway.ip;
	}
	return 0;
}

/* What stands in the list of what is asked for, in the order asked. */
static void
choose(const struct cni_result *written, struct cni_result *asked)
{
	for (unsigned i = 0; i < asked->ip_count; i++)
		for (unsigned k = 0; k < written->ip_count; k++)
			if (ip_equal(&asked->ips[i].cidr.ip, &written->ips[k].cidr.ip))
				asked->ips[i] = written->ips[k];
}

static void
take(const struct cni_result *from, struct cni_address ret_ips[ENTRY_IPS_MAX],
    unsigned *ret_count)
{
	for (unsigned i = 0; i < from->ip_count; i++)
		ret_ips[i] = from->ips[i];
	*ret_count = from->ip_count;
}

int
addresses_decode(struct json_object *ipam, const struct requested *requested,
    struct cni_address ret_ips[ENTRY_IPS_MAX], unsigned *ret_count, struct err *err)
{
	struct cni_result written = {0};
	struct cni_result asked = {0};
	enum requested_road road = REQUESTED_ARGS_IP;
	int rc = decode_list(ipam, &written, err);

	if (!rc)
		rc = read_roads(requested, &asked, &road, err);
	if (!rc && written.ip_count > 0)
		rc = requested_check(requested, &written, "ipam.addresses", err);
	else if (!rc && road == REQUESTED_ARGS_IP)
		rc = set_gateways(requested, &asked, err);
	if (rc)
		return rc;
	choose(&written, &asked);
	take(written.ip_count > 0 && road == REQUESTED_ARGS_IP ? &written : &asked,
	    ret_ips, ret_count);
	if (*ret_count == 0)
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.addresses is empty and the runtime asks for no address; write "
		    "one of the two");
	return 0;
}
