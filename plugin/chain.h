/* The chained role: after the main plugin, make the pod's routes and policy rules
 * what the configuration says, and pass its result on. */
#ifndef PLUGIN_CHAIN_H
#define PLUGIN_CHAIN_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/request.h"

/* ADD: takes away (`flushRoutes`, `delRoutes`, `flushGateway`), gives addresses their
 * own tables (`sourceRouting`), adds `routes` and `rules`: all of it or nothing, and
 * idempotent. Appends prevResult as its routes are then. Without any of these keys
 * that is all there is to do. */
int chain_add(const struct cni_request *request, struct buf *out, struct err *err);
/* CHECK: every route and rule is there exactly. */
int chain_check(const struct cni_request *request, struct buf *out, struct err *err);
/* DEL: removes the rules that are still there. Always succeeds. */
int chain_del(const struct cni_request *request, struct buf *out, struct err *err);

#endif
