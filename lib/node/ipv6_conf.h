/* IPv6 settings of a link in a network namespace: switches below
 * /proc/sys/net/ipv6/conf/LINK (Documentation/networking/ip-sysctl.rst). */
#ifndef NODE_IPV6_CONF_H
#define NODE_IPV6_CONF_H

#include <stdbool.h>

#include "core/err.h"

/* Whether the switch called name is on (above 0); -ENOENT where the kernel has no IPv6
 * on this link. link is the name of a link, without "/". */
int ipv6_conf_get(
    int netns, const char *link, const char *name, bool *ret_on, struct err *err);
/* Sets it to 1 or 0. */
int ipv6_conf_set(int netns, const char *link, const char *name, bool on, struct err *err);

#endif
