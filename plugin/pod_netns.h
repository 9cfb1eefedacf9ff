/* CNI_NETNS: the pod's network namespace. */
#ifndef PLUGIN_POD_NETNS_H
#define PLUGIN_POD_NETNS_H

#include "core/err.h"

/* Opens the namespace at path; the caller closes the fd. The runtime's own is refused:
 * what we do in pods would cut the node off (a pod on the host network has no business
 * here). Error code 4. */
int pod_netns_open(const char *path, int *ret_netns, struct err *err);

#endif
