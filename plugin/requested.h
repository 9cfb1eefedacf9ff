/* Addresses that the runtime asks for: on a network of the tables they must be
 * those of the row (I10), whatever road they come on. */
#ifndef PLUGIN_REQUESTED_H
#define PLUGIN_REQUESTED_H

#include "core/err.h"
#include "plugin/cni_args.h"
#include "plugin/cni_config.h"
#include "plugin/lookup.h"

/* Compares runtimeConfig.ips, args.cni.ips and the IP and GATEWAY of CNI_ARGS with
 * the answer: each, with or without prefix, must be in it. Not all of it has to be
 * asked for. Error codes: 102 for another address, naming both; 7 and 4 for what
 * is no address. */
int requested_check(const struct cni_config *config, const struct cni_args *args,
    const struct lookup_answer *answer, struct err *err);

#endif
