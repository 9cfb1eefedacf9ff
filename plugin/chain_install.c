#include "plugin/chain_install.h"

#include <errno.h>

#include "core/mem.h"
#include "plugin/cni_error.h"

static bool
is_installed(
    const struct kernel_route *list, size_t count, const struct kernel_route *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (kernel_route_matches(&list[i], wanted))
			return true;
	return false;
}

static int
refuse_rival(const struct kernel_route *list, size_t count,
    const struct kernel_route *wanted, struct err *err)
{
	char text[KERNEL_ROUTE_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		char rival[KERNEL_ROUTE_TEXT_MAX];
		if (!kernel_route_rivals(&list[i], wanted))
			continue;
		return err_set(err, EEXIST,
		    "cannot add route %s: another route to this destination is there, %s on "
		    "interface number %u; give one of them another priority or table",
		    kernel_route_print(wanted, text), kernel_route_print(&list[i], rival),
		    list[i].index);
	}
	return -EEXIST; /* it went away since, or is no unicast route: what err says */
}

/* The kernel refused with "file exists": because of the same route, or another. */
static int
judge_existing(struct kernel *kernel, const struct kernel_route *wanted, struct err *err)
{
	const struct kernel_filter any = {0};
	scoped_free struct kernel_route *list = NULL;
	size_t count = 0;
	struct err listing = {0};

	if (kernel_routes(kernel, &any, &list, &count, &listing))
		return -EEXIST; /* what err says stays the reason */
	if (is_installed(list, count, wanted))
		return 0;
	return refuse_rival(list, count, wanted, err);
}

/* Takes back what was added, last first. What cannot be removed is named in the
 * error: nothing stays behind in silence. */
static void
roll_back(struct kernel *kernel, const struct kernel_route *added, unsigned count,
    struct err *err)
{
	while (count-- > 0) {
		struct err left = {0};
		struct err said = *err;
		if (kernel_route_delete(kernel, &added[count], &left))
			(void)err_set(
			    err, said.code, "%s; and left behind: %s", said.text, left.text);
	}
}

int
chain_install(struct kernel *kernel, unsigned index, const struct routes *routes,
    struct err *err)
{
	struct kernel_route added[ROUTES_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < routes->count; i++) {
		struct kernel_route wanted = {.route = routes->list[i], .index = index};
		int rc = kernel_route_add(kernel, &wanted, err);
		if (!rc)
			added[count++] = wanted;
		else if (rc == -EEXIST)
			rc = judge_existing(kernel, &wanted, err);
		if (rc) {
			roll_back(kernel, added, count, err);
			return cni_error_as(err, CNI_ERROR_ROUTE);
		}
	}
	return 0;
}

int
chain_verify(struct kernel *kernel, unsigned index, const struct routes *routes,
    struct err *err)
{
	const struct kernel_filter filter = {.index = index};
	scoped_free struct kernel_route *list = NULL;
	size_t count = 0;
	char text[KERNEL_ROUTE_TEXT_MAX];
	int rc = kernel_routes(kernel, &filter, &list, &count, err);

	if (rc)
		return cni_error_as(err, CNI_ERROR_IO);
	for (unsigned i = 0; i < routes->count; i++) {
		struct kernel_route wanted = {.route = routes->list[i], .index = index};
		if (!is_installed(list, count, &wanted))
			return err_set(err, CNI_ERROR_ROUTE,
			    "route %s is not in the pod any more; delete the pod to have it "
			    "again",
			    kernel_route_print(&wanted, text));
	}
	return 0;
}
