#include "plugin/chain_apply.h"

#include <errno.h>

#include "plugin/cni_error.h"

/* The kernel's words are about the gateway, and do not say what to write. */
static void
hint_at_onlink(const struct kernel_route *route, struct err *err)
{
	bool refused = err && (err->code == ENETUNREACH || err->code == EHOSTUNREACH);

	if (refused && (route->route.gw.family || route->extra.hop_count))
		(void)err_append(err,
		    "; a gateway that is in no subnet of the pod needs \"onlink\": true");
}

static int
make(struct kernel *kernel, const struct chain_change *change, struct err *err)
{
	int rc;

	switch (change->act) {
	case CHAIN_ADD_RULE:
		return kernel_rule_add(kernel, &change->rule, err);
	case CHAIN_DELETE_ROUTE:
		return kernel_route_delete(kernel, &change->route, err);
	case CHAIN_ADD_ROUTE:
	default:
		rc = kernel_route_add(kernel, &change->route, err);
		if (rc)
			hint_at_onlink(&change->route, err);
		return rc;
	}
}

static int
take_back(struct kernel *kernel, const struct chain_change *change, struct err *err)
{
	switch (change->act) {
	case CHAIN_ADD_RULE:
		return kernel_rule_delete(kernel, &change->rule, err);
	case CHAIN_DELETE_ROUTE:
		return kernel_route_add(kernel, &change->route, err);
	case CHAIN_ADD_ROUTE:
	default:
		return kernel_route_delete(kernel, &change->route, err);
	}
}

/* A request whose answer was lost: it was carried out, or it was not. */
static void
take_back_unsure(struct kernel *kernel, const struct chain_change *change, struct err *err)
{
	struct err left = {0};
	struct err said = *err;
	int rc = take_back(kernel, change, &left);
	bool never_made = rc == -ESRCH || rc == -ENOENT || rc == -EEXIST;

	if (rc && !never_made)
		(void)err_set(
		    err, said.code, "%s; and perhaps left behind: %s", said.text, left.text);
}

/* Last first. What cannot be taken back is named in the error: nothing stays
 * behind in silence. */
static void
roll_back(struct kernel *kernel, const struct chain_change *made, size_t count,
    struct err *err)
{
	while (count-- > 0) {
		struct err left = {0};
		struct err said = *err;
		if (take_back(kernel, &made[count], &left))
			(void)err_set(
			    err, said.code, "%s; and left behind: %s", said.text, left.text);
	}
}

int
chain_apply(struct kernel *kernel, const struct chain_plan *plan, struct err *err)
{
	for (size_t i = 0; i < plan->change_count; i++) {
		if (make(kernel, &plan->changes[i], err) == 0)
			continue;
		if (kernel_is_unsure(kernel))
			take_back_unsure(kernel, &plan->changes[i], err);
		roll_back(kernel, plan->changes, i, err);
		return cni_error_as(err, CNI_ERROR_ROUTE);
	}
	return 0;
}

int
chain_verify(const struct chain_plan *plan, struct err *err)
{
	char route[KERNEL_ROUTE_TEXT_MAX];
	char rule[KERNEL_RULE_TEXT_MAX];

	for (size_t i = 0; i < plan->change_count; i++) {
		const struct chain_change *change = &plan->changes[i];
		if (change->act == CHAIN_DELETE_ROUTE)
			continue;
		bool is_rule = change->act == CHAIN_ADD_RULE;
		return err_set(err, CNI_ERROR_ROUTE,
		    "%s %s is not in the pod any more; delete the pod to have it again",
		    is_rule ? "rule" : "route",
		    is_rule ? kernel_rule_print(&change->rule, rule)
		            : kernel_route_print(&change->route, route));
	}
	return 0;
}
