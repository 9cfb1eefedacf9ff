#include "plugin/pod_row.h"

#include "plugin/cni_error.h"

static int
judge_grant(const struct grant *grant, const struct lookup *asked, struct err *err)
{
	if (grant->state == GRANT_GIVEN)
		return 0;
	return err_set(err,
	    grant->state == GRANT_HELD ? CNI_ERROR_TRY_LATER : CNI_ERROR_NOT_PERMITTED,
	    "pod %s/%s on network %s: %s", asked->namespace, asked->pod, asked->network,
	    grant->why);
}

/* A grant is to a UID: without one none can come, however long the pod waits. */
static int
no_uid(const struct lookup *asked, struct err *err)
{
	return err_set(err, CNI_ERROR_ENVIRONMENT,
	    "CNI_ARGS has no K8S_POD_UID; network %s gives addresses to pods by UID, which the "
	    "container runtime must pass (containerd, CRI-O and Multus do)",
	    asked->network);
}

/* Available is its owner's choice that a pod rather starts than waits: with an address that
 * another may have, but not one of this node, whose leases must all be there. The controller
 * learns of it from the node's report. */
static int
judge_available(const char *root, const struct lookup *asked, struct err *err)
{
	if (table_node_marked(root))
		return 0;
	return err_set(err, CNI_ERROR_TRY_LATER,
	    "pod %s/%s on network %s may not take an address without a grant: %s/marker is not "
	    "there, so nobody knows which addresses this node's pods have; the staticip-agent "
	    "looks for them",
	    asked->namespace, asked->pod, asked->network, root);
}

static int
judge_lookup(const char *root, const struct lookup_answer *answer,
    const struct lookup *asked, const char *uid, bool waited, struct err *err)
{
	if (!answer->network.grants_required)
		return 0;
	if (!uid || !uid[0])
		return no_uid(asked, err);
	if (waited && answer->profile.available)
		return judge_available(root, asked, err);
	return err_set(err, CNI_ERROR_TRY_LATER,
	    "the controller has not granted pod %s/%s its address on network %s yet; see: "
	    "kubectl describe staticipallocations -n %s",
	    asked->namespace, asked->pod, asked->network, asked->namespace);
}

int
pod_row_find(const char *root, const struct lookup *asked, const char *uid, bool waited,
    struct pod_row *ret_row, struct err *err)
{
	int found = granted_find(root, asked, uid, &ret_row->granted, err);

	if (found < 0)
		return found;
	ret_row->by_grant = found > 0;
	if (found > 0)
		return judge_grant(&ret_row->granted.grant, asked, err);
	int rc = lookup_pod(root, asked, &ret_row->lookup, err);
	return rc ? rc : judge_lookup(root, &ret_row->lookup, asked, uid, waited, err);
}

int
pod_row_again(const char *root, const struct lookup *asked, const char *uid,
    const struct pod_row *row, struct err *err)
{
	static struct granted now; /* CALL_MEMORY, see ipam.c: as a rule there is none */

	if (row->by_grant)
		return granted_again(root, asked, uid, &row->granted, err);
	int found = granted_find(root, asked, uid, &now, err);
	if (found)
		return found < 0 ? found : 0;
	return lookup_again(root, asked, &row->lookup, err);
}

const struct row *
pod_row_row(const struct pod_row *row)
{
	return row->by_grant ? &row->granted.grant.row : &row->lookup.row;
}

const struct profile *
pod_row_profile(const struct pod_row *row)
{
	return row->by_grant ? &row->granted.profile : &row->lookup.profile;
}

struct routes *
pod_row_routes(struct pod_row *row)
{
	return row->by_grant ? &row->granted.profile.routes : &row->lookup.profile.routes;
}

const char *
pod_row_domain(const struct pod_row *row)
{
	return row->by_grant ? row->granted.grant.domain : row->lookup.network.domain;
}
