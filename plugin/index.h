/* `index` of an ipam block: a pod's address is an address of this node plus a number
 * (the predecessor is index2ip). No I/O here. */
#ifndef PLUGIN_INDEX_H
#define PLUGIN_INDEX_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "plugin/cni_args.h"
#include "plugin/cni_result.h"

/* Where this node's address comes from: `hostAddress.from`. */
enum index_from {
	INDEX_FROM_CMDLINE,       /* the kernel's command line; the default */
	INDEX_FROM_INTERFACE,     /* an interface of the node */
	INDEX_FROM_DEFAULT_ROUTE, /* whatever the default route uses */
};

struct index_rule {
	unsigned number; /* 1 to INDEX_MAX */
	enum index_from from;
	const char *key;       /* cmdline: tokens KEY.ipv4= and KEY.ipv6= */
	const char *interface; /* interface */
	bool decimal;          /* ipv6Mapping: see index_add */
};

/* What is known of this node in one family. */
struct index_host {
	struct cidr cidr;  /* family 0 = it has none */
	struct ip gateway; /* family 0 = none */
	struct ip dns[2];
	unsigned dns_count;
};

/* Reads `index`, `hostAddress` and `ipv6Mapping`. "pod-name" is the number in the
 * first "index[0-9]+" of the pod's name. Error codes: 7; 4 when CNI_ARGS names no
 * pod. Texts are the configuration's. */
int index_decode(struct json_object *ipam, const struct cni_args *args,
    struct index_rule *ret_rule, struct err *err);

/* Reads ADDRESS/PREFIX,GATEWAY,DNS1,DNS2 of the tokens KEY.ipv4= and KEY.ipv6= of a
 * kernel command line; all but the first may be empty. ret_hosts[0] is IPv4, [1]
 * IPv6. Error code 7: a token that is wrong, or neither has an address. */
int index_parse_cmdline(
    const char *text, const char *key, struct index_host ret_hosts[2], struct err *err);

/* The node's address plus the number, with its prefix and gateway. An IPv6 address
 * with `decimal` has its last group read and written as a decimal number: ::9 + 12 is
 * ::21; the group has digits only and stays at 7999 or less. Error code 7: the sum
 * leaves the prefix, is the gateway, or is no address that a host can have. */
int index_add(const struct index_rule *rule, const struct index_host *host,
    struct cni_address *ret_address, struct err *err);

#endif
