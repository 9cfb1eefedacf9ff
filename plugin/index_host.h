/* This node's own address for an index, from where the rule says. */
#ifndef PLUGIN_INDEX_HOST_H
#define PLUGIN_INDEX_HOST_H

#include "core/err.h"
#include "plugin/index.h"

/* Reads the kernel's command line, or asks the kernel for its addresses. ret_hosts[0]
 * is IPv4, [1] IPv6; one of them has an address. host_file is the path of the host's
 * settings. Error codes: 7 the node has no such address; 5 it cannot be read. */
int index_host_read(const struct index_rule *rule, const char *host_file,
    struct index_host ret_hosts[2], struct err *err);

#endif
