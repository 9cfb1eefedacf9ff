/* `ipv6` of the chained role: which addresses and routes the pod takes from the wire. */
#ifndef PLUGIN_CHAIN_IPV6_H
#define PLUGIN_CHAIN_IPV6_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/bounds.h"
#include "core/err.h"
#include "table/ip.h"

enum chain_ipv6_key {
	CHAIN_IPV6_ACCEPT_RA, /* acceptRA: take routers' advertisements */
	CHAIN_IPV6_AUTOCONF,  /* autoconf: make addresses of their prefixes */
	CHAIN_IPV6_DAD,       /* dad: duplicate address detection before use */
	CHAIN_IPV6_KEYS,
};

/* A key that is not written leaves the kernel's setting alone. */
struct chain_ipv6 {
	bool written[CHAIN_IPV6_KEYS];
	bool on[CHAIN_IPV6_KEYS];
	struct cidr nodad[NODAD_MAX]; /* nodad: these addresses need no detection */
	unsigned nodad_count;
};

/* Reads `ipv6` of a network configuration. Error code 7. */
int chain_ipv6_decode(
    struct json_object *config, struct chain_ipv6 *ret_ipv6, struct err *err);
/* Whether any key is written / says false. */
bool chain_ipv6_is_written(const struct chain_ipv6 *ipv6);
bool chain_ipv6_is_off(const struct chain_ipv6 *ipv6, enum chain_ipv6_key key);
/* Whether nobody needs to be asked for this address: `dad` is off, or `nodad` has it. */
bool chain_ipv6_skips_dad(const struct chain_ipv6 *ipv6, const struct ip *ip);

/* Makes the kernel's settings of a link in the pod what is written, or tells which is
 * not. Where the kernel has no IPv6 everything is off. Error code 105. */
int chain_ipv6_apply(
    const struct chain_ipv6 *ipv6, int netns, const char *link, struct err *err);
int chain_ipv6_verify(
    const struct chain_ipv6 *ipv6, int netns, const char *link, struct err *err);

#endif
