/* The IPAM role: a main plugin asks us which addresses a pod has. */
#ifndef PLUGIN_IPAM_H
#define PLUGIN_IPAM_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/request.h"

/* ADD: finds the pod's addresses in the source that the ipam block names, leases them
 * on this node, and appends the result. With the tables it looks again after that: a
 * row that changed meanwhile counts. Idempotent: the row, or else the lease, is the
 * answer, each time (I5). */
int ipam_add(const struct cni_request *request, struct buf *out, struct err *err);
/* CHECK: the source still gives the same, prevResult has exactly these addresses on
 * this interface, and so has the lease. Other interfaces, gateways and routes may have
 * changed since. For ranges the lease is the source, and prevResult may be missing. */
int ipam_check(const struct cni_request *request, struct buf *out, struct err *err);
/* DEL: gives the attachment's addresses back. What cannot be done is told on standard
 * error only: a failing DEL would keep the pod for ever (I4). */
int ipam_del(const struct cni_request *request, struct buf *out, struct err *err);
/* GC: ends the leases of this network whose attachment is not valid any more. Without
 * cni.dev/valid-attachments there is nothing to go by, and nothing is done. */
int ipam_gc(const struct cni_request *request, struct buf *out, struct err *err);
/* STATUS: ready as soon as a table was published in this boot, else code 50; an inline
 * source is always ready. */
int ipam_status(const struct cni_request *request, struct buf *out, struct err *err);

#endif
