#include "node/frame.h"

#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

/* Offsets. All numbers in frames are in network order. */
enum {
	TYPE_AT = 12,
	PAYLOAD_AT = ETH_HLEN,

	ARP_OPERATION_AT = PAYLOAD_AT + 6,
	ARP_SENDER_MAC_AT = PAYLOAD_AT + 8,
	ARP_SENDER_IP_AT = PAYLOAD_AT + 14,
	ARP_TARGET_IP_AT = PAYLOAD_AT + 24,
	ARP_END = PAYLOAD_AT + 28,

	IP6_LENGTH_AT = PAYLOAD_AT + 4,
	IP6_NEXT_AT = PAYLOAD_AT + 6,
	IP6_HOPS_AT = PAYLOAD_AT + 7,
	IP6_SOURCE_AT = PAYLOAD_AT + 8,
	IP6_DESTINATION_AT = PAYLOAD_AT + 24,
	ICMP6_AT = PAYLOAD_AT + 40,
	ICMP6_CHECKSUM_AT = ICMP6_AT + 2,
	ND_FLAGS_AT = ICMP6_AT + 4,
	ND_TARGET_AT = ICMP6_AT + 8,
	ND_OPTIONS_AT = ND_TARGET_AT + 16,

	/* ICMPv6 types and what RFC 4861 (section 4) fixes in them */
	ND_SOLICITATION = 135,
	ND_ADVERTISEMENT = 136,
	ND_OVERRIDE = 0x20,
	ND_OPTION_TARGET_MAC = 2,
	ND_HOPS = 255, /* proves that no router forwarded it */
};

/* Hardware Ethernet, protocol IPv4, and the lengths of their addresses. */
static const uint8_t arp_head[] = {
    0, ARPHRD_ETHER, ETH_P_IP >> 8, ETH_P_IP & 0xff, MAC_BYTES, 4};
static const uint8_t zeros[16];

static uint16_t
number_at(const uint8_t *bytes, size_t at)
{
	return (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
}

static void
put_number(uint8_t *bytes, size_t at, uint16_t number)
{
	bytes[at] = (uint8_t)(number >> 8);
	bytes[at + 1] = (uint8_t)number;
}

/* ---- IPv4 ------------------------------------------------------------------- */

static struct frame
arp_request(const struct mac *mac, const uint8_t *sender, const uint8_t *target)
{
	struct frame frame = {.length = ARP_END};
	uint8_t *bytes = frame.bytes;

	memset(bytes, 0xff, MAC_BYTES);
	memcpy(bytes + MAC_BYTES, mac->bytes, MAC_BYTES);
	put_number(bytes, TYPE_AT, ETH_P_ARP);
	memcpy(bytes + PAYLOAD_AT, arp_head, sizeof(arp_head));
	put_number(bytes, ARP_OPERATION_AT, ARPOP_REQUEST);
	memcpy(bytes + ARP_SENDER_MAC_AT, mac->bytes, MAC_BYTES);
	memcpy(bytes + ARP_SENDER_IP_AT, sender, 4);
	memcpy(bytes + ARP_TARGET_IP_AT, target, 4);
	return frame;
}

static bool
read_arp(const uint8_t *bytes, size_t length, struct frame_claim *claim)
{
	if (length < ARP_END || memcmp(bytes + PAYLOAD_AT, arp_head, sizeof(arp_head)) != 0)
		return false;
	uint16_t operation = number_at(bytes, ARP_OPERATION_AT);
	bool has_sender = memcmp(bytes + ARP_SENDER_IP_AT, zeros, 4) != 0;
	if (operation != ARPOP_REQUEST && (operation != ARPOP_REPLY || !has_sender))
		return false;
	claim->ip = (struct ip){.family = 4};
	memcpy(claim->ip.bytes, bytes + (has_sender ? ARP_SENDER_IP_AT : ARP_TARGET_IP_AT), 4);
	memcpy(claim->mac.bytes, bytes + ARP_SENDER_MAC_AT, MAC_BYTES);
	return true;
}

/* ---- IPv6 ------------------------------------------------------------------- */

/* The Internet checksum over ICMPv6 and its pseudo-header (RFC 8200, section 8.1); zero
 * over a message whose own checksum is right. */
static uint16_t
checksum(const uint8_t *bytes, size_t length)
{
	size_t size = length - ICMP6_AT;
	uint32_t sum = (uint32_t)size + IPPROTO_ICMPV6;

	/* both addresses stand right before ICMPv6; the longest is a frame of an Ethernet
	 * link, so the sum cannot pass 32 bits */
	for (size_t at = IP6_SOURCE_AT; at < length; at++)
		sum += at % 2 ? bytes[at] : (uint32_t)bytes[at] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A multicast group's MAC ends in its last four bytes (RFC 2464, section 7). */
static struct frame
nd_message(const struct mac *mac, const uint8_t *source, const uint8_t *group, uint8_t type,
    const uint8_t *target)
{
	struct frame frame = {.length = ND_OPTIONS_AT};
	uint8_t *bytes = frame.bytes;

	bytes[0] = bytes[1] = 0x33;
	memcpy(bytes + 2, group + 12, 4);
	memcpy(bytes + MAC_BYTES, mac->bytes, MAC_BYTES);
	put_number(bytes, TYPE_AT, ETH_P_IPV6);
	bytes[PAYLOAD_AT] = 6 << 4;
	bytes[IP6_NEXT_AT] = IPPROTO_ICMPV6;
	bytes[IP6_HOPS_AT] = ND_HOPS;
	memcpy(bytes + IP6_SOURCE_AT, source, 16);
	memcpy(bytes + IP6_DESTINATION_AT, group, 16);
	bytes[ICMP6_AT] = type;
	memcpy(bytes + ND_TARGET_AT, target, 16);
	return frame;
}

static void
nd_finish(struct frame *frame)
{
	put_number(frame->bytes, IP6_LENGTH_AT, (uint16_t)(frame->length - ICMP6_AT));
	put_number(frame->bytes, ICMP6_CHECKSUM_AT, checksum(frame->bytes, frame->length));
}

static struct frame
nd_advertisement(const struct mac *mac, const uint8_t *target)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct frame frame = nd_message(mac, target, all_nodes, ND_ADVERTISEMENT, target);
	uint8_t *option = frame.bytes + ND_OPTIONS_AT;

	frame.bytes[ND_FLAGS_AT] = ND_OVERRIDE;
	option[0] = ND_OPTION_TARGET_MAC;
	option[1] = 1; /* of eight bytes */
	memcpy(option + 2, mac->bytes, MAC_BYTES);
	frame.length += 8;
	nd_finish(&frame);
	return frame;
}

static struct frame
nd_solicitation(const struct mac *mac, const uint8_t *target)
{
	/* the group of all addresses that end so (RFC 4291, section 2.7.1) */
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff};

	memcpy(group + 13, target + 13, 3);
	struct frame frame = nd_message(mac, zeros, group, ND_SOLICITATION, target);
	nd_finish(&frame);
	return frame;
}

