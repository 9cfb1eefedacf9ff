/* The IPAM role: a main plugin asks us which addresses a pod has. */
#ifndef PLUGIN_IPAM_H
#define PLUGIN_IPAM_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/request.h"

/* ADD: looks the pod up in the tables, leases its addresses on this node, looks again
 * (a row that changed meanwhile counts), and appends the result. Idempotent: the row
 * is the answer, each time (I5). */
int ipam_add(const struct cni_request *request, struct buf *out, struct err *err);
/* CHECK: the row is still there, prevResult has exactly its addresses on this
 * interface, and so has the lease. Other interfaces, gateways and routes may have
 * changed since. */
int ipam_check(const struct cni_request *request, struct buf *out, struct err *err);
/* DEL: gives the attachment's addresses back. What cannot be done is told on standard
 * error only: a failing DEL would keep the pod for ever (I4). */
int ipam_del(const struct cni_request *request, struct buf *out, struct err *err);
/* GC: ends the leases of this network whose attachment is not valid any more. Without
 * cni.dev/valid-attachments there is nothing to go by, and nothing is done. */
int ipam_gc(const struct cni_request *request, struct buf *out, struct err *err);
/* STATUS: ready as soon as a table was published in this boot, else code 50. */
int ipam_status(const struct cni_request *request, struct buf *out, struct err *err);

#endif
