/* Tells the neighbours of a link which MAC an address has now. */
#ifndef NODE_ANNOUNCE_H
#define NODE_ANNOUNCE_H

#include "core/err.h"
#include "node/mac.h"
#include "table/ip.h"

/* Sends one announcement (frame_announce) for each address on the link of this index in
 * the namespace netns, -1 for our own. mac is the link's. */
int announce_send(int netns, unsigned index, const struct mac *mac, const struct ip *ips,
    unsigned count, struct err *err);

#endif
