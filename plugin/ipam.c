#include "plugin/ipam.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/cni_args.h"
#include "plugin/cni_error.h"
#include "plugin/cni_result.h"
#include "plugin/hold.h"
#include "plugin/host_file.h"
#include "plugin/lookup.h"
#include "plugin/prev_result.h"
#include "plugin/requested.h"
#include "table/json.h"

/* Keys of `ipam` that mean another source of addresses, or change what a source
 * gives (DESIGN.md, section 8). Ignoring one would hand out something else than
 * was written there. */
static const char *const refused_keys[] = {"allocations", "gateway", "addresses", "subnet",
    "rangeStart", "rangeEnd", "ranges", "fixedStart", "fixedEnd", "index", "hostAddress",
    "routes", "dns", "resolvConf"};

/* Times that an ADD looks and leases while the table changes under it. */
enum { LOOKUP_TRIES = 3 };

static int
check_keys(const struct cni_config *config, struct err *err)
{
	const char *refused = NULL;

	for (size_t i = 0; i < sizeof(refused_keys) / sizeof(refused_keys[0]); i++)
		if (json_object_object_get_ex(config->ipam, refused_keys[i], NULL))
			refused = refused_keys[i];
	if (json_path(config->json, "runtimeConfig.ipRanges"))
		return err_set(err, CNI_ERROR_CONFIG,
		    "runtimeConfig.ipRanges is not supported by this version of staticip; the "
		    "addresses of network %s come from the cluster's StaticIPAllocations",
		    config->name);
	if (!refused)
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "ipam.%s of network %s is not supported by this version of staticip; remove it: "
	    "addresses, gateways and routes come from the cluster's StaticIPAllocations",
	    refused, config->name);
}

/* What ADD and CHECK have in common: who asks, and where the answers are. */
struct asking {
	struct cni_args args;
	char *root;
	struct lookup lookup;
	struct hold hold;
};

static void
asking_release(struct asking *asking)
{
	cni_args_release(&asking->args);
	mem_free(asking->root);
}
#define scoped_asking __attribute__((cleanup(asking_release))) struct asking

static int
read_asking(const struct cni_request *request, struct asking *asking, struct err *err)
{
	const struct cni_environment *environment = request->environment;
	uint64_t wait_s = WAIT_SECONDS;
	int rc = check_keys(&request->config, err);

	if (!rc)
		rc = json_get_number(request->config.ipam, "wait", "ipam", false,
		    WAIT_SECONDS_MAX, &wait_s, err);
	if (!rc)
		rc = cni_args_parse(environment->args, &asking->args, err);
	if (!rc)
		rc = cni_args_need_pod(&asking->args, err);
	if (!rc)
		rc = host_file_root(request->host_file, &asking->root, err);
	if (!rc)
		rc = hold_attachment(request, &asking->args, &asking->hold.who, err);
	if (rc)
		return rc;
	asking->hold.root = asking->root;
	asking->hold.wait_s = (unsigned)wait_s;
	asking->lookup = (struct lookup){.network = request->config.name,
	    .namespace = asking->args.namespace,
	    .pod = asking->args.pod,
	    .ifname = environment->ifname};
	return 0;
}

static void
make_result(const struct lookup_answer *answer, struct cni_result *result)
{
	const struct row *row = &answer->row;

	*result = (struct cni_result){.ip_count = row->ip_count,
	    .routes = answer->profile.routes.list,
	    .route_count = answer->profile.routes.count};
	for (unsigned i = 0; i < row->ip_count; i++) {
		const struct ip *gateway =
		    row_gateway(row, &answer->profile, row->ips[i].ip.family);
		result->ips[i].cidr = row->ips[i];
		if (gateway)
			result->ips[i].gateway = *gateway;
	}
}

static int
check_requested(const struct cni_config *config, const struct cni_args *args,
    const struct lookup_answer *answer, struct err *err)
{
	struct requested requested;
	struct cni_result result;
	char giver[sizeof(answer->profile.allocation) + 32];
	int rc = requested_read(config, args, &requested, err);

	if (rc)
		return rc;
	make_result(answer, &result);
	(void)snprintf(giver, sizeof(giver), "StaticIPAllocation %s", answer->profile.allocation);
	return requested_check(&requested, &result, giver, err);
}

static int
find_answer(const struct cni_request *request, struct asking *asking,
    struct lookup_answer *ret_answer, struct err *err)
{
	int rc = lookup_pod(asking->root, &asking->lookup, ret_answer, err);

	asking->hold.domain = ret_answer->network.domain;
	return rc ? rc : check_requested(&request->config, &asking->args, ret_answer, err);
}

static int
take_row(const struct asking *asking, const struct row *row, struct err *err)
{
	struct hold_choice choices[ENTRY_IPS_MAX];
	struct cidr taken[ENTRY_IPS_MAX];

	for (unsigned i = 0; i < row->ip_count; i++)
		choices[i] = (struct hold_choice){.fixed = row->ips[i]};
	return hold_take(&asking->hold, choices, row->ip_count, taken, err);
}

static void
give_back(const struct asking *asking)
{
	const struct attachment *who = &asking->hold.who;
	struct err left = {0};

	/* an ADD that was not answered: the next one, or DEL, ends what stays */
	(void)hold_release(asking->root, who->network, who->container, who->ifname, &left);
}

