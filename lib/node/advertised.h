/* What routers' advertisements (RFC 4861, RFC 4862) have made on a link: the switches of
 * node/ipv6_conf.h stop the next one and leave what is there. */
#ifndef NODE_ADVERTISED_H
#define NODE_ADVERTISED_H

#include <stddef.h>

#include "core/err.h"
#include "node/kernel.h"

/* Removes the link's IPv6 routes that advertisements made: those of routers, and those to
 * prefixes, which expire. */
int advertised_forget_routes(struct kernel *kernel, unsigned index, struct err *err);

/* Of a list of addresses (kernel_addresses) removes the link's IPv6 addresses that have a
 * lifetime, as those of advertised prefixes have, but for those to keep. */
int advertised_forget_addresses(struct kernel *kernel, unsigned index,
    const struct kernel_address *list, size_t count, const struct ip *keep,
    unsigned keep_count, struct err *err);

#endif
