#include "plugin/cni_args.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "plugin/cni_error.h"

/* What runtimes send to every plugin, beside what we use. */
static const char *const known_and_unused[] = {"K8S_POD_INFRA_CONTAINER_ID"};

struct key {
	const char *name;
	size_t offset;
};
static const struct key keys[] = {
    {"K8S_POD_NAMESPACE", offsetof(struct cni_args, namespace)},
    {"K8S_POD_NAME", offsetof(struct cni_args, pod)},
    {"K8S_POD_UID", offsetof(struct cni_args, uid)},
    {"IP", offsetof(struct cni_args, ip)},
    {"GATEWAY", offsetof(struct cni_args, gateway)},
};

void
cni_args_release(struct cni_args *args)
{
	mem_free(args->text);
	*args = (struct cni_args){0};
}

static int
parse_bool(const char *pair, const char *value, bool *ret_bool, struct err *err)
{
	bool yes = strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0;

	if (!yes && strcmp(value, "0") != 0 && strcasecmp(value, "false") != 0)
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "ARGS: error parsing value of pair \"%.80s=%.80s\": boolean unmarshal error: "
		    "invalid input (CNI_ARGS)",
		    pair, value);
	*ret_bool = yes;
	return 0;
}

/* Where the value of a key belongs; false for an unknown key. */
static bool
store(struct cni_args *args, const char *key, const char *value)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		memcpy((char *)args + keys[i].offset, &value, sizeof(value));
		return true;
	}
	for (size_t i = 0; i < sizeof(known_and_unused) / sizeof(known_and_unused[0]); i++)
		if (strcmp(known_and_unused[i], key) == 0)
			return true;
	return false;
}

/* One pair, NUL-terminated. *unknown is set to the first key that we do not know. */
static int
parse_pair(char *pair, struct cni_args *args, bool *ignore_unknown, const char **unknown,
    struct err *err)
{
	char *equals = strchr(pair, '=');

	if (!equals || strchr(equals + 1, '='))
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "ARGS: invalid pair \"%.200s\"; CNI_ARGS must be KEY=VALUE;KEY=VALUE", pair);
	*equals = '\0';
	if (strcmp(pair, "IgnoreUnknown") == 0)
		return parse_bool(pair, equals + 1, ignore_unknown, err);
	if (!store(args, pair, equals + 1) && !*unknown)
		*unknown = pair;
	return 0;
}

int
cni_args_parse(const char *text, struct cni_args *ret_args, struct err *err)
{
	scoped_args args = {0};
	bool ignore_unknown = false;
	const char *unknown = NULL;

	if (text && strlen(text) > CNI_ARGS_MAX)
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "CNI_ARGS has more than %d bytes", CNI_ARGS_MAX);
	args.text = mem_text(text);
	for (char *pair = text && text[0] ? args.text : NULL; pair;) {
		char *semicolon = strchr(pair, ';');
		if (semicolon)
			*semicolon = '\0';
		int rc = parse_pair(pair, &args, &ignore_unknown, &unknown, err);
		if (rc)
			return rc;
		pair = semicolon ? semicolon + 1 : NULL;
	}
	if (unknown && !ignore_unknown)
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "ARGS: unknown args [\"%.200s\"]; CNI_ARGS says neither IgnoreUnknown=1 nor "
		    "what we know",
		    unknown);
	*ret_args = args;
	args.text = NULL;
	return 0;
}

int
cni_args_need_pod(const struct cni_args *args, struct err *err)
{
	bool namespace = args->namespace && args->namespace[0];
	bool pod = args->pod && args->pod[0];

	if (namespace && pod)
		return 0;
	return err_set(err, CNI_ERROR_ENVIRONMENT,
	    "CNI_ARGS has no %s; a table is asked by the pod's namespace and name, which the "
	    "container runtime must pass (containerd, CRI-O and Multus do)",
	    namespace ? "K8S_POD_NAME" : "K8S_POD_NAMESPACE");
}
