/* One address of each range set: leased, and which was given last remembered. */
#ifndef PLUGIN_RANGES_TAKE_H
#define PLUGIN_RANGES_TAKE_H

#include "core/err.h"
#include "plugin/cni_result.h"
#include "plugin/hold.h"
#include "plugin/ranges.h"

/* Whether the version can say one address of each set. 0, or an error of code 7. */
int ranges_fit(
    const struct range_sets *sets, const struct cni_version *version, struct err *err);

/* ADD: the address that is requested of a set, waited for, or the next free one behind
 * the last that was given; all or none, and again the same for the same attachment
 * (I5; host-local refuses a repeated ADD). ret_result gets addresses and gateways.
 * Error codes: 103 a set is exhausted, named as host-local does; 11 another pod has
 * what is requested, or the attachment has addresses that the ranges do not. */
int ranges_take(struct hold *hold, const struct range_sets *sets,
    struct cni_result *ret_result, struct err *err);

/* CHECK: what the attachment's lease has; 102 when it has none. */
int ranges_find(const struct hold *hold, struct cni_result *ret_result, struct err *err);

#endif
