/* The `dns` of a result (CNI specification 1.1.0, "ADD Success"), as JSON: nothing
 * but the main plugin and the runtime ever looks into it. */
#ifndef PLUGIN_DNS_H
#define PLUGIN_DNS_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "core/err.h"
#include "table/ip.h"

/* Reads `dns` of an ipam block: nameservers, domain, search, options; other keys are
 * left out. The caller puts *ret_dns; NULL when there is nothing in it. Code 7. */
int dns_decode(struct json_object *ipam, struct json_object **ret_dns, struct err *err);

/* The text of a resolv.conf, as host-local reads it: # and ; start comments;
 * nameserver and domain have one value, search and options several; repeated
 * keywords add up, the last domain counts. where names the file in errors. */
int dns_parse_resolv_conf(const char *text, size_t length, const char *where,
    struct json_object **ret_dns, struct err *err);

/* A dns of these nameservers; NULL for none. */
struct json_object *dns_of_nameservers(const struct ip *list, unsigned count);

#endif
