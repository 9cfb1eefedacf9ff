/* The command line. */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "core/err.h"
#include "core/log.h"
#include "net/health.h"

struct options {
	const char *kubeconfig; /* NULL = as a pod */
	const char *tables_namespace;
	unsigned buckets;
	const char *root;
	const char *install_plugin; /* directory; NULL = do not install */
	const char *plugin_file;
	char node_name[SUBDOMAIN_MAX + 1];
	bool allow_disk;
	struct health_addresses addresses; /* off */
	enum log_level log_level;
};

enum options_wish { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* Texts point into argv. Returns an enum options_wish (*ret_options is written for
 * OPTIONS_RUN only), or -EINVAL with the option, its value and what it may be. */
int options_parse(int argc, char **argv, struct options *ret_options, struct err *err);

/* Each option with its default, one line each. */
void options_help(FILE *out);

#endif
