/* The kernel's links, addresses and routes of one network namespace, by
 * rtnetlink (libnl-3; rtnetlink(7), linux/rtnetlink.h). */
#ifndef NODE_KERNEL_H
#define NODE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "node/mac.h"
#include "table/ip.h"
#include "table/route.h"
#include "table/route_extra.h"

/* A netlink socket; it belongs to the namespace it was opened in, for life. */
struct kernel;

struct kernel_link {
	unsigned index;
	unsigned flags;  /* IFF_UP, IFF_LOOPBACK, ... (linux/if.h) */
	unsigned master; /* of which bridge, bond or VRF it is a port; 0 = none */
	bool is_ethernet;
	struct mac mac; /* of an Ethernet link */
};

struct kernel_address {
	unsigned index; /* of the link it is on */
	struct cidr cidr;
	uint32_t flags; /* IFA_F_SECONDARY, ... (linux/if_addr.h) */
	uint8_t scope;  /* RT_SCOPE_UNIVERSE for global ones */
	struct ip peer; /* the other end of a point-to-point address; family 0 = none */
	uint32_t metric; /* of the route to its prefix; 0 = the kernel's */
};

/* A route: unicast, or of a type that leads nowhere. */
struct kernel_route {
	struct route route;
	struct route_extra extra;
	unsigned index; /* of the link it leaves by; 0 = none */
	/* Only of a dump: the packets it is for, beyond dst; 0 and family 0 = all */
	uint8_t tos;      /* IPv4 */
	struct cidr from; /* IPv6 */
	uint8_t protocol; /* who made it, RTPROT_...; 0 = RTPROT_STATIC when added */
	/* Only of several next hops, for each: its link. gw, onlink and index are
	 * then those of the first. */
	unsigned hop_indexes[ROUTE_HOPS_MAX];
	bool more_hops; /* than ROUTE_HOPS_MAX: known in part only */
};

/* Which routes a dump is about; zero fields mean any. */
struct kernel_filter {
	unsigned index;    /* those that leave by this link, if only by one next hop */
	bool default_only; /* unicast to 0.0.0.0/0 and ::/0, in the main table */
};

/* Opens a socket in the namespace netns, or in our own for -1. */
int kernel_open(int netns, struct kernel **ret_kernel, struct err *err);
/* NULL is fine. */
void kernel_close(struct kernel *kernel);
#define scoped_kernel __attribute__((cleanup(kernel_cleanup))) struct kernel
void kernel_cleanup(struct kernel **kernel);

/* Whether the last request failed without the kernel's word: it may or may not have been
 * carried out. */
bool kernel_is_unsure(const struct kernel *kernel);

/* The index of the link of this name; -ENODEV when there is none. */
int kernel_link_index(struct kernel *kernel, const char *name, unsigned *ret_index,
    struct err *err);

/* Sets the link down (IFF_UP off). */
int kernel_link_down(struct kernel *kernel, unsigned index, struct err *err);

/* Whole lists, both families, in the kernel's order; the caller frees *ret_list
 * (mem_free). A dump that the kernel marks as interrupted by a change is made
 * again, at most KERNEL_DUMP_TRIES times; then -EAGAIN. */
int kernel_links(struct kernel *kernel, struct kernel_link **ret_list, size_t *ret_count,
    struct err *err);
int kernel_addresses(struct kernel *kernel, struct kernel_address **ret_list,
    size_t *ret_count, struct err *err);
int kernel_routes(struct kernel *kernel, const struct kernel_filter *filter,
    struct kernel_route **ret_list, size_t *ret_count, struct err *err);

/* Removes an address; -EADDRNOTAVAIL when it is not there. */
int kernel_address_delete(struct kernel *kernel, const struct kernel_address *address,
    struct err *err);
/* Makes a tentative IPv6 address usable at once, without duplicate address detection: the
 * kernel cannot end one that runs, so the address goes and comes again with
 * IFA_F_NODAD. Routes stay but for that to its prefix, which the kernel makes again; one
 * with this source there cannot be, as no route may prefer a tentative address. */
int kernel_address_skip_dad(struct kernel *kernel, const struct kernel_address *address,
    struct err *err);

/* "10.9.0.0/16 via 10.0.2.99 table 7" into out (KERNEL_ROUTE_TEXT_MAX bytes);
 * returns out. */
enum { KERNEL_ROUTE_TEXT_MAX = 2 * ADDRESS_TEXT_MAX + 64 };
const char *kernel_route_print(const struct kernel_route *route, char *out);

/* Adds a route. -EEXIST when there is one with this dst, tos, from, table and priority,
 * whatever its gateway and link: kernel_route_matches tells whether it is the
 * same. Other refusals carry the kernel's own words. */
int kernel_route_add(struct kernel *kernel, const struct kernel_route *route,
    struct err *err);
/* Removes exactly this route; -ESRCH when it is not there. */
int kernel_route_delete(struct kernel *kernel, const struct kernel_route *route,
    struct err *err);
/* Whether a route of a dump has the place that wanted would take: same dst, tos, from,
 * table and priority. */
bool kernel_route_rivals(const struct kernel_route *found,
    const struct kernel_route *wanted);
/* Whether a route of a dump is what kernel_route_add made of wanted: type, dst,
 * gateways, links, table and priority as the kernel fills them in; src, onlink,
 * scope, mtu and advmss where wanted has them. IPv6 may have more next hops than
 * wanted: whoever appends a route there adds to ours. */
bool kernel_route_matches(const struct kernel_route *found,
    const struct kernel_route *wanted);
/* The table that a route stands in: its own, or the main one. */
uint32_t kernel_route_table(const struct kernel_route *route);
/* Whether it leaves by this link, with every next hop. */
bool kernel_route_is_over(const struct kernel_route *route, unsigned index);

#endif
