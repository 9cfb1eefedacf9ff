#include "plugin/chain_wanted.h"

#include <json-c/json.h>
#include <string.h>

#include "plugin/chain_args.h"
#include "plugin/cni_error.h"
#include "table/json.h"
#include "table/key.h"

static const char where[] = "network configuration";

static int
decode_interface(struct json_object *config, const char **ret_interface, struct err *err)
{
	const char *interface = NULL;
	int rc = json_get_text(
	    config, "interface", where, false, IFNAME_LEN_MAX, &interface, err);

	if (!rc && interface && !key_interface_valid(interface))
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "interface '%s' is no name of an interface", interface);
	*ret_interface = interface;
	return rc;
}

static int
decode(struct json_object *config, struct chain_wanted *wanted, struct err *err)
{
	struct json_object *routes = NULL;
	struct json_object *rules = NULL;
	int rc = json_get_array(config, "routes", where, false, ROUTES_MAX, &routes, err);

	if (!rc)
		rc = json_get_array(config, "rules", where, false, RULES_MAX, &rules, err);
	if (!rc)
		rc = chain_routes_decode(routes, &wanted->routes, err);
	if (!rc)
		rc = chain_rules_decode(rules, &wanted->rules, err);
	if (!rc)
		rc = chain_removal_decode(config, &wanted->removal, err);
	if (!rc)
		rc = chain_source_routing_decode(config, &wanted->source_routing, err);
	return rc;
}

int
chain_wanted_decode(
    struct json_object *config, struct chain_wanted *ret_wanted, struct err *err)
{
	scoped_json *effective = NULL;
	int rc = chain_args_merge(config, &effective, err);

	if (rc)
		return rc;
	/* from the configuration itself: the text must outlive what was merged */
	rc = decode_interface(config, &ret_wanted->interface, err);
	if (!rc)
		rc = decode(effective, ret_wanted, err);
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

bool
chain_wanted_empty(const struct chain_wanted *wanted)
{
	return wanted->routes.count == 0 && wanted->rules.count == 0 &&
	    !chain_removal_is_wanted(&wanted->removal) && !wanted->source_routing.wanted;
}
