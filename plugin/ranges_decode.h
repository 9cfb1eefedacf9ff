/* The ranges of a configuration: `subnet`, `rangeStart`, `rangeEnd`, `gateway`,
 * `ranges`, `fixedStart`, `fixedEnd` of the ipam block, and runtimeConfig.ipRanges. */
#ifndef PLUGIN_RANGES_DECODE_H
#define PLUGIN_RANGES_DECODE_H

#include "core/err.h"
#include "plugin/cni_config.h"
#include "plugin/ranges.h"

/* Decodes and checks them, with host-local's defaults (gateway and start: the first
 * address; end: the last one, for IPv4 before the broadcast address), order
 * (runtimeConfig, the single range, `ranges`) and words. Error code 7.
 *
 * Beyond host-local: a gateway lies in its subnet, as kube-ipam has it; the fixed
 * range lies in the subnet of a range. */
int range_sets_decode(
    const struct cni_config *config, struct range_sets *ret_sets, struct err *err);

#endif
