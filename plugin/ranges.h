/* Ranges of addresses, as host-local has them, and the order in which their
 * addresses are tried. No I/O here. */
#ifndef PLUGIN_RANGES_H
#define PLUGIN_RANGES_H

#include <stdbool.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "table/ip.h"

struct range {
	struct cidr subnet;   /* the network: no host bits */
	struct ip_range span; /* what is handed out, inside the subnet */
	struct ip gateway;    /* inside the subnet; never handed out */
};

/* Ranges of one family, none overlapping; an attachment gets one address of a set. */
struct range_set {
	struct range list[RANGE_SET_RANGES_MAX];
	unsigned count;
	struct ip_range fixed; /* given on request only; family 0 = none */
	struct ip requested;   /* the one that the runtime asks for; family 0 = none */
};

struct range_sets {
	struct range_set list[ENTRY_IPS_MAX];
	unsigned count;
};

/* A walk over what a set may hand out: round robin, so that an address that was
 * given back rests as long as there are others. */
struct range_walk {
	const struct range_set *set;
	struct ip last;   /* where the round begins: behind it; family 0 = at the first */
	unsigned first;   /* the range that last lies in */
	unsigned part;    /* of the round: ranges, the first one cut in two by last */
	struct ip cursor; /* the next of this part; family 0 = its first */
};

/* Starts behind last (family 0, or one that the set does not have: at the start of
 * the first range). set must outlive the walk. */
void range_walk_start(
    const struct range_set *set, const struct ip *last, struct range_walk *ret_walk);

/* The next candidate with the prefix of its subnet; false: the round is over. Each
 * address once, last at the very end. Never a gateway, an address that no host can
 * have (network, broadcast) or one that is given on request only; the rest of a range is
 * left out where more than a thousand on end are of that kind (multicast, loopback). */
bool range_walk_next(struct range_walk *walk, struct cidr *ret_candidate);

/* The range that may give this address: it is in the span, or in the subnet and
 * given on request. NULL: none of the set. */
const struct range *range_set_find(const struct range_set *set, const struct ip *ip);

/* Appends "10.0.0.1-10.0.0.6,10.0.1.1-10.0.1.6", host-local's name of a set. */
void range_set_print(const struct range_set *set, struct buf *out);

#endif