/* The target's MAC: in its option, else who sent the frame. false: an option of no
 * length, which makes the message invalid (RFC 4861, section 4.6). */
static bool
read_target_mac(const uint8_t *bytes, size_t length, struct mac *mac)
{
	memcpy(mac->bytes, bytes + MAC_BYTES, MAC_BYTES);
	for (size_t at = ND_OPTIONS_AT; at + 8 <= length; at += 8 * (size_t)bytes[at + 1]) {
		if (bytes[at + 1] == 0)
			return false;
		if (bytes[at] == ND_OPTION_TARGET_MAC)
			memcpy(mac->bytes, bytes + at + 2, MAC_BYTES);
	}
	return true;
}

static bool
read_nd(const uint8_t *bytes, size_t length, struct frame_claim *claim)
{
	if (length < ND_OPTIONS_AT || bytes[PAYLOAD_AT] >> 4 != 6 ||
	    bytes[IP6_NEXT_AT] != IPPROTO_ICMPV6 || bytes[IP6_HOPS_AT] != ND_HOPS)
		return false;
	size_t whole = (size_t)ICMP6_AT + number_at(bytes, IP6_LENGTH_AT);
	if (whole < ND_OPTIONS_AT || whole > length || checksum(bytes, whole) != 0 ||
	    bytes[ICMP6_AT + 1] != 0)
		return false;
	claim->ip = (struct ip){.family = 6};
	memcpy(claim->ip.bytes, bytes + ND_TARGET_AT, 16);
	memcpy(claim->mac.bytes, bytes + MAC_BYTES, MAC_BYTES);
	/* one from an address only asks for a neighbour */
	if (bytes[ICMP6_AT] == ND_SOLICITATION)
		return memcmp(bytes + IP6_SOURCE_AT, zeros, 16) == 0;
	return bytes[ICMP6_AT] == ND_ADVERTISEMENT && read_target_mac(bytes, whole, &claim->mac);
}

/* ---- both ------------------------------------------------------------------- */

struct frame
frame_announce(const struct mac *mac, const struct ip *ip)
{
	return ip->family == 6 ? nd_advertisement(mac, ip->bytes)
	                       : arp_request(mac, ip->bytes, ip->bytes);
}

struct frame
frame_probe(const struct mac *mac, const struct ip *ip)
{
	return ip->family == 6 ? nd_solicitation(mac, ip->bytes)
	                       : arp_request(mac, zeros, ip->bytes);
}

bool
frame_read_claim(const uint8_t *bytes, size_t length, struct frame_claim *ret_claim)
{
	struct frame_claim claim = {0};
	uint16_t type = length < ETH_HLEN ? 0 : number_at(bytes, TYPE_AT);

	if (type != ETH_P_ARP && type != ETH_P_IPV6)
		return false;
	if (!(type == ETH_P_ARP ? read_arp : read_nd)(bytes, length, &claim))
		return false;
	*ret_claim = claim;
	return true;
}
