/* The result of the chained role: prevResult, with the truth about its routes. */
#ifndef PLUGIN_CHAIN_RESULT_H
#define PLUGIN_CHAIN_RESULT_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/chain_plan.h"
#include "plugin/chain_pod.h"
#include "plugin/chain_wanted.h"
#include "plugin/cni_version.h"
#include "plugin/prev_result.h"

/* Where something was to be taken away, removes from prevResult the routes that are
 * not there after the plan, or are written ones, which are appended; and with
 * flushGateway the interface's gateways. */
void chain_result_prune(const struct prev_result *prev, const struct cni_version *version,
    const struct chain_wanted *wanted, const struct chain_plan *plan,
    const struct chain_route_list *written, const struct chain_pod *pod);

/* Appends the result with the written routes. Those that a CNI result has no words
 * for (several next hops, blackhole and the like) stay out: it would tell them as
 * other routes than they are. */
int chain_result_print(const struct prev_result *prev, const struct cni_version *version,
    const struct chain_route_list *written, struct buf *out, struct err *err);

#endif
