/* The changes of a plan in a pod's namespace: all of them or none. */
#ifndef PLUGIN_CHAIN_APPLY_H
#define PLUGIN_CHAIN_APPLY_H

#include "core/err.h"
#include "node/kernel.h"
#include "plugin/chain_plan.h"

/* Makes the changes in order. When one fails those before it are taken back, and
 * the error, of code 105, carries the kernel's own words. */
int chain_apply(struct kernel *kernel, const struct chain_plan *plan, struct err *err);

/* CHECK: 0 when the plan adds nothing, else an error of code 105 that names the first
 * route or rule that is missing. */
int chain_verify(const struct chain_plan *plan, struct err *err);

#endif