/* The lease first, then the row once more: a row that was taken away between the two
 * must not be answered (DESIGN.md, section 7). */
static int
take_answer(const struct cni_request *request, struct asking *asking,
    struct lookup_answer *ret_answer, struct err *err)
{
	for (int i = 0; i < LOOKUP_TRIES; i++) {
		int rc = find_answer(request, asking, ret_answer, err);
		if (!rc)
			rc = take_row(asking, &ret_answer->row, err);
		if (rc)
			return rc;
		rc = lookup_again(asking->root, &asking->lookup, ret_answer, err);
		if (rc > 0)
			return 0;
		give_back(asking);
		if (rc < 0)
			return rc;
	}
	return err_set(err, CNI_ERROR_TRY_LATER,
	    "the addresses of pod %s/%s on network %s changed while they were taken; the "
	    "container runtime tries again",
	    asking->lookup.namespace, asking->lookup.pod, asking->lookup.network);
}

static bool
row_has_family(const struct row *row, uint8_t family)
{
	for (unsigned i = 0; i < row->ip_count; i++)
		if (row->ips[i].ip.family == family)
			return true;
	return false;
}

/* An allocation may have entries of one family and routes of both: a route of a
 * family that this pod has no address of could only fail in the main plugin. */
static void
drop_foreign_routes(const struct row *row, struct routes *routes)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < routes->count; i++)
		if (row_has_family(row, routes->list[i].dst.ip.family))
			routes->list[kept++] = routes->list[i];
	routes->count = kept;
}

int
ipam_add(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_asking asking = {.root = NULL};
	struct lookup_answer answer;
	struct cni_result result;
	int rc = read_asking(request, &asking, err);

	if (!rc)
		rc = take_answer(request, &asking, &answer, err);
	if (rc)
		return rc;
	drop_foreign_routes(&answer.row, &answer.profile.routes);
	make_result(&answer, &result);
	rc = cni_result_print(&result, request->config.version, out, err);
	if (rc)
		give_back(&asking);
	return rc;
}

static int
differs(const char *what, const struct cidr *cidr, const char *why, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	return err_set(err, CNI_ERROR_NOT_PERMITTED, "%s %s, %s; delete the pod so that it "
	    "comes back with what the table says", what, cidr_print(cidr, text), why);
}

/* The two sets are equal: each address of one is in the other. */
static int
compare(const struct prev_result *prev, const char *ifname, const struct row *row,
    struct err *err)
{
	bool seen[ENTRY_IPS_MAX] = {false};

	for (unsigned i = 0; i < prev->ip_count; i++) {
		unsigned at = 0;
		if (!prev_result_is_on(prev, i, ifname))
			continue;
		while (at < row->ip_count && !cidr_equal(&row->ips[at], &prev->ips[i].cidr))
			at++;
		if (at == row->ip_count)
			return differs("the pod has", &prev->ips[i].cidr,
			    "which its row does not give", err);
		seen[at] = true;
	}
	for (unsigned i = 0; i < row->ip_count; i++)
		if (!seen[i])
			return differs("the pod's row gives", &row->ips[i],
			    "which the pod does not have", err);
	return 0;
}

int
ipam_check(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_asking asking = {.root = NULL};
	struct lookup_answer answer;
	struct prev_result prev;
	int rc = prev_result_read(&request->config, &prev, err);

	(void)out; /* CHECK prints nothing */
	if (!rc)
		rc = read_asking(request, &asking, err);
	if (!rc)
		rc = find_answer(request, &asking, &answer, err);
	if (!rc)
		rc = compare(&prev, request->environment->ifname, &answer.row, err);
	return rc ? rc : hold_check(&asking.hold, answer.row.ips, answer.row.ip_count, err);
}

int
ipam_del(const struct cni_request *request, struct buf *out, struct err *err)
{
	const struct cni_environment *environment = request->environment;
	scoped_free char *root = NULL;
	struct err left = {0};
	int rc = host_file_root(request->host_file, &root, err);

	(void)out; /* DEL prints nothing */
	if (rc)
		return rc;
	rc = hold_release(root, request->config.name, environment->container,
	    environment->ifname, &left);
	if (left.code)
		(void)fprintf(stderr, "staticip: DEL of container %s: %s\n",
		    environment->container, left.text);
	return rc;
}

int
ipam_gc(const struct cni_request *request, struct buf *out, struct err *err)
{
	struct json_object *valid = NULL;
	scoped_free char *root = NULL;
	int rc = host_file_root(request->host_file, &root, err);

	(void)out; /* GC prints nothing */
	if (rc || !json_object_object_get_ex(
	              request->config.json, "cni.dev/valid-attachments", &valid))
		return rc;
	return hold_collect(root, request->config.name, valid, err);
}

int
ipam_status(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_free char *root = NULL;
	int rc = host_file_root(request->host_file, &root, err);

	(void)out; /* STATUS prints nothing */
	if (!rc)
		rc = lookup_ready(root, err);
	return rc == -CNI_ERROR_NO_TABLE ? cni_error_as(err, CNI_ERROR_NOT_READY) : rc;
}
