/* The network configuration on standard input (CNI specification 1.1.0,
 * "Execution configuration"): what every verb needs of it. */
#ifndef PLUGIN_CNI_CONFIG_H
#define PLUGIN_CNI_CONFIG_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "core/err.h"
#include "plugin/cni_environment.h"
#include "plugin/cni_version.h"

/* What the configuration wants us to be. */
enum cni_role {
	CNI_ROLE_NONE,  /* neither: some other plugin's configuration */
	CNI_ROLE_IPAM,  /* ipam.type is ours: say which addresses */
	CNI_ROLE_CHAIN, /* type is ours: install routes */
	CNI_ROLE_BOTH,  /* a mistake: what should the result be? */
	CNI_ROLES,
};

struct cni_config {
	struct json_object *json; /* the whole; the others point into it */
	const struct cni_version *version;
	const char *name;
	struct json_object *ipam; /* NULL unless it is an object */
	enum cni_role role;
};

/* Parses length bytes and checks what libcni's skel checks, in its order: JSON
 * (code 6), name (7), whether the version knows the verb, whether we know the
 * version (1). *ret_config is written on errors too as far as it was understood,
 * so that an error is answered in the version asked; release it in any case. */
int cni_config_parse(const char *text, size_t length, enum cni_verb verb,
    struct cni_config *ret_config, struct err *err);
void cni_config_release(struct cni_config *config);
#define scoped_config __attribute__((cleanup(cni_config_release))) struct cni_config

#endif
