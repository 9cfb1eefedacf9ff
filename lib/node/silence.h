/* Making a pod's addresses unusable: macvlan, ipvlan, vlan and ptp call their IPAM
 * plugin's DEL before they delete the link (facts: plugins 1.9.1), and a lease gone
 * must mean an address gone. */
#ifndef NODE_SILENCE_H
#define NODE_SILENCE_H

#include "core/err.h"
#include "node/lease.h"

/* Sets the link of the lease down in the namespace that the lease was given in, and
 * every other one there that has one of its addresses: somebody may have renamed it.
 * The addresses stay on the link of that name, IPv6 too (keep_addr_on_down): ptp reads
 * them afterwards to take its masquerading back. The other links stop answering ARP for
 * addresses that are not theirs. Returns 0 when nothing there answers for the addresses
 * any more: also when the namespace is gone, when no link in it has one of the
 * addresses, and when no namespace was recorded. Never touches the namespace that we are
 * in. */
int silence_lease(const struct lease *lease, struct err *err);

#endif
