/* staticip-controller: options, wiring, signals; no decisions. */
#include <errno.h>
#include <ev.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/lead.h"
#include "controller/machines.h"
#include "controller/measures.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/num.h"
#include "net/election.h"
#include "table/key.h"

static const char help[] =
    "usage: staticip-controller [OPTION]...\n"
    "Watches StaticIPAllocation resources, decides who gets which address and\n"
    "writes the tables that the nodes mirror.\n"
    "\n"
    "  --kubeconfig=FILE         how to reach the API server; without it, as a pod\n"
    "  --context=NAME            context of the kubeconfig (current-context)\n"
    "  --tables-namespace=NAME   namespace of the table ConfigMaps (staticip-tables)\n"
    "  --buckets=N               number of tables: 1, 64 or 1024, fixed at\n"
    "                            installation (64)\n"
    "  --node-gone-seconds=N     how long the Node of a cloud's machine must be gone\n"
    "                            before its pods' addresses pass on (300)\n"
    "  --health-address=ADDR     where /livez, /readyz and /metrics are answered, for\n"
    "                            the machine itself: 127.0.0.1:PORT (0 = nowhere)\n"
    "  --metrics-address=ADDR    where /metrics alone is, for the network: :PORT (0)\n"
    "  --leader-elect=BOOL       true: of several controllers one works, by a Lease; false:\n"
    "                            this one works, and must be the only one (true)\n"
    "  --leader-elect-lease-duration=S, --leader-elect-renew-deadline=S,\n"
    "  --leader-elect-retry-period=S\n"
    "                            seconds: a leader that is silent for the first is no\n"
    "                            leader any more, it stops itself after the second,\n"
    "                            and tries every third (15, 10, 2)\n"
    "  --leader-elect-resource-name=NAME, --leader-elect-resource-namespace=NAME\n"
    "                            the Lease (staticip-controller, in the namespace of\n"
    "                            the tables)\n"
    "  --log-level=LEVEL         debug, info, warn or error (info)\n"
    "  --help, --version\n"
    "\n"
    "Ends with 0 on SIGTERM or SIGINT, 1 on a fault, 2 on a wrong option.\n"
    "See staticip-controller(8).\n";

struct options {
	const char *kubeconfig, *context;
	const char *health, *metrics; /* addresses, as given */
	struct health_addresses addresses;
	struct controller_options controller;
	bool elect;
	struct election_options election;
};

enum { DURATION_MAX_S = 3600 };

static int
parse_buckets(const char *text, struct options *options, struct err *err)
{
	uint64_t number;
	int rc = num_parse(text, strlen(text), TABLE_BUCKETS_MAX, "--buckets", &number, err);

	if (rc)
		return rc;
	if (!key_bucket_count_valid((unsigned)number))
		return err_set(err, EINVAL, "--buckets: %s is not 1, 64 or 1024", text);
	options->controller.buckets = (unsigned)number;
	return 0;
}

/* --leader-elect alone is true. */
static int
parse_bool(const char *text, bool *ret, struct err *err)
{
	if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(err, EINVAL, "--leader-elect: '%s' is not true or false", text);
	*ret = !text || strcmp(text, "true") == 0;
	return 0;
}

/* "15", or "15s" as other controllers write it. */
static int
parse_duration(const char *text, const char *what, unsigned *ret, struct err *err)
{
	size_t length = strlen(text);
	uint64_t number;

	if (length > 1 && text[length - 1] == 's')
		length--;
	int rc = num_parse(text, length, DURATION_MAX_S, what, &number, err);
	if (rc == 0)
		*ret = (unsigned)number;
	return rc;
}

static int
parse_election(int option, const char *value, struct options *options, struct err *err)
{
	struct election_options *election = &options->election;

	switch (option) {
	case 'e':
		return parse_bool(value, &options->elect, err);
	case 'd':
		return parse_duration(value, "--leader-elect-lease-duration", &election->lease_s, err);
	case 'r':
		return parse_duration(value, "--leader-elect-renew-deadline", &election->renew_s, err);
	case 'p':
		return parse_duration(value, "--leader-elect-retry-period", &election->retry_s, err);
	case 'n':
		election->name = value;
		return key_label_valid(value) ? 0
		    : err_set(err, EINVAL, "--leader-elect-resource-name: '%s' is no label", value);
	default:
		election->namespace = value;
		return key_label_valid(value) ? 0
		    : err_set(err, EINVAL, "--leader-elect-resource-namespace: '%s' is no namespace name", value);
	}
}

static int
parse_node_gone(const char *text, struct options *options, struct err *err)
{
	uint64_t number;
	int rc = num_parse(
	    text, strlen(text), NODE_GONE_SECONDS_MAX, "--node-gone-seconds", &number, err);

	if (!rc)
		options->controller.node_gone_s = (double)number;
	return rc;
}

static int
parse_option(int option, const char *value, struct options *options, struct err *err)
{
	switch (option) {
	case 'k':
		options->kubeconfig = value;
		return 0;
	case 'c':
		options->context = value;
		return 0;
	case 't':
		options->controller.tables_namespace = value;
		return key_label_valid(value) ? 0
		    : err_set(err, EINVAL, "--tables-namespace: '%s' is no namespace name", value);
	case 'b':
		return parse_buckets(value, options, err);
	case 'g':
		return parse_node_gone(value, options, err);
	case 'H':
		options->health = value;
		return 0;
	case 'M':
		options->metrics = value;
		return 0;
	case 'e':
	case 'd':
	case 'r':
	case 'p':
	case 'n':
	case 's':
		return parse_election(option, value, options, err);
	case 'l':
		if (log_level_parse(value) < 0)
			return err_set(err, EINVAL, "--log-level: '%s' is not debug, info, warn or error", value);
		log_level_set((enum log_level)log_level_parse(value));
		return 0;
	case 'h':
		(void)fputs(help, stdout);
		exit(0);
	case 'v':
		(void)puts("staticip-controller " STATICIP_VERSION);
		exit(0);
	default:
		return err_set(err, EINVAL, "unknown option or missing value (try --help)");
	}
}

