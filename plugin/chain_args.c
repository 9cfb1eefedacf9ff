#include "plugin/chain_args.h"

#include <json-c/json.h>
#include <stdbool.h>

#include "plugin/cni_error.h"
#include "table/json.h"

/* What the decoders read; the first ones args.cni may have. */
static const char *const keys[] = {
    "routes", "delRoutes", "flushRoutes", "flushGateway", "rules", "sourceRouting"};
enum { KEYS = sizeof(keys) / sizeof(keys[0]), ALLOWED_KEYS = 4 };

/* route-override's spelling. Ignored it would leave the pod without what its owner
 * wrote down. */
static const char *const misspelt[][2] = {
    {"addroutes", "\"routes\""},
    {"delroutes", "\"delRoutes\""},
    {"flushroutes", "\"flushRoutes\""},
    {"flushgateway", "\"flushGateway\""},
    {"addecmproutes", "\"routes\" with \"nexthops\""},
    {"delecmproutes", "\"delRoutes\""},
    {"skipcheck", "\"disableCheck\" of the network's list"},
};

static int
refuse_misspelt(struct json_object *object, const char *where, struct err *err)
{
	for (size_t i = 0; i < sizeof(misspelt) / sizeof(misspelt[0]); i++)
		if (json_object_object_get_ex(object, misspelt[i][0], NULL))
			return err_set(err, CNI_ERROR_CONFIG,
			    "%s%s is a key of another plugin, route-override; staticip has %s "
			    "for it",
			    where, misspelt[i][0], misspelt[i][1]);
	return 0;
}

static int
refuse_keys(struct json_object *args, unsigned from, bool allowed, struct err *err)
{
	for (unsigned i = from; i < KEYS; i++)
		if (json_path(args, keys[i]))
			return err_set(err, CNI_ERROR_NOT_PERMITTED,
			    "args.cni.%s is not permitted; %s", keys[i],
			    allowed ? "only the network configuration itself may have it"
			            : "a pod may ask for it where the network configuration "
			              "has \"allowArgs\": true");
	return 0;
}

static int
check_args(struct json_object *args, bool allowed, struct err *err)
{
	int rc = refuse_keys(args, allowed ? ALLOWED_KEYS : 0, allowed, err);

	/* not addressed to us, another plugin of the chain may know them */
	if (rc || !allowed)
		return rc;
	return refuse_misspelt(args, "args.cni.", err);
}

int
chain_args_merge(
    struct json_object *config, struct json_object **ret_effective, struct err *err)
{
	struct json_object *args = json_path(config, "args.cni");
	bool allowed = false;
	int rc = json_get_bool(config, "allowArgs", "network configuration", &allowed, err);

	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	rc = refuse_misspelt(config, "", err);
	if (!json_object_is_type(args, json_type_object))
		args = NULL;
	if (!rc && args)
		rc = check_args(args, allowed, err);
	if (rc)
		return rc;
	*ret_effective = json_object_new_object();
	for (unsigned i = 0; i < KEYS; i++) {
		struct json_object *value = args ? json_path(args, keys[i]) : NULL;
		if (!value)
			value = json_path(config, keys[i]);
		if (value)
			json_object_object_add(*ret_effective, keys[i], json_object_get(value));
	}
	return 0;
}
