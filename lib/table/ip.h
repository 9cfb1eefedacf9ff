/* Addresses, prefixes and ranges, as bytes in network order. */
#ifndef TABLE_IP_H
#define TABLE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct ip {
	uint8_t family;    /* 4 or 6; 0 = none */
	uint8_t bytes[16]; /* IPv4 uses the first four, the rest is zero */
};

/* An address with its prefix length, host bits kept: 10.0.2.40/24. */
struct cidr {
	struct ip ip;
	uint8_t length;
};

/* first..last of one family, first <= last. */
struct ip_range {
	struct ip first, last;
};

/* Canonical text only (RFC 5952; no zone, no leading zero, no IPv4-mapped IPv6,
 * which the kernel takes for IPv4): -EINVAL names the text and the rule. text
 * need not end at length. */
int ip_parse(const char *text, size_t length, struct ip *ret_ip, struct err *err);
/* As people write it: non-canonical IPv6 (upper case, zeros) is taken too. The
 * reference plugins accept that in configurations. */
int ip_parse_lax(const char *text, size_t length, struct ip *ret_ip, struct err *err);
/* ADDRESS/LENGTH, strict or lax about the address. Host bits may be set. */
int cidr_parse(const char *text, size_t length, struct cidr *ret_cidr, struct err *err);
int cidr_parse_lax(const char *text, size_t length, struct cidr *ret_cidr, struct err *err);
/* FIRST-LAST/LENGTH or FIRST-LAST (length 255 in *ret_length): canonical, one
 * family, first <= last. */
int ip_range_parse(const char *text, size_t length, struct ip_range *ret_range,
    uint8_t *ret_length, struct err *err);

/* Text into out of at least ADDRESS_TEXT_MAX bytes; returns out. */
const char *ip_print(const struct ip *ip, char *out);
const char *cidr_print(const struct cidr *cidr, char *out);

/* 32 or 128. */
uint8_t ip_bits(const struct ip *ip);
/* Address family as the kernel says it: AF_INET or AF_INET6. */
int ip_kernel_family(const struct ip *ip);
/* 4 or 16. */
size_t ip_size(const struct ip *ip);
/* By family, then by bytes: <0, 0, >0. */
int ip_compare(const struct ip *a, const struct ip *b);
bool ip_equal(const struct ip *a, const struct ip *b);
/* *ret_ip = ip + count; false (nothing written) past the last address. */
bool ip_add(const struct ip *ip, uint64_t count, struct ip *ret_ip);
/* Number of addresses in the range; UINT64_MAX when it is larger. */
uint64_t ip_range_count(const struct ip_range *range);
bool ip_ranges_overlap(const struct ip_range *a, const struct ip_range *b);

bool cidr_equal(const struct cidr *a, const struct cidr *b);
/* Same family and the first length bits agree. */
bool cidr_contains(const struct cidr *cidr, const struct ip *ip);
/* All host bits zero / one. */
struct ip cidr_first(const struct cidr *cidr);
struct ip cidr_last(const struct cidr *cidr);

/* Why a pod cannot have this address on this prefix: "is the network address of
 * 10.0.2.0/24", "is a multicast address", ...; NULL when it can. /31, /32, /127
 * and /128 have no network and broadcast address (RFC 3021, RFC 6164); the
 * subnet-router anycast address (RFC 4291 section 2.6.1) of other IPv6 prefixes
 * is refused. out is room for the answer, at least 96 bytes. */
const char *cidr_unusable(const struct cidr *cidr, char *out);

#endif
