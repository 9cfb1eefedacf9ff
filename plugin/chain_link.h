/* The chained role and the pod's link: IPv6 settings, whether somebody else has the
 * pod's addresses, and telling the neighbours that the pod has them. */
#ifndef PLUGIN_CHAIN_LINK_H
#define PLUGIN_CHAIN_LINK_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "plugin/chain_ipv6.h"
#include "plugin/prev_result.h"
#include "plugin/request.h"

struct chain_link {
	bool announce; /* true unless it is written */
	bool probe;    /* false unless it is written */
	struct chain_ipv6 ipv6;
};

/* Reads `announce`, `probe` and `ipv6` of a network configuration. Error code 7. */
int chain_link_decode(
    struct json_object *config, struct chain_link *ret_link, struct err *err);

/* ADD, before routes are looked at: makes the IPv6 settings, removes what router
 * advertisements left that are unwanted, then probes the addresses that prevResult has on
 * the interface. Nothing is taken back when that, or what comes later, fails: the
 * settings go with the link, and a second ADD makes the same ones. Error codes: 106
 * somebody else has an address; 105 a setting cannot be made; 7 the link cannot be
 * probed, or the host's settings are wrong; 4 the namespace. */
int chain_link_settle(const struct cni_request *request, const struct prev_result *prev,
    const struct chain_link *link, struct err *err);

/* netns is the path of the pod's namespace, ifname the interface in it.
 *
 * ADD, at the end: announces the same addresses as far as they are in use. What cannot be
 * announced is not: the pod works, and its neighbours learn the MAC in time. */
void chain_link_announce(const char *netns, const char *ifname,
    const struct prev_result *prev, const struct chain_link *link);

/* CHECK: the interface still has its addresses of prevResult, and the IPv6 settings are
 * as written. Error codes: 105 it has not, or they are not; 4 the namespace. */
int chain_link_verify(const char *netns, const char *ifname, const struct prev_result *prev,
    const struct chain_link *link, struct err *err);

#endif
