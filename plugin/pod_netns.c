#include "plugin/pod_netns.h"

#include "core/mem.h"
#include "node/netns.h"
#include "plugin/cni_error.h"

int
pod_netns_open(const char *path, int *ret_netns, struct err *err)
{
	scoped_fd int netns = -1;
	bool own = false;

	if (netns_open(path, &netns, err) || netns_is_own(netns, &own, err)) {
		(void)err_wrap(err, "CNI_NETNS");
		return cni_error_as(err, CNI_ERROR_ENVIRONMENT);
	}
	if (own)
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "CNI_NETNS '%.200s' is the node's own network namespace; staticip installs "
		    "routes in pods only",
		    path);
	*ret_netns = mem_take_fd(&netns);
	return 0;
}
