#include "plugin/requested.h"

#include <json-c/json.h>
#include <string.h>

#include "core/buf.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static const struct road {
	const char *name;
	enum cni_error bad_text; /* the code of what is no address */
} roads[REQUESTED_ROADS] = {
    [REQUESTED_RUNTIME] = {"runtimeConfig.ips", CNI_ERROR_CONFIG},
    [REQUESTED_CONVENTIONS] = {"args.cni.ips", CNI_ERROR_CONFIG},
    [REQUESTED_ARGS_IP] = {"CNI_ARGS IP", CNI_ERROR_ENVIRONMENT},
    [REQUESTED_ARGS_GATEWAY] = {"CNI_ARGS GATEWAY", CNI_ERROR_ENVIRONMENT},
};

const char *
requested_road_name(enum requested_road road)
{
	return roads[road].name;
}

bool
requested_on_road(const struct requested *requested, enum requested_road road)
{
	for (unsigned i = 0; i < requested->count; i++)
		if (requested->list[i].road == road)
			return true;
	return false;
}

/* ---- collecting ------------------------------------------------------------------ */

static int
read_array(struct json_object *owner, enum requested_road road, const char *where,
    struct requested *requested, struct err *err)
{
	struct json_object *ips = NULL;

	if (!owner)
		return 0;
	if (json_get_array(owner, "ips", where, false, REQUESTED_IPS_MAX, &ips, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	for (size_t i = 0; ips && i < json_object_array_length(ips); i++) {
		struct json_object *item = json_object_array_get_idx(ips, i);
		if (!json_object_is_type(item, json_type_string))
			return err_set(err, CNI_ERROR_CONFIG, "%s[%zu] is no text",
			    roads[road].name, i);
		requested->list[requested->count++] =
		    (struct requested_item){.road = road,
			.text = json_object_get_string(item),
			.length = (size_t)json_object_get_string_len(item)};
	}
	return 0;
}

/* "a,b" as Multus joins them. */
static int
read_list(const char *text, enum requested_road road, struct requested *requested,
    struct err *err)
{
	unsigned count = 0;

	if (!text || !text[0])
		return 0;
	while (text) {
		size_t length = strcspn(text, ",");
		if (++count > REQUESTED_IPS_MAX)
			return err_set(err, CNI_ERROR_ENVIRONMENT,
			    "%s has more than %d addresses", roads[road].name, REQUESTED_IPS_MAX);
		requested->list[requested->count++] =
		    (struct requested_item){.road = road, .text = text, .length = length};
		text = text[length] ? text + length + 1 : NULL;
	}
	return 0;
}

int
requested_read(const struct cni_config *config, const struct cni_args *args,
    struct requested *ret_requested, struct err *err)
{
	struct json_object *runtime = json_path(config->json, "runtimeConfig");
	struct json_object *conventions = json_path(config->json, "args.cni");

	ret_requested->count = 0;
	int rc =
	    read_array(runtime, REQUESTED_RUNTIME, "runtimeConfig", ret_requested, err);
	if (!rc)
		rc = read_array(
		    conventions, REQUESTED_CONVENTIONS, "args.cni", ret_requested, err);
	if (!rc)
		rc = read_list(args->ip, REQUESTED_ARGS_IP, ret_requested, err);
	if (!rc)
		rc = read_list(args->gateway, REQUESTED_ARGS_GATEWAY, ret_requested, err);
	return rc;
}

/* ---- judging ---------------------------------------------------------------------- */

int
requested_parse(const struct requested_item *item, struct cidr *ret_cidr,
    bool *ret_with_prefix, struct err *err)
{
	struct cidr cidr = {0};
	bool gateway = item->road == REQUESTED_ARGS_GATEWAY;
	bool with_prefix = !gateway && memchr(item->text, '/', item->length) != NULL;
	int rc = with_prefix ? cidr_parse_lax(item->text, item->length, &cidr, err)
			     : ip_parse_lax(item->text, item->length, &cidr.ip, err);

	if (rc) {
		(void)err_wrap(err, "%s", roads[item->road].name);
		return cni_error_as(err, roads[item->road].bad_text);
	}
	*ret_cidr = cidr;
	*ret_with_prefix = with_prefix;
	return 0;
}

static bool
is_permitted(const struct requested_item *item, const struct cidr *asked,
    bool with_prefix, const struct cni_result *result)
{
	for (unsigned i = 0; i < result->ip_count; i++) {
		const struct cni_address *given = &result->ips[i];
		if (item->road == REQUESTED_ARGS_GATEWAY) {
			if (ip_equal(&given->gateway, &asked->ip))
				return true;
		} else if (ip_equal(&given->cidr.ip, &asked->ip) &&
			   (!with_prefix || given->cidr.length == asked->length)) {
			return true;
		}
	}
	return false;
}

static int
not_permitted(const struct requested_item *item, const struct cni_result *result,
    const char *giver, struct err *err)
{
	char address[ADDRESS_TEXT_MAX];
	scoped_buf list = buf_make((size_t)ENTRY_IPS_MAX * (ADDRESS_TEXT_MAX + 2));

	for (unsigned i = 0; i < result->ip_count; i++)
		(void)buf_print(&list, "%s%s", i ? ", " : "",
		    cidr_print(&result->ips[i].cidr, address));
	return err_set(err, CNI_ERROR_NOT_PERMITTED,
	    "%s asks for %s%.*s, but %s gives this pod %s; change one of the two",
	    roads[item->road].name,
	    item->road == REQUESTED_ARGS_GATEWAY ? "gateway " : "", (int)item->length,
	    item->text, giver, buf_string(&list));
}

int
requested_check(const struct requested *requested, const struct cni_result *result,
    const char *giver, struct err *err)
{
	for (unsigned i = 0; i < requested->count; i++) {
		const struct requested_item *item = &requested->list[i];
		struct cidr asked;
		bool with_prefix;
		int rc = requested_parse(item, &asked, &with_prefix, err);
		if (rc)
			return rc;
		if (!is_permitted(item, &asked, with_prefix, result))
			return not_permitted(item, result, giver, err);
	}
	return 0;
}
