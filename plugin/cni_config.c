#include "plugin/cni_config.h"

#include <json-c/json.h>
#include <string.h>

#include "core/bounds.h"
#include "plugin/cni_error.h"
#include "table/json.h"
#include "table/key.h"

#define OUR_TYPE "staticip"

void
cni_config_release(struct cni_config *config)
{
	json_object_put(config->json);
	*config = (struct cni_config){0};
}

static int
check_name(struct cni_config *config, struct err *err)
{
	const char *name = "";
	int rc = json_get_text(
	    config->json, "name", "network configuration", false, STDIN_BYTES_MAX, &name, err);

	if (rc)
		return rc;
	if (!name[0])
		return err_set(err, CNI_ERROR_CONFIG, "missing network name");
	if (strlen(name) > NETWORK_NAME_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "network name is longer than %d bytes; %.60s...", NETWORK_NAME_MAX, name);
	if (!key_network_valid(name))
		return err_set(
		    err, CNI_ERROR_CONFIG, "invalid characters found in network name; %s", name);
	config->name = name;
	return 0;
}

static int
refuse_version(const char *text, struct err *err)
{
	scoped_buf list = buf_make(128);

	cni_version_list(&list, " ");
	return err_set(err, CNI_ERROR_VERSION,
	    "incompatible CNI versions; config is \"%s\", plugin supports [%s]", text,
	    buf_string(&list));
}

static int
check_version(struct cni_config *config, enum cni_verb verb, struct err *err)
{
	const char *text = "";
	int rc = json_get_text(config->json, "cniVersion", "network configuration", false,
	    VERSION_TEXT_MAX, &text, err);

	if (rc)
		return rc;
	const struct cni_version *version = cni_version_find(text);
	if (!version)
		return refuse_version(text, err);
	config->version = version;
	if (verb == CNI_CHECK && !version->has_check)
		return err_set(err, CNI_ERROR_VERSION, "config version does not allow CHECK");
	if ((verb == CNI_GC || verb == CNI_STATUS) && !version->has_status)
		return err_set(err, CNI_ERROR_VERSION, "config version does not allow %s",
		    verb == CNI_GC ? "GC" : "STATUS");
	return 0;
}

static bool
is_ours(const char *type)
{
	return type && strcmp(type, OUR_TYPE) == 0;
}

static enum cni_role
role_of(struct json_object *config)
{
	bool chain = is_ours(json_path_text(config, "type"));
	bool ipam = is_ours(json_path_text(config, "ipam.type"));

	if (chain && ipam)
		return CNI_ROLE_BOTH;
	if (chain)
		return CNI_ROLE_CHAIN;
	return ipam ? CNI_ROLE_IPAM : CNI_ROLE_NONE;
}

int
cni_config_parse(const char *text, size_t length, enum cni_verb verb,
    struct cni_config *ret_config, struct err *err)
{
	struct cni_config *config = ret_config;

	/* the newest until we know better: errors are answered in some version */
	*config = (struct cni_config){.version = cni_version_newest()};
	int rc = json_parse(text, length, "network configuration", &config->json, err);
	if (rc)
		return rc;
	if (!json_object_is_type(config->json, json_type_object))
		return err_set(
		    err, CNI_ERROR_DECODE, "network configuration is not a JSON object");
	rc = check_name(config, err);
	/* also with a bad name: the answer is in the version asked */
	int version_rc = check_version(config, verb, rc ? NULL : err);
	struct json_object *ipam = json_path(config->json, "ipam");
	config->ipam = json_object_is_type(ipam, json_type_object) ? ipam : NULL;
	config->role = role_of(config->json);
	return rc ? rc : version_rc;
}
