/* The codes of CNI errors, and their JSON. */
#ifndef PLUGIN_CNI_ERROR_H
#define PLUGIN_CNI_ERROR_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/cni_version.h"

/* What err_set takes as its code. The first group is the CNI specification's
 * (1.1.0, "Error"), the second ours (DESIGN.md, section 8). */
enum cni_error {
	CNI_ERROR_VERSION = ERR_CODE_OWN + 1,
	CNI_ERROR_ENVIRONMENT = ERR_CODE_OWN + 4,
	CNI_ERROR_IO = ERR_CODE_OWN + 5,
	CNI_ERROR_DECODE = ERR_CODE_OWN + 6,
	CNI_ERROR_CONFIG = ERR_CODE_OWN + 7,
	CNI_ERROR_TRY_LATER = ERR_CODE_OWN + 11,
	CNI_ERROR_NOT_READY = ERR_CODE_OWN + 50, /* STATUS only */

	CNI_ERROR_NO_ALLOCATION = ERR_CODE_OWN + 100,
	CNI_ERROR_REVOKED = ERR_CODE_OWN + 101,
	CNI_ERROR_NOT_PERMITTED = ERR_CODE_OWN + 102,
	CNI_ERROR_EXHAUSTED = ERR_CODE_OWN + 103,
	CNI_ERROR_NO_TABLE = ERR_CODE_OWN + 104,
	CNI_ERROR_ROUTE = ERR_CODE_OWN + 105,
	CNI_ERROR_ON_WIRE = ERR_CODE_OWN + 106, /* an address, by another MAC */
};

/* The code that a runtime sees: that of enum cni_error, or the one that stands
 * for an errno. */
int cni_error_code(const struct err *err);

/* The same error under another code; returns -code. For an errno whose meaning
 * depends on what was being read. */
int cni_error_as(struct err *err, enum cni_error code);

/* Appends the error object. libcni shows people "msg; details": the sentence is
 * parted at its first "; ". Valid JSON whatever bytes the sentence has. */
void cni_error_print(const struct err *err, const struct cni_version *version,
    struct buf *out);

/* The error object for when there is no memory to print one. */
#define CNI_ERROR_NO_MEMORY                                                              \
	"{\"cniVersion\":\"1.1.0\",\"code\":5,\"msg\":\"staticip: out of memory\","      \
	"\"details\":\"the node or the cgroup of the container runtime is out of it\"}\n"

#endif
