/* The versions of the CNI protocol that we speak, and what each allows. */
#ifndef PLUGIN_CNI_VERSION_H
#define PLUGIN_CNI_VERSION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

/* How a result looks (facts: CNI specification, "Result Types" of each version). */
enum cni_shape {
	CNI_SHAPE_FAMILIES, /* 0.1.0, 0.2.0: "ip4" and "ip6", one address each */
	CNI_SHAPE_VERSIONS, /* 0.3.0 to 0.4.0: "ips" with "version" */
	CNI_SHAPE_PLAIN,    /* 1.0.0 on: "ips" without */
};

struct cni_version {
	const char *text;
	enum cni_shape shape;
	bool has_check;  /* CHECK, and prevResult with DEL */
	bool has_status; /* STATUS and GC */
};

/* The version of this name; "" is 0.1.0, as libcni has it. NULL: not ours. */
const struct cni_version *cni_version_find(const char *text);
const struct cni_version *cni_version_newest(void);
/* Appends all names, each in quotes, with this between them. */
void cni_version_list(struct buf *out, const char *between);

/* VERSION (CNI specification 1.1.0, "VERSION: probe plugin version support"): the
 * cniVersion that came on standard input is echoed; without a usable one it is the
 * newest. Never fails. */
struct cni_request;
int cni_version_answer(const struct cni_request *request, struct buf *out, struct err *err);

#endif
