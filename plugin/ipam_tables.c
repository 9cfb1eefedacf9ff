/* The IPAM role's first source: the cluster's tables. */
#include <fcntl.h>

#include "core/mem.h"
#include "core/text.h"
#include "node/dir_watch.h"
#include "plugin/cni_error.h"
#include "plugin/ipam_private.h"

/* Times that an ADD looks and leases while the table changes under it. */
enum { LOOKUP_TRIES = 3 };
/* The tables, too, may change what an ADD waits for; they are not watched. */
enum { LOOK_AGAIN_MS = 1000 };

static struct lookup
lookup_of(const struct asking *asking)
{
	return (struct lookup){.network = asking->request->config.name,
	    .namespace = asking->args.namespace,
	    .pod = asking->args.pod,
	    .ifname = asking->request->environment->ifname};
}

static bool
has_route(const struct routes *routes, const struct route *route)
{
	for (unsigned i = 0; i < routes->count; i++)
		if (route_equal(&routes->list[i], route))
			return true;
	return false;
}

/* The ipam block's own routes stand behind those of the allocation. */
static int
add_routes(const struct routes *more, struct routes *routes, struct err *err)
{
	for (unsigned i = 0; more && i < more->count; i++) {
		if (has_route(routes, &more->list[i]))
			continue;
		if (routes->count == ROUTES_MAX)
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipam.routes: with those of the allocation there are more "
			    "than %d",
			    ROUTES_MAX);
		routes->list[routes->count++] = more->list[i];
	}
	return 0;
}

static int
make_result(const struct source *source, struct answer *answer, struct err *err)
{
	const struct row *row = pod_row_row(&answer->row);
	const struct profile *profile = pod_row_profile(&answer->row);
	struct routes *routes = pod_row_routes(&answer->row);
	struct cni_result *result = &answer->result;

	*result = (struct cni_result){.ip_count = row->ip_count, .dns = source->dns};
	for (unsigned i = 0; i < row->ip_count; i++) {
		const struct ip *gateway =
		    row_gateway(row, profile, row->ips[i].ip.family);
		result->ips[i].cidr = row->ips[i];
		if (gateway)
			result->ips[i].gateway = *gateway;
	}
	int rc = add_routes(source->routes, routes, err);
	ipam_drop_foreign_routes(result, routes);
	result->routes = routes->list;
	result->route_count = routes->count;
	return rc;
}

int
tables_find(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	struct answer *answer = ret_answer;
	const struct lookup lookup = lookup_of(asking);
	int rc = cni_args_need_pod(&asking->args, err);

	if (!rc)
		rc = pod_row_find(asking->root, &lookup, asking->args.uid, asking->waited,
		    &answer->row, err);
	if (!rc)
		rc = make_result(&asking->source, answer, err);
	if (rc)
		return rc;
	asking->hold.domain = pod_row_domain(&answer->row);
	(void)text_join(answer->giver, sizeof(answer->giver), "StaticIPAllocation ",
	    pod_row_profile(&answer->row)->allocation, NULL);
	rc = requested_check(
	    &asking->source.requested, &answer->result, answer->giver, err);
	return rc ? rc
		  : cni_result_fits(
			&answer->result, asking->request->config.version, err);
}

/* The controller's word may come any moment: the agent replaces `node` in the root
 * directory. A root that cannot be watched is looked at again and again. */
static int
find_or_wait(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	scoped_dir_watch watch = DIR_WATCH_NONE;
	scoped_fd int root = -1;

	for (;;) {
		int rc = tables_find(asking, ret_answer, err);
		long left = rc == -CNI_ERROR_TRY_LATER ? hold_time_left_ms(&asking->hold) : 0;
		if (rc != -CNI_ERROR_TRY_LATER || (left <= 0 && asking->waited))
			return rc;
		if (left <= 0) {
			asking->waited = true;
			continue;
		}
		if (root >= 0) {
			dir_watch_wait(
			    &watch, (int)(left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS));
			continue;
		}
		/* what changed before the watch began shows at the next look */
		root = open(asking->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			return rc;
		dir_watch_open(root, &watch);
	}
}

static int
changed_too_often(const struct lookup *lookup, struct err *err)
{
	return err_set(err, CNI_ERROR_TRY_LATER,
	    "the addresses of pod %s/%s on network %s changed while they were taken; the "
	    "container runtime tries again",
	    lookup->namespace, lookup->pod, lookup->network);
}

/* A grant that is gone right after it was there was revoked: for good. */
static int
revoked(const struct lookup *lookup, struct err *err)
{
	return err_set(err, CNI_ERROR_REVOKED,
	    "pod %s/%s on network %s: its grant was revoked while its addresses were taken; the "
	    "pod is being deleted, or another holds them now",
	    lookup->namespace, lookup->pod, lookup->network);
}

/* The lease first, then the word once more: one that was taken away between the two
 * must not be answered (DESIGN.md, section 7). */
int
tables_take(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	const struct lookup lookup = lookup_of(asking);
	const char *uid = asking->args.uid;

	for (int i = 0; i < LOOKUP_TRIES; i++) {
		int rc = find_or_wait(asking, ret_answer, err);
		if (!rc)
			rc = ipam_take_fixed(asking, ret_answer, err);
		if (rc)
			return rc;
		rc = pod_row_again(asking->root, &lookup, uid, &ret_answer->row, err);
		if (rc > 0)
			return 0;
		ipam_give_back(asking);
		if (rc < 0)
			return rc;
		if (ret_answer->row.by_grant)
			return revoked(&lookup, err);
	}
	return changed_too_often(&lookup, err);
}
