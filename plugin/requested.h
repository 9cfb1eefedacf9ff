/* Addresses and gateways that the runtime asks for: runtimeConfig.ips, args.cni.ips
 * (CNI CONVENTIONS.md), IP and GATEWAY of CNI_ARGS. Who asks may be a tenant: a
 * source decides what of it may be given (I10). */
#ifndef PLUGIN_REQUESTED_H
#define PLUGIN_REQUESTED_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bounds.h"
#include "core/err.h"
#include "plugin/cni_args.h"
#include "plugin/cni_config.h"
#include "plugin/cni_result.h"

/* On which road a request comes. */
enum requested_road {
	REQUESTED_RUNTIME,     /* runtimeConfig.ips */
	REQUESTED_CONVENTIONS, /* args.cni.ips */
	REQUESTED_ARGS_IP,
	REQUESTED_ARGS_GATEWAY,
	REQUESTED_ROADS,
};

/* One of them, as it was written; the memory is the configuration's or CNI_ARGS'. */
struct requested_item {
	enum requested_road road;
	const char *text;
	size_t length;
};

struct requested {
	struct requested_item list[REQUESTED_ROADS * REQUESTED_IPS_MAX];
	unsigned count;
};

/* Collects them, road after road. Error codes: 7 and 4 for what is no list of texts
 * or is too long. */
int requested_read(const struct cni_config *config, const struct cni_args *args,
    struct requested *ret_requested, struct err *err);
bool requested_on_road(const struct requested *requested, enum requested_road road);

/* The road's name in errors, and the error code of what is no address on it. */
const char *requested_road_name(enum requested_road road);
/* Parses an address with or without prefix (*ret_with_prefix), a gateway without. */
int requested_parse(const struct requested_item *item, struct cidr *ret_cidr,
    bool *ret_with_prefix, struct err *err);

/* Each requested address, with or without prefix, must be one of the result, and
 * each gateway one of its gateways. Not all of it has to be asked for. giver says
 * in errors who gives the result: "StaticIPAllocation shop/ex". Error codes: 102 for
 * another address, naming both; 7 and 4 for what is no address. */
int requested_check(const struct requested *requested, const struct cni_result *result,
    const char *giver, struct err *err);

#endif
