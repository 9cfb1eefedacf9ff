/* Routes into a pod's namespace: all of them or none. */
#ifndef PLUGIN_CHAIN_INSTALL_H
#define PLUGIN_CHAIN_INSTALL_H

#include "core/err.h"
#include "node/kernel.h"
#include "table/route.h"

/* Adds the routes over the interface of this index. One that is there already,
 * the same in every respect, stays and counts as done (I5). When one cannot be
 * added those before it are removed again and the error has code 105. */
int chain_install(struct kernel *kernel, unsigned index, const struct routes *routes,
    struct err *err);

/* Whether each of the routes is there exactly (dst, gw, interface, table,
 * priority): 0, or an error of code 105 that names the first missing one. */
int chain_verify(struct kernel *kernel, unsigned index, const struct routes *routes,
    struct err *err);

#endif
