/* args.cni of the chained role: what a tenant may add to the configuration. */
#ifndef PLUGIN_CHAIN_ARGS_H
#define PLUGIN_CHAIN_ARGS_H

#include <json-c/json_types.h>

#include "core/err.h"

/* A new object with what the decoders read: the configuration's keys, and those of
 * args.cni in their place where `allowArgs` is true. The caller puts it. Error codes:
 * 102 a key of args.cni is not allowed; 7 a key has another plugin's spelling. */
int chain_args_merge(
    struct json_object *config, struct json_object **ret_effective, struct err *err);

#endif
