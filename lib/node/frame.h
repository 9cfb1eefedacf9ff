/* Ethernet frames that ask or tell who has an address: ARP for IPv4 (RFC 826,
 * RFC 5227), neighbour discovery for IPv6 (RFC 4861, RFC 4862). Bytes only, no I/O. */
#ifndef NODE_FRAME_H
#define NODE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/mac.h"
#include "table/ip.h"

enum {
	/* The longest of ours, an advertisement: Ethernet 14, IPv6 40, ICMPv6 24, option 8. */
	FRAME_BYTES_MAX = 86,
};

struct frame {
	uint8_t bytes[FRAME_BYTES_MAX];
	size_t length;
};

/* "ip is at mac": the ARP announcement, a request whose sender and target are the same
 * (RFC 5227, section 3), or the unsolicited neighbour advertisement with the override
 * flag to all nodes (RFC 4861, section 7.2.6). Neighbours that know another MAC take
 * this one. */
struct frame frame_announce(const struct mac *mac, const struct ip *ip);

/* "Has anybody ip?" in such a way that nobody learns from it: the ARP probe, whose sender
 * address is zero (RFC 5227, section 2.1.1), or the neighbour solicitation from ::
 * (RFC 4862, section 5.4.2). */
struct frame frame_probe(const struct mac *mac, const struct ip *ip);

/* Who says to have an address, or is about to take it. */
struct frame_claim {
	struct ip ip;
	struct mac mac;
};

/* Reads the claim of a received frame: any ARP packet with a sender address, another's
 * probe (RFC 5227, section 2.1.1: both lose), a neighbour advertisement, another's
 * solicitation from :: (RFC 4862, section 5.4.3). false: it claims nothing, or is not
 * valid. The MAC is the one that neighbours learn from it. */
bool frame_read_claim(const uint8_t *bytes, size_t length, struct frame_claim *ret_claim);

#endif
