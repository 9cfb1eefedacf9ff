/* The IPAM role's first source: the cluster's tables. */
#include <stdio.h>

#include "plugin/cni_error.h"
#include "plugin/ipam_private.h"

/* Times that an ADD looks and leases while the table changes under it. */
enum { LOOKUP_TRIES = 3 };

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
	const struct row *row = &answer->row.row;
	struct routes *routes = &answer->row.profile.routes;
	struct cni_result *result = &answer->result;

	*result = (struct cni_result){.ip_count = row->ip_count, .dns = source->dns};
	for (unsigned i = 0; i < row->ip_count; i++) {
		const struct ip *gateway =
		    row_gateway(row, &answer->row.profile, row->ips[i].ip.family);
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
		rc = lookup_pod(asking->root, &lookup, &answer->row, err);
	if (!rc)
		rc = make_result(&asking->source, answer, err);
	if (rc)
		return rc;
	asking->hold.domain = answer->row.network.domain;
	(void)snprintf(answer->giver, sizeof(answer->giver), "StaticIPAllocation %s",
	    answer->row.profile.allocation);
	rc = requested_check(
	    &asking->source.requested, &answer->result, answer->giver, err);
	return rc ? rc
		  : cni_result_fits(
			&answer->result, asking->request->config.version, err);
}

/* The lease first, then the row once more: a row that was taken away between the two
 * must not be answered (DESIGN.md, section 7). */
int
tables_take(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	const struct lookup lookup = lookup_of(asking);

	for (int i = 0; i < LOOKUP_TRIES; i++) {
		int rc = tables_find(asking, ret_answer, err);
		if (!rc)
			rc = ipam_take_fixed(asking, ret_answer, err);
		if (rc)
			return rc;
		rc = lookup_again(asking->root, &lookup, &ret_answer->row, err);
		if (rc > 0)
			return 0;
		ipam_give_back(asking);
		if (rc < 0)
			return rc;
	}
	return err_set(err, CNI_ERROR_TRY_LATER,
	    "the addresses of pod %s/%s on network %s changed while they were taken; the "
	    "container runtime tries again",
	    lookup.namespace, lookup.pod, lookup.network);
}
