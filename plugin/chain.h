/* The chained role: after the main plugin, install the configuration's `routes` in
 * the pod, and pass its result on. */
#ifndef PLUGIN_CHAIN_H
#define PLUGIN_CHAIN_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/request.h"

/* ADD: all routes or none, idempotent. Appends prevResult with the added routes.
 * Without `routes` that is all there is to do. */
int chain_add(const struct cni_request *request, struct buf *out, struct err *err);
/* CHECK: every route is there exactly. */
int chain_check(const struct cni_request *request, struct buf *out, struct err *err);

#endif
