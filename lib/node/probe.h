/* Asks the neighbours of a link whether one of them has an address already. */
#ifndef NODE_PROBE_H
#define NODE_PROBE_H

#include <stdbool.h>

#include "core/err.h"
#include "node/frame.h"

struct probe {
	int netns;      /* the link's namespace; -1 for our own */
	unsigned index; /* the link's */
	struct mac mac; /* the link's */
	const struct ip *ips;
	unsigned count;
	const struct mac *ours; /* whose claims are none: own links, own former MACs */
	unsigned our_count;
};

/* Probes all addresses PROBE_TIMES times within PROBE_MS, and returns as soon as somebody
 * else claims one. *ret_taken tells whether somebody did, and then *ret_claim who. */
int probe_run(const struct probe *probe, bool *ret_taken, struct frame_claim *ret_claim,
    struct err *err);

/* The part without I/O: whether a received frame claims one of the addresses for
 * somebody else. */
bool probe_judge(const struct probe *probe, const uint8_t *frame, size_t length,
    struct frame_claim *ret_claim);

#endif