static int
parse_options(int argc, char **argv, struct options *options, struct err *err)
{
	static const struct option known[] = {{"kubeconfig", required_argument, NULL, 'k'},
	    {"context", required_argument, NULL, 'c'},
	    {"tables-namespace", required_argument, NULL, 't'},
	    {"buckets", required_argument, NULL, 'b'},
	    {"node-gone-seconds", required_argument, NULL, 'g'},
	    {"health-address", required_argument, NULL, 'H'},
	    {"metrics-address", required_argument, NULL, 'M'},
	    {"leader-elect", optional_argument, NULL, 'e'},
	    {"leader-elect-lease-duration", required_argument, NULL, 'd'},
	    {"leader-elect-renew-deadline", required_argument, NULL, 'r'},
	    {"leader-elect-retry-period", required_argument, NULL, 'p'},
	    {"leader-elect-resource-name", required_argument, NULL, 'n'},
	    {"leader-elect-resource-namespace", required_argument, NULL, 's'},
	    {"log-level", required_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		int rc = parse_option(option, optarg, options, err);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return err_set(err, EINVAL, "'%s' is no option (try --help)", argv[optind]);
	int rc = serve_address_parse(
	    "health-address", options->health, &options->addresses.health, err);
	if (!rc)
		rc = serve_address_parse(
		    "metrics-address", options->metrics, &options->addresses.metrics, err);
	if (rc)
		return rc;
	if (!options->election.namespace)
		options->election.namespace = options->controller.tables_namespace;
	return election_check(&options->election, err);
}

static int
load_config(const struct options *options, struct kube_config *ret_config, struct err *err)
{
	if (options->kubeconfig)
		return kube_config_load(options->kubeconfig, options->context, ret_config, err);
	return kube_config_in_cluster(getenv("KUBERNETES_SERVICE_HOST"),
	    getenv("KUBERNETES_SERVICE_PORT"),
	    "/var/run/secrets/kubernetes.io/serviceaccount", ret_config, err);
}

static void
on_signal(struct ev_loop *loop, struct ev_signal *watcher, int events)
{
	(void)loop;
	(void)events;
	log_line(LOG_LEVEL_INFO, "ending on signal %d", watcher->signum);
	lead_end(watcher->data);
}

/* For the life of the loop: stopped, they would kill us in the middle of the end. */
static void
start_signals(struct ev_loop *loop, struct ev_signal signals[2], struct lead *lead)
{
	const int numbers[2] = {SIGTERM, SIGINT};

	for (int i = 0; i < 2; i++) {
		ev_signal_init(&signals[i], on_signal, numbers[i]);
		signals[i].data = lead;
		ev_signal_start(loop, &signals[i]);
	}
}

static int
run(const struct options *options, struct err *err)
{
	struct kube_config config = {0};
	struct ev_loop *loop = ev_default_loop(0);
	struct ev_signal signals[2];
	const struct lead_options lead_options = {.config = &config,
	    .controller = &options->controller,
	    .election = options->elect ? &options->election : NULL};

	if (!loop)
		return err_set(err, ENOSYS, "cannot start the event loop");
	int rc = load_config(options, &config, err);
	if (rc)
		return rc;
	log_line(LOG_LEVEL_INFO, "staticip-controller " STATICIP_VERSION " for %s, tables in %s, %u buckets",
	    config.server, options->controller.tables_namespace, options->controller.buckets);
	struct lead *lead = lead_new(loop, &lead_options, err);
	struct controller_health_spec health_spec = {.loop = loop,
	    .addresses = options->addresses, .controller = lead_controller(lead)};
	struct controller_health *health = controller_health_new(&health_spec, err);
	start_signals(loop, signals, lead);
	if (health)
		(void)ev_run(loop, 0);
	controller_health_free(health);
	lead_free(lead);
	kube_config_release(&config);
	ev_loop_destroy(loop);
	return -err->code;
}

int
main(int argc, char **argv)
{
	char host[256] = "staticip-controller";
	struct options options = {.health = "0", .metrics = "0",
	    .controller = {.tables_namespace = "staticip-tables", .buckets = 64,
	        .node_gone_s = NODE_GONE_SECONDS, .instance = host},
	    .elect = true,
	    .election = {.name = "staticip-controller",
	        .lease_s = 15, .renew_s = 10, .retry_s = 2}};
	struct err err = {0};

	(void)gethostname(host, sizeof(host) - 1);
	(void)signal(SIGPIPE, SIG_IGN);
	if (parse_options(argc, argv, &options, &err)) {
		(void)fprintf(stderr, "staticip-controller: %s\n", err.text);
		return 2;
	}
	scoped_free char *identity = election_identity(host);
	options.election.identity = identity;
	if (run(&options, &err)) {
		log_line(LOG_LEVEL_ERROR, "%s", err.text);
		return 1;
	}
	return 0;
}
