#include "plugin/ipam.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>

#include "core/file.h"
#include "core/mem.h"
#include "plugin/cni_error.h"
#include "plugin/dns.h"
#include "plugin/host_file.h"
#include "plugin/ipam_private.h"
#include "plugin/prev_result.h"
#include "table/json.h"

/* CALL_MEMORY: a process answers one call, and what a call needs is large and mostly
 * empty. On the stack all of it would be zeroed and touched page by page
 * (-ftrivial-auto-var-init, -fstack-clash-protection): one part in 25 of a chained ADD. */

/* ---- what ADD and CHECK have in common ----------------------------------------- */

static void
asking_release(struct asking *asking)
{
	source_release(&asking->source);
	cni_args_release(&asking->args);
	mem_free(asking->root);
}
#define scoped_asking __attribute__((cleanup(asking_release))) struct asking

static int
read_asking(const struct cni_request *request, struct asking *asking, struct err *err)
{
	int rc = cni_args_parse(request->environment->args, &asking->args, err);

	asking->request = request;
	if (!rc)
		rc = source_read(&request->config, &asking->args, &asking->source, err);
	if (!rc)
		rc = host_file_root(request->host_file, &asking->root, err);
	if (!rc)
		rc = hold_attachment(request, &asking->args, &asking->hold.who, err);
	asking->hold.root = asking->root;
	asking->hold.wait_s = asking->source.wait_s;
	return rc;
}

int
ipam_take_fixed(struct asking *asking, const struct answer *answer, struct err *err)
{
	const struct cni_result *result = &answer->result;
	struct hold_choice choices[ENTRY_IPS_MAX];
	struct cidr taken[ENTRY_IPS_MAX];

	for (unsigned i = 0; i < result->ip_count; i++)
		choices[i] = (struct hold_choice){.fixed = result->ips[i].cidr};
	return hold_take(&asking->hold, choices, result->ip_count, taken, err);
}

void
ipam_give_back(const struct asking *asking)
{
	const struct attachment *who = &asking->hold.who;
	struct err left = {0};

	/* an ADD that was not answered: the next one, or DEL, ends what stays */
	(void)hold_release(
	    asking->root, who->network, who->container, who->ifname, &left);
}

static bool
has_family(const struct cni_result *result, uint8_t family)
{
	for (unsigned i = 0; i < result->ip_count; i++)
		if (result->ips[i].cidr.ip.family == family)
			return true;
	return false;
}

void
ipam_drop_foreign_routes(const struct cni_result *result, struct routes *routes)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < routes->count; i++)
		if (has_family(result, routes->list[i].dst.ip.family))
			routes->list[kept++] = routes->list[i];
	routes->count = kept;
}

/* ---- ADD -------------------------------------------------------------------------- */

/* The file that `resolvConf` names, if this node permits it. */
static int
read_resolv_conf(
    const struct cni_request *request, struct source *source, struct err *err)
{
	const char *path = source->resolv_conf;
	scoped_buf text = buf_make(RESOLV_CONF_MAX);

	if (!path)
		return 0;
	int rc = host_file_permits_resolv_conf(request->host_file, path, err);
	if (rc)
		return rc;
	if (file_read(AT_FDCWD, path, &text, err))
		return cni_error_as(err, CNI_ERROR_IO);
	return dns_parse_resolv_conf(
	    buf_string(&text), text.length, path, &source->dns, err);
}

int
ipam_add(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_asking asking = {.root = NULL};
	static struct answer answer; /* CALL_MEMORY */
	int rc = read_asking(request, &asking, err);

	if (!rc)
		rc = read_resolv_conf(request, &asking.source, err);
	if (!rc && asking.source.kind == SOURCE_TABLES)
		rc = tables_take(&asking, &answer, err);
	else if (!rc)
		rc = inline_take(&asking, &answer, err);
	if (rc)
		return rc;
	rc = cni_result_print(&answer.result, request->config.version, out, err);
	if (rc)
		ipam_give_back(&asking);
	return rc;
}

/* ---- CHECK ------------------------------------------------------------------------ */

/* The two sets are equal: each address of one is in the other. */
static int
compare(const struct prev_result *prev, const char *ifname, const struct answer *answer,
    struct err *err)
{
	const struct cni_result *given = &answer->result;
	bool seen[ENTRY_IPS_MAX] = {false};
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < prev->ip_count; i++) {
		unsigned at = 0;
		if (!prev_result_is_on(prev, i, ifname))
			continue;
		while (at < given->ip_count &&
		       !cidr_equal(&given->ips[at].cidr, &prev->ips[i].cidr))
			at++;
		if (at == given->ip_count)
			return err_set(err, CNI_ERROR_NOT_PERMITTED,
			    "the pod has %s, which %s does not give it; delete the pod "
			    "so that it comes "
			    "back with what it should have",
			    cidr_print(&prev->ips[i].cidr, text), answer->giver);
		seen[at] = true;
	}
	for (unsigned i = 0; i < given->ip_count; i++)
		if (!seen[i])
			return err_set(err, CNI_ERROR_NOT_PERMITTED,
			    "%s gives the pod %s, which it does not have; delete the pod "
			    "so that it comes "
			    "back with it",
			    answer->giver, cidr_print(&given->ips[i].cidr, text));
	return 0;
}

/* Everything but the comparison with prevResult. */
static int
find_held(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	struct cidr ips[ENTRY_IPS_MAX];
	const struct cni_result *result = &ret_answer->result;
	int rc = asking->source.kind == SOURCE_TABLES
		     ? tables_find(asking, ret_answer, err)
		     : inline_find(asking, ret_answer, err);

	for (unsigned i = 0; !rc && i < result->ip_count; i++)
		ips[i] = result->ips[i].cidr;
	return rc ? rc : hold_check(&asking->hold, ips, result->ip_count, err);
}

int
ipam_check(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_asking asking = {.root = NULL};
	static struct answer answer; /* CALL_MEMORY */
	struct prev_result prev;
	int rc = read_asking(request, &asking, err);

	(void)out; /* CHECK prints nothing */
	if (rc)
		return rc;
	asking.waited = true;
	/* host-local needs none: the lease says which addresses there are */
	bool alone = asking.source.kind == SOURCE_RANGES &&
		     !json_path(request->config.json, "prevResult");
	if (!alone)
		rc = prev_result_read(&request->config, &prev, err);
	if (!rc)
		rc = find_held(&asking, &answer, err);
	return rc || alone ? rc
			   : compare(&prev, request->environment->ifname, &answer, err);
}

/* ---- the other verbs --------------------------------------------------------------- */

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
	enum source_kind kind = SOURCE_TABLES;
	int rc = source_kind_of(&request->config, &kind, err);

	(void)out; /* STATUS prints nothing */
	if (!rc)
		rc = host_file_root(request->host_file, &root, err);
	if (!rc && kind == SOURCE_TABLES)
		rc = lookup_ready(root, err);
	return rc == -CNI_ERROR_NO_TABLE ? cni_error_as(err, CNI_ERROR_NOT_READY) : rc;
}
