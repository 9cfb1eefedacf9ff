/* This node's own address, one per family: what a pod's route to "host" leads to. */
#ifndef NODE_HOST_ADDRESS_H
#define NODE_HOST_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "node/kernel.h"
#include "table/ip.h"

/* What the choice is made of. */
struct host_facts {
	const struct kernel_route *defaults; /* default routes of the main table */
	size_t default_count;
	const struct kernel_address *addresses;
	size_t address_count;
	const struct kernel_link *links;
	size_t link_count;
};

/* The rules, in order; the first that gives an address decides:
 *   1. the preferred source of the default route with the lowest metric;
 *   2. the first global address on that route's link, one in the gateway's subnet
 *      before others, as the kernel chooses a source (inet_select_addr, net/ipv4);
 *   3. the first global address of a link that is up, no loopback and nobody's
 *      port, in the kernel's order.
 * Secondary, temporary, deprecated and tentative addresses never count. false:
 * this node has none of that family. */
bool host_address_choose(
    const struct host_facts *facts, uint8_t family, struct ip *ret_address);

/* Asks the kernel for the facts of the namespace we are in and chooses both:
 * ret_addresses[0] is IPv4, [1] IPv6; family 0 = none. */
int host_address_read(struct ip ret_addresses[2], struct err *err);

/* An address of this node with its prefix, and the way out of its subnet. */
struct host_subnet {
	struct cidr cidr;
	struct ip gateway; /* of a default route, inside the subnet; family 0 = none */
};

/* The address that the rules above choose; with a link (its index, else 0) the first
 * usable one of that link, one in its gateway's subnet before others. */
bool host_subnet_choose(const struct host_facts *facts, unsigned link, uint8_t family,
    struct host_subnet *ret_subnet);
/* Asks the kernel and chooses both families, likewise; interface is a link's name or
 * NULL. -ENODEV: there is no such link. */
int host_subnet_read(
    const char *interface, struct host_subnet ret_subnets[2], struct err *err);

#endif
