#include "plugin/requested.h"

#include <json-c/json.h>
#include <string.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "plugin/cni_error.h"
#include "table/json.h"

/* One road: its name in errors, the code of what is no address, and whether it
 * carries gateways. */
struct road {
	const char *name;
	enum cni_error bad_text;
	bool gateways;
};

static bool
is_row_address(const struct row *row, const struct cidr *asked, bool with_prefix)
{
	for (unsigned i = 0; i < row->ip_count; i++)
		if (ip_equal(&row->ips[i].ip, &asked->ip) &&
		    (!with_prefix || row->ips[i].length == asked->length))
			return true;
	return false;
}

static bool
is_gateway(const struct lookup_answer *answer, const struct ip *asked)
{
	const struct ip *gateway = row_gateway(&answer->row, &answer->profile, asked->family);

	return gateway && ip_equal(gateway, asked);
}

static int
not_permitted(const struct road *road, const char *text, size_t length,
    const struct lookup_answer *answer, struct err *err)
{
	char address[ADDRESS_TEXT_MAX];
	scoped_buf list = buf_make((size_t)ENTRY_IPS_MAX * (ADDRESS_TEXT_MAX + 2));

	for (unsigned i = 0; i < answer->row.ip_count; i++)
		(void)buf_print(&list, "%s%s", i ? ", " : "",
		    cidr_print(&answer->row.ips[i], address));
	return err_set(err, CNI_ERROR_NOT_PERMITTED,
	    "%s asks for %s%.*s, but StaticIPAllocation %s gives this pod %s; change one of "
	    "the two",
	    road->name, road->gateways ? "gateway " : "", (int)length, text,
	    answer->profile.allocation, buf_string(&list));
}

static int
check_one(const struct road *road, const char *text, size_t length,
    const struct lookup_answer *answer, struct err *err)
{
	struct cidr asked = {0};
	bool with_prefix = memchr(text, '/', length) != NULL;
	int rc = with_prefix && !road->gateways
	    ? cidr_parse_lax(text, length, &asked, err)
	    : ip_parse_lax(text, length, &asked.ip, err);

	if (rc) {
		(void)err_wrap(err, "%s", road->name);
		return cni_error_as(err, road->bad_text);
	}
	bool permitted = road->gateways ? is_gateway(answer, &asked.ip)
	                                : is_row_address(&answer->row, &asked, with_prefix);
	return permitted ? 0 : not_permitted(road, text, length, answer, err);
}

/* "a,b" as Multus joins them. */
static int
check_list(const struct road *road, const char *text, const struct lookup_answer *answer,
    struct err *err)
{
	for (unsigned count = 1; text; count++) {
		size_t length = strcspn(text, ",");
		if (count > REQUESTED_IPS_MAX)
			return err_set(err, (int)road->bad_text,
			    "%s has more than %d addresses", road->name, REQUESTED_IPS_MAX);
		int rc = check_one(road, text, length, answer, err);
		if (rc)
			return rc;
		text = text[length] ? text + length + 1 : NULL;
	}
	return 0;
}

static int
check_array(const struct road *road, struct json_object *owner,
    const struct lookup_answer *answer, struct err *err)
{
	struct json_object *ips = NULL;

	if (!owner)
		return 0;
	int rc = json_get_array(owner, "ips", road->name, false, REQUESTED_IPS_MAX, &ips, err);
	for (size_t i = 0; !rc && ips && i < json_object_array_length(ips); i++) {
		struct json_object *item = json_object_array_get_idx(ips, i);
		if (!json_object_is_type(item, json_type_string))
			return err_set(
			    err, CNI_ERROR_CONFIG, "%s.ips[%zu] is no text", road->name, i);
		rc = check_one(road, json_object_get_string(item),
		    (size_t)json_object_get_string_len(item), answer, err);
	}
	return rc;
}

int
requested_check(const struct cni_config *config, const struct cni_args *args,
    const struct lookup_answer *answer, struct err *err)
{
	static const struct road runtime = {"runtimeConfig", CNI_ERROR_CONFIG, false};
	static const struct road conventions = {"args.cni", CNI_ERROR_CONFIG, false};
	static const struct road ips = {"CNI_ARGS IP", CNI_ERROR_ENVIRONMENT, false};
	static const struct road gateways = {"CNI_ARGS GATEWAY", CNI_ERROR_ENVIRONMENT, true};
	int rc = check_array(&runtime, json_path(config->json, "runtimeConfig"), answer, err);

	if (!rc)
		rc = check_array(&conventions, json_path(config->json, "args.cni"), answer, err);
	if (!rc && args->ip && args->ip[0])
		rc = check_list(&ips, args->ip, answer, err);
	if (!rc && args->gateway && args->gateway[0])
		rc = check_list(&gateways, args->gateway, answer, err);
	return rc;
}
