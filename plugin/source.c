#include "plugin/source.h"

#include <json-c/json.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/addresses.h"
#include "plugin/allocations.h"
#include "plugin/cni_error.h"
#include "plugin/dns.h"
#include "plugin/ranges_decode.h"
#include "plugin/ranges_request.h"
#include "table/json.h"

/* The keys of an ipam block that make a source. `gateway` is not among them: it
 * belongs to two. */
static const struct source_key {
	const char *key;
	enum source_kind kind;
} source_keys[] = {
    {"allocations", SOURCE_ALLOCATIONS},
    {"addresses", SOURCE_ADDRESSES},
    {"subnet", SOURCE_RANGES},
    {"rangeStart", SOURCE_RANGES},
    {"rangeEnd", SOURCE_RANGES},
    {"ranges", SOURCE_RANGES},
    {"fixedStart", SOURCE_RANGES},
    {"fixedEnd", SOURCE_RANGES},
    {"index", SOURCE_INDEX},
    {"hostAddress", SOURCE_INDEX},
    {"ipv6Mapping", SOURCE_INDEX},
};

/* Keys of other plugins that name a place on the host or elsewhere: whoever wrote one
 * relies on it. */
static const char *const refused_keys[] = {"dataDir", "kubeConfig", "etcdConfig"};

static int
check_refused(const struct cni_config *config, const char *key, struct err *err)
{
	for (size_t i = 0; i < sizeof(refused_keys) / sizeof(refused_keys[0]); i++)
		if (strcmp(key, refused_keys[i]) == 0)
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipam.%s of network %s is not supported; remove it: where "
			    "addresses are kept "
			    "is this node's business (\"root\" in "
			    "/etc/staticip/plugin.json), not the "
			    "network's",
			    key, config->name);
	return 0;
}

/* What was found so far: the first key that makes a source. */
struct finding {
	const char *where;
	const char *key;
	enum source_kind kind;
};

static int
find(const struct cni_config *config, const char *where, const char *key,
    enum source_kind kind, struct finding *found, struct err *err)
{
	if (found->key && found->kind != kind)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s.%s and %s.%s of network %s are two sources of addresses; keep "
		    "one",
		    found->where, found->key, where, key, config->name);
	if (!found->key)
		*found = (struct finding){.where = where, .key = key, .kind = kind};
	return 0;
}

static int
judge_key(const struct cni_config *config, const char *key, struct finding *found,
    struct err *err)
{
	int rc = check_refused(config, key, err);

	for (size_t i = 0; !rc && i < sizeof(source_keys) / sizeof(source_keys[0]); i++)
		if (strcmp(key, source_keys[i].key) == 0)
			rc = find(config, "ipam", key, source_keys[i].kind, found, err);
	return rc;
}

/* An empty list is what a runtime without ranges may send. */
static bool
has_runtime_ranges(const struct cni_config *config)
{
	struct json_object *ranges = json_path(config->json, "runtimeConfig.ipRanges");

	return ranges && (!json_object_is_type(ranges, json_type_array) ||
			     json_object_array_length(ranges) > 0);
}

static int
check_gateway(const struct cni_config *config, enum source_kind kind, struct err *err)
{
	if (!json_path(config->ipam, "gateway") || kind == SOURCE_ALLOCATIONS ||
	    kind == SOURCE_RANGES)
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "ipam.gateway of network %s stands alone; it belongs to `allocations` or "
	    "`subnet`, "
	    "the gateways of the cluster's tables are in the StaticIPAllocations",
	    config->name);
}

int
source_kind_of(
    const struct cni_config *config, enum source_kind *ret_kind, struct err *err)
{
	struct finding found = {.kind = SOURCE_TABLES};

	json_object_object_foreach(config->ipam, key, value)
	{
		/* a null is as good as no key */
		int rc = value ? judge_key(config, key, &found, err) : 0;
		if (rc)
			return rc;
	}
	if (has_runtime_ranges(config)) {
		int rc =
		    find(config, "runtimeConfig", "ipRanges", SOURCE_RANGES, &found, err);
		if (rc)
			return rc;
	}
	*ret_kind = found.kind;
	return check_gateway(config, found.kind, err);
}

/* Nothing but requests: see source_read in the header. */
static bool
only_requests(const struct source *source, const struct cni_args *args)
{
	bool names_pod =
	    (args->pod && args->pod[0]) || (args->namespace && args->namespace[0]);

	return !names_pod &&
	       (requested_on_road(&source->requested, REQUESTED_RUNTIME) ||
		   requested_on_road(&source->requested, REQUESTED_CONVENTIONS) ||
		   requested_on_road(&source->requested, REQUESTED_ARGS_IP));
}

static int
read_ranges(const struct cni_config *config, struct source *source, struct err *err)
{
	source->ranges = mem_new(1, sizeof(*source->ranges));
	int rc = range_sets_decode(config, source->ranges, err);
	return rc ? rc : range_sets_request(source->ranges, &source->requested, err);
}

static int
read_kind(const struct cni_config *config, const struct cni_args *args,
    struct source *source, struct err *err)
{
	switch (source->kind) {
	case SOURCE_TABLES:
		return 0;
	case SOURCE_ALLOCATIONS:
		return allocations_decode(
		    config->ipam, args, source->ips, &source->ip_count, err);
	case SOURCE_ADDRESSES:
		return addresses_decode(config->ipam, &source->requested, source->ips,
		    &source->ip_count, err);
	case SOURCE_RANGES:
		return read_ranges(config, source, err);
	case SOURCE_INDEX:
		return index_decode(config->ipam, args, &source->index, err);
	}
	return 0;
}

static int
read_routes(struct json_object *ipam, struct source *source, struct err *err)
{
	struct json_object *array = json_path(ipam, "routes");

	if (!array)
		return 0;
	source->routes = mem_new(1, sizeof(*source->routes));
	if (routes_decode(array, "ipam.routes", ROUTE_LAX, source->routes, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	return 0;
}

static int
read_common(struct json_object *ipam, struct source *source, struct err *err)
{
	uint64_t wait_s = WAIT_SECONDS;

	if (json_get_number(
		ipam, "wait", "ipam", false, WAIT_SECONDS_MAX, &wait_s, err) ||
	    json_get_text(ipam, "resolvConf", "ipam", false, CONFIG_FILE_MAX,
		&source->resolv_conf, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	source->wait_s = (unsigned)wait_s;
	if (source->resolv_conf && !source->resolv_conf[0])
		source->resolv_conf = NULL;
	int rc = read_routes(ipam, source, err);
	if (!rc)
		rc = dns_decode(ipam, &source->dns, err);
	if (!rc && source->dns && source->resolv_conf)
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "ipam.dns and ipam.resolvConf both say which name servers the pod "
		    "has; keep one");
	return rc;
}

int
source_read(const struct cni_config *config, const struct cni_args *args,
    struct source *ret_source, struct err *err)
{
	struct source *source = ret_source;

	*source = (struct source){.kind = SOURCE_TABLES};
	int rc = source_kind_of(config, &source->kind, err);
	if (!rc)
		rc = requested_read(config, args, &source->requested, err);
	if (!rc)
		rc = read_common(config->ipam, source, err);
	if (rc)
		return rc;
	if (source->kind == SOURCE_TABLES && only_requests(source, args))
		source->kind = SOURCE_ADDRESSES;
	return read_kind(config, args, source, err);
}

void
source_release(struct source *source)
{
	mem_free(source->ranges);
	mem_free(source->routes);
	json_object_put(source->dns);
	*source = (struct source){0};
}
