/* CNI_ARGS: K=V;K2=V2 (CNI CONVENTIONS.md, "CNI_ARGS"). */
#ifndef PLUGIN_CNI_ARGS_H
#define PLUGIN_CNI_ARGS_H

#include "core/err.h"

/* Missing keys are NULL; a key that stands twice has its last value. */
struct cni_args {
	char *text; /* what the others point into */
	const char *namespace;
	const char *pod;
	const char *uid; /* of the pod; static pods have their config's hash */
	const char *ip;      /* IP: addresses asked for, with commas between */
	const char *gateway; /* GATEWAY: likewise */
};

/* Parses as the reference parser (containernetworking/cni pkg/types/args.go): each
 * pair has exactly one '='; keys are case sensitive; an unknown key is an error
 * unless IgnoreUnknown is true, wherever that stands. NULL text is empty. The
 * error code is 4; after 0 the caller releases *ret_args. */
int cni_args_parse(const char *text, struct cni_args *ret_args, struct err *err);
void cni_args_release(struct cni_args *args);
#define scoped_args __attribute__((cleanup(cni_args_release))) struct cni_args

/* Both names of the pod must be there: 0, or an error of code 4 that says whose
 * duty they are. */
int cni_args_need_pod(const struct cni_args *args, struct err *err);

#endif
