/* DEL of the chained role. Routes go with the pod's interface, rules do not. */
#ifndef PLUGIN_CHAIN_CLEAN_H
#define PLUGIN_CHAIN_CLEAN_H

#include <stdbool.h>

#include "node/kernel_rule.h"
#include "plugin/chain_pod.h"
#include "plugin/chain_wanted.h"

/* Whether a rule of the kernel is one that ADD made: a written one, or that of an
 * address for source routing. */
bool chain_clean_takes(const struct chain_wanted *wanted,
    const struct chain_addresses *addresses, const struct kernel_rule *found);

/* Removes those rules. prev may be empty: addresses are also the interface's. What
 * cannot be done is left: the namespace goes, and its rules with it. */
void chain_clean(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_wanted *wanted);

#endif
