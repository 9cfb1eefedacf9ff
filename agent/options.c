#include "agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "core/num.h"
#include "table/key.h"

static const struct option known[] = {
    {"kubeconfig", required_argument, NULL, 'k'},
    {"tables-namespace", required_argument, NULL, 't'},
    {"buckets", required_argument, NULL, 'b'},
    {"root", required_argument, NULL, 'r'},
    {"install-plugin", required_argument, NULL, 'i'},
    {"plugin-file", required_argument, NULL, 'p'},
    {"node-name", required_argument, NULL, 'n'},
    {"allow-disk", no_argument, NULL, 'd'},
    {"health-address", required_argument, NULL, 'H'},
    {"metrics-address", required_argument, NULL, 'M'},
    {"log-level", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {0},
};

void
options_help(FILE *out)
{
	(void)fputs(
	    "Usage: staticip-agent [OPTION]...\n"
	    "Keeps this node's copy of the address tables, as files that the CNI plugin reads.\n"
	    "\n"
	    "  --kubeconfig=FILE      how to reach the API server (default: as a pod does, by\n"
	    "                         KUBERNETES_SERVICE_HOST, _PORT and the service account)\n"
	    "  --tables-namespace=NS  namespace of the table ConfigMaps (staticip-tables)\n"
	    "  --buckets=K            1, 64 or 1024 tables, as the controller writes (64)\n"
	    "  --root=DIR             where the node's files are, on tmpfs (/run/staticip)\n"
	    "  --install-plugin=DIR   copy the plugin to DIR/staticip and keep it there (do not)\n"
	    "  --plugin-file=FILE     the plugin to copy (/usr/lib/staticip/staticip)\n"
	    "  --node-name=NAME       this node's name in events (the host's name)\n"
	    "  --allow-disk           take a root directory that is not tmpfs (refuse it)\n"
	    "  --health-address=ADDR  where /livez, /readyz and /metrics are answered, for the\n"
	    "                         machine itself: 127.0.0.1:PORT (0 = nowhere)\n"
	    "  --metrics-address=ADDR where /metrics alone is, for the network: :PORT (0)\n"
	    "  --log-level=LEVEL      debug, info, warn or error (info)\n"
	    "  --help                 this text\n"
	    "  --version              print the version\n"
	    "\n"
	    "SIGTERM and SIGINT end it; the files stay, so pods still start. See\n"
	    "staticip-agent(8).\n",
	    out);
}

static int
set_buckets(struct options *options, const char *value, struct err *err)
{
	uint64_t number = 0;

	if (num_parse(value, strlen(value), TABLE_BUCKETS_MAX, "--buckets", &number, NULL) < 0 ||
	    !key_bucket_count_valid((unsigned)number))
		return err_set(err, EINVAL,
		    "--buckets=%.40s: give 1, 64 or 1024, the same as the controller's", value);
	options->buckets = (unsigned)number;
	return 0;
}

static int
set_log_level(struct options *options, const char *value, struct err *err)
{
	int level = log_level_parse(value);

	if (level < 0)
		return err_set(
		    err, EINVAL, "--log-level=%.40s: give debug, info, warn or error", value);
	options->log_level = (enum log_level)level;
	return 0;
}

static int
set_tables_namespace(struct options *options, const char *value, struct err *err)
{
	if (!key_label_valid(value))
		return err_set(err, EINVAL, "--tables-namespace=%.80s is no namespace's name", value);
	options->tables_namespace = value;
	return 0;
}

static int
set_node_name(struct options *options, const char *value, struct err *err)
{
	if (!key_subdomain_valid(value))
		return err_set(err, EINVAL,
		    "--node-name=%.260s is no node's name (in a pod, take it from "
		    "spec.nodeName)",
		    value);
	(void)snprintf(options->node_name, sizeof(options->node_name), "%s", value);
	return 0;
}

/* A relative path would depend on where somebody started the agent. */
static int
set_path(const char **path, const char *option, const char *value, struct err *err)
{
	if (value[0] != '/')
		return err_set(
		    err, EINVAL, "--%s=%.200s: give a path that starts with '/'", option, value);
	*path = value;
	return 0;
}

static int
set_option(struct options *options, int option, char **argv, struct err *err)
{
	switch (option) {
	case 'k':
		options->kubeconfig = optarg;
		return 0;
	case 't':
		return set_tables_namespace(options, optarg, err);
	case 'b':
		return set_buckets(options, optarg, err);
	case 'r':
		return set_path(&options->root, "root", optarg, err);
	case 'i':
		return set_path(&options->install_plugin, "install-plugin", optarg, err);
	case 'p':
		return set_path(&options->plugin_file, "plugin-file", optarg, err);
	case 'n':
		return set_node_name(options, optarg, err);
	case 'd':
		options->allow_disk = true;
		return 0;
	case 'H':
		return serve_address_parse("health-address", optarg, &options->addresses.health, err);
	case 'M':
		return serve_address_parse("metrics-address", optarg, &options->addresses.metrics, err);
	case 'l':
		return set_log_level(options, optarg, err);
	default:
		return err_set(err, EINVAL,
		    "'%.80s' is no option, or its value is missing; --help lists them",
		    argv[optind - 1]);
	}
}

static int
default_node_name(struct options *options, struct err *err)
{
	if (options->node_name[0])
		return 0;
	if (gethostname(options->node_name, sizeof(options->node_name) - 1) < 0)
		return err_errno(err, errno, "cannot ask for the host's name; give --node-name");
	return 0;
}

int
options_parse(int argc, char **argv, struct options *ret_options, struct err *err)
{
	struct options options = {
	    .tables_namespace = "staticip-tables",
	    .buckets = 64,
	    .root = "/run/staticip",
	    .plugin_file = "/usr/lib/staticip/staticip",
	    .addresses = {.health = {.off = true}, .metrics = {.off = true}},
	    .log_level = LOG_LEVEL_INFO,
	};
	int option;
	int rc = 0;

	opterr = 0; /* the sentence is ours */
	optind = 0; /* start anew: tests parse more than once */
	while (!rc && (option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == 'h')
			return OPTIONS_HELP;
		if (option == 'v')
			return OPTIONS_VERSION;
		rc = set_option(&options, option, argv, err);
	}
	if (!rc && optind < argc)
		rc = err_set(err, EINVAL, "'%.80s' is no option; --help lists them", argv[optind]);
	if (!rc)
		rc = default_node_name(&options, err);
	if (rc)
		return rc;
	*ret_options = options;
	return OPTIONS_RUN;
}
