#include "table/row.h"

#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>
#include <string.h>

#include "core/text.h"
#include "table/json.h"
#include "table/key.h"

static struct json_object *
encode_ips(const struct ip *ips, unsigned count)
{
	struct json_object *array = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++)
		json_object_array_add(array, json_object_new_string(ip_print(&ips[i], text)));
	return array;
}

static void
finish(struct json_object *object, struct buf *buf)
{
	buf_text(buf, json_print(object));
	json_object_put(object);
}

void
row_put(const struct row *row, struct json_object *object)
{
	struct json_object *ips = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];

	json_put_text(object, "p", row->profile);
	for (unsigned i = 0; i < row->ip_count; i++)
		json_object_array_add(ips, json_object_new_string(cidr_print(&row->ips[i], text)));
	json_object_object_add(object, "ips", ips);
	if (row->gateway_count)
		json_object_object_add(object, "gw", encode_ips(row->gateways, row->gateway_count));
}

void
row_encode(const struct row *row, struct buf *buf)
{
	struct json_object *object = json_object_new_object();

	row_put(row, object);
	finish(object, buf);
}

void
profile_encode(const struct profile *profile, struct buf *buf)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "uid", profile->uid);
	if (profile->gateway_count)
		json_object_object_add(
		    object, "gw", encode_ips(profile->gateways, profile->gateway_count));
	if (profile->routes.count)
		json_object_object_add(object, "routes",
		    routes_encode(profile->routes.list, profile->routes.count));
	if (profile->available)
		json_put_text(object, "handover", "Available");
	finish(object, buf);
}

void
network_row_encode(const struct network_row *network, struct buf *buf)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "domain", network->domain);
	json_object_object_add(
	    object, "grants", json_object_new_boolean(network->grants_required));
	finish(object, buf);
}

static int
decode_gateways(struct json_object *object, const char *key, struct ip *list,
    unsigned *ret_count, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(object, "gw", key, ROUTE_STRICT, ENTRY_GATEWAYS_MAX, &array, err);

	size_t count = array ? json_object_array_length(array) : 0;
	for (size_t i = 0; !rc && i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));
		rc = ip_parse(text ? text : "", text ? strlen(text) : 0, &list[i], err);
		if (rc)
			return err_wrap(err, "%s", key);
	}
	if (!rc)
		*ret_count = (unsigned)count;
	return rc;
}

static int
decode_cidrs(struct json_object *object, const char *key, struct row *row, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(object, "ips", key, true, ENTRY_IPS_MAX, &array, err);

	if (rc)
		return rc;
	size_t count = json_object_array_length(array);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));
		rc = cidr_parse(text ? text : "", text ? strlen(text) : 0, &row->ips[i], err);
		if (rc)
			return err_wrap(err, "%s", key);
	}
	if (count == 0)
		return err_set(err, EINVAL, "%s has no address", key);
	row->ip_count = (unsigned)count;
	return 0;
}

int
row_get(const char *key, struct json_object *object, struct row *ret_row, struct err *err)
{
	const char *profile = NULL;
	struct row row = {0};
	int rc = json_get_text(object, "p", key, true, sizeof(row.profile) - 1, &profile, err);

	if (!rc)
		rc = decode_cidrs(object, key, &row, err);
	if (!rc)
		rc = decode_gateways(object, key, row.gateways, &row.gateway_count, err);
	if (rc)
		return rc;
	(void)text_join(row.profile, sizeof(row.profile), profile, NULL);
	*ret_row = row;
	return 0;
}

int
row_decode(const char *key, const char *json, size_t length, struct row *ret_row,
    struct err *err)
{
	scoped_json *object = NULL;
	int rc = json_parse(json, length, key, &object, err);

	return rc ? rc : row_get(key, object, ret_row, err);
}

static int
decode_handover(struct json_object *object, const char *key, bool *ret_available, struct err *err)
{
	const char *handover = "Strict";
	int rc = json_get_text(object, "handover", key, false, LABEL_MAX, &handover, err);

	if (rc)
		return rc;
	*ret_available = strcmp(handover, "Available") == 0;
	if (*ret_available || strcmp(handover, "Strict") == 0)
		return 0;
	return err_set(err, EINVAL, "%s.handover '%s' is neither Strict nor Available", key, handover);
}

int
profile_decode(const char *key, const char *json, size_t length,
    struct profile *ret_profile, struct err *err)
{
	scoped_json *object = NULL;
	const char *uid = NULL;
	struct profile *profile = ret_profile;
	int rc = json_parse(json, length, key, &object, err);

	/* all but the list, of which nobody looks at more than is decoded */
	memset(profile, 0, offsetof(struct profile, routes.list));
	if (!rc)
		rc = json_get_text(object, "uid", key, true, sizeof(profile->uid) - 1, &uid, err);
	if (!rc)
		rc = decode_gateways(
		    object, key, profile->gateways, &profile->gateway_count, err);
	if (!rc)
		rc = routes_decode(json_path(object, "routes"), key, ROUTE_STRICT, &profile->routes, err);
	if (!rc)
		rc = decode_handover(object, key, &profile->available, err);
	if (rc)
		return rc;
	(void)text_join(profile->uid, sizeof(profile->uid), uid, NULL);
	(void)text_join(profile->allocation, sizeof(profile->allocation), key[0] == '!' ? key + 1 : key, NULL);
	return 0;
}

int
network_row_decode(const char *key, const char *json, size_t length,
    struct network_row *ret_network, struct err *err)
{
	scoped_json *object = NULL;
	const char *domain = NULL;
	struct network_row network = {0};
	int rc = json_parse(json, length, key, &object, err);

	if (!rc)
		rc = json_get_text(
		    object, "domain", key, true, sizeof(network.domain) - 1, &domain, err);
	if (!rc && !key_domain_valid(domain))
		rc = err_set(err, EINVAL, "%s.domain '%s' is no domain of addresses", key, domain);
	if (!rc)
		rc = json_get_bool(object, "grants", key, &network.grants_required, err);
	if (rc)
		return rc;
	(void)text_join(network.domain, sizeof(network.domain), domain, NULL);
	*ret_network = network;
	return 0;
}

const struct ip *
row_gateway(const struct row *row, const struct profile *profile, uint8_t family)
{
	for (unsigned i = 0; i < row->gateway_count; i++)
		if (row->gateways[i].family == family)
			return &row->gateways[i];
	for (unsigned i = 0; i < profile->gateway_count; i++)
		if (profile->gateways[i].family == family)
			return &profile->gateways[i];
	return NULL;
}
