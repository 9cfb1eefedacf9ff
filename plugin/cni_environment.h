/* What a runtime says in the environment (CNI specification 1.1.0, "Parameters"). */
#ifndef PLUGIN_CNI_ENVIRONMENT_H
#define PLUGIN_CNI_ENVIRONMENT_H

#include <stdbool.h>

#include "core/err.h"

enum cni_verb { CNI_ADD, CNI_CHECK, CNI_DEL, CNI_GC, CNI_STATUS, CNI_VERSION, CNI_VERBS };

/* As they stand in the environment; libcni sets an empty value where it has none,
 * so empty and missing (NULL) are the same. */
struct cni_environment {
	const char *command;
	const char *container;
	const char *netns;
	const char *ifname;
	const char *args;
	const char *path;
};

/* Whether there is a command at all: without one a person started us. */
bool cni_environment_asked(const struct cni_environment *environment);

/* Finds the verb and checks that the variables it needs are there and valid, in
 * the order and the words of libcni's skel. The error code is 4. */
int cni_environment_read(const struct cni_environment *environment,
    enum cni_verb *ret_verb, struct err *err);

#endif
