/* The IPAM role: a main plugin asks us which addresses a pod has. */
#ifndef PLUGIN_IPAM_H
#define PLUGIN_IPAM_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/request.h"

/* ADD: looks the pod up in the tables and appends the result. Idempotent and
 * without any trace (I5): the row is the answer, each time. */
int ipam_add(const struct cni_request *request, struct buf *out, struct err *err);
/* CHECK: the row is still there, and prevResult has exactly its addresses on this
 * interface. Other interfaces, gateways and routes may have changed since. */
int ipam_check(const struct cni_request *request, struct buf *out, struct err *err);
/* STATUS: ready as soon as a table was published in this boot, else code 50. */
int ipam_status(const struct cni_request *request, struct buf *out, struct err *err);

#endif
