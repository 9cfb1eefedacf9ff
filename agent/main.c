/* staticip-agent: options, wiring, signals. What it does is in sync.c. */
#include <ev.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/host_view.h"
#include "agent/lock.h"
#include "agent/measures.h"
#include "agent/node.h"
#include "agent/options.h"
#include "agent/publish.h"
#include "agent/report.h"
#include "agent/sync.h"
#include "agent/upkeep.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/event.h"
#include "net/kube.h"

/* A DaemonSet's new pod may start while the old one still ends: its grace period is
 * 30 s by default. */
static const double lock_deadline_s = 60;

static const char service_account[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct agent {
	struct options options;
	struct ev_loop *loop;
	struct ev_signal terminate, interrupt;
	int root;
	struct lock lock;
	char boot_id[LOCK_BOOT_ID_MAX + 1];
	struct kube *kube;
	struct recorder *recorder;
	struct report *report;
	struct host_view view;
	struct sync *sync;
	struct node *node;
	struct upkeep *upkeep;
	struct measures *measures;
	struct err went_back; /* of the API server; code 0: it did not */
};

static void
on_signal(struct ev_loop *loop, struct ev_signal *signal, int revents)
{
	(void)revents;
	log_line(LOG_LEVEL_INFO, "ending on signal %d; the tables stay, pods still start",
	    signal->signum);
	ev_break(loop, EVBREAK_ALL);
}

static int
open_loop(struct agent *agent, struct err *err)
{
	agent->loop = ev_default_loop(0);
	if (!agent->loop)
		return err_set(err, ENOSYS, "the kernel offers no event mechanism (libev)");
	/* a peer that hangs up is an error code, not the end */
	(void)signal(SIGPIPE, SIG_IGN);
	ev_signal_init(&agent->terminate, on_signal, SIGTERM);
	ev_signal_init(&agent->interrupt, on_signal, SIGINT);
	ev_signal_start(agent->loop, &agent->terminate);
	ev_signal_start(agent->loop, &agent->interrupt);
	return 0;
}

/* The root directory, its lock, and on a disk nothing of an earlier boot. */
static int
take_root(struct agent *agent, struct err *err)
{
	const struct options *options = &agent->options;
	bool is_volatile = true;

	agent->root = publish_root(options->root, options->allow_disk, &is_volatile, err);
	if (agent->root < 0)
		return agent->root;
	int rc = lock_boot_id(agent->boot_id, err);
	if (!rc)
		rc = lock_wait(agent->loop, agent->root, lock_deadline_s, &agent->lock, err);
	if (rc || is_volatile || strcmp(agent->lock.last_boot_id, agent->boot_id) == 0)
		return rc;
	log_line(LOG_LEVEL_WARN, "root directory '%s' is on a disk: its tables are not of this "
	    "boot and are removed", options->root);
	return publish_wipe(agent->root, err);
}

static int
open_kube(struct agent *agent, struct err *err)
{
	struct kube_config config = {0};
	const char *file = agent->options.kubeconfig;
	int rc;

	if (file)
		rc = kube_config_load(file, NULL, &config, err);
	else
		rc = kube_config_in_cluster(getenv("KUBERNETES_SERVICE_HOST"),
		    getenv("KUBERNETES_SERVICE_PORT"), service_account, &config, err);
	if (rc)
		return err_wrap(err, "cannot tell how to reach the API server");
	log_line(LOG_LEVEL_INFO, "started: version %s on node %s, API server %s, %u buckets of "
	    "namespace %s, root %s", STATICIP_VERSION, agent->options.node_name, config.server,
	    agent->options.buckets, agent->options.tables_namespace, agent->options.root);
	agent->kube = kube_new(agent->loop, &config, "staticip-agent/" STATICIP_VERSION);
	return 0;
}

static void
on_event_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	log_line(LOG_LEVEL_WARN, "an event is lost: %s (may the agent create events.k8s.io events "
	    "in the tables' namespace?)", err->text);
}

static struct recorder *
new_recorder(const struct agent *agent)
{
	char instance[128 + 1]; /* the API's limit: a node's name may be longer */

	(void)snprintf(instance, sizeof(instance), "%.128s", agent->options.node_name);
	return recorder_new(agent->kube, "agent", instance, on_event_fault, NULL);
}

static bool
may_serve(void *cookie)
{
	struct agent *agent = cookie;

	return node_may_serve(agent->node);
}

static void
on_opened(void *cookie)
{
	struct agent *agent = cookie;

	sync_keep_started(agent->sync);
	sync_check(agent->sync); /* what was lost with the leases comes at once */
}

static void
on_tables_changed(void *cookie)
{
	struct agent *agent = cookie;

	if (agent->node)
		node_look(agent->node);
}

/* A restored etcd: what was seen of it is not true any more, so a new process asks anew. What
 * is in force on the node stays, and says itself how new it is (A6, N3). */
static void
on_went_back(void *cookie, const struct err *err)
{
	struct agent *agent = cookie;

	agent->went_back = *err;
	ev_break(agent->loop, EVBREAK_ALL);
}

static void
make_sync(struct agent *agent)
{
	const struct options *options = &agent->options;
	struct sync_spec spec = {.loop = agent->loop, .kube = agent->kube, .root = agent->root,
	    .buckets = options->buckets, .namespace = options->tables_namespace,
	    .node_name = options->node_name, .may_start = may_serve,
	    .changed = on_tables_changed, .went_back = on_went_back, .cookie = agent};

	agent->recorder = new_recorder(agent);
	agent->report = report_new(agent->recorder, options->buckets);
	spec.report = agent->report;
	agent->sync = sync_new(&spec);
}

/* The tables come when the node's leases are known to be there. */
static int
start_node(struct agent *agent, struct err *err)
{
	struct node_spec_of_agent spec = {.loop = agent->loop, .kube = agent->kube,
	    .recorder = agent->recorder, .root = agent->root, .path = agent->options.root,
	    .node_name = agent->options.node_name, .boot_id = agent->boot_id,
	    .view = &agent->view, .sync = agent->sync, .opened = on_opened, .went_back = on_went_back,
	    .cookie = agent};

	host_view_look(&agent->view);
	agent->node = node_new(&spec, err);
	if (!agent->node)
		return -err->code;
	return node_may_serve(agent->node) ? sync_start(agent->sync, err) : 0;
}

static void
start_upkeep(struct agent *agent)
{
	struct upkeep_spec spec = {.loop = agent->loop, .lock = &agent->lock,
	    .options = &agent->options, .boot_id = agent->boot_id, .sync = agent->sync};

	agent->upkeep = upkeep_new(&spec);
}

static int
start_measures(struct agent *agent, struct err *err)
{
	struct measures_spec spec = {.loop = agent->loop, .options = &agent->options,
	    .sync = agent->sync, .node = agent->node, .upkeep = agent->upkeep};

	agent->measures = measures_new(&spec, err);
	return agent->measures ? 0 : -err->code;
}

static int
run(struct agent *agent, struct err *err)
{
	int rc = open_loop(agent, err);

	if (!rc)
		rc = take_root(agent, err);
	if (!rc)
		rc = open_kube(agent, err);
	if (rc)
		return rc;
	make_sync(agent);
	rc = start_node(agent, err);
	if (rc)
		return rc;
	start_upkeep(agent);
	rc = start_measures(agent, err);
	if (rc)
		return rc;
	if (!upkeep_lock_lost(agent->upkeep))
		ev_run(agent->loop, 0);
	if (agent->went_back.code) {
		*err = agent->went_back;
		return err_wrap(err, "starting anew with what the API server has now");
	}
	return upkeep_lock_lost(agent->upkeep) ? err_set(err, ENOLCK, "the lock was lost") : 0;
}

/* Half-built is fine. */
static void
release(struct agent *agent)
{
	measures_free(agent->measures);
	upkeep_free(agent->upkeep);
	node_free(agent->node);
	sync_free(agent->sync);
	if (agent->kube)
		kube_free(agent->kube);
	/* behind the client, whose calls name it */
	report_free(agent->report);
	recorder_free(agent->recorder);
	lock_release(&agent->lock);
	mem_cleanup_fd(&agent->root);
}

int
main(int argc, char **argv)
{
	struct agent agent = {.root = -1, .lock = {.fd = -1}};
	struct err err = {0};
	int wish = options_parse(argc, argv, &agent.options, &err);

	if (wish < 0) {
		(void)fprintf(stderr, "staticip-agent: %s\n", err.text);
		return 2;
	}
	if (wish == OPTIONS_HELP)
		options_help(stdout);
	if (wish == OPTIONS_VERSION)
		(void)printf("staticip-agent %s\n", STATICIP_VERSION);
	if (wish != OPTIONS_RUN)
		return fflush(stdout) == 0 ? 0 : 1;
	log_level_set(agent.options.log_level);
	int rc = run(&agent, &err);
	if (rc && rc != -ECANCELED)
		log_line(LOG_LEVEL_ERROR, "ending: %s", err.text);
	release(&agent);
	return rc && rc != -ECANCELED ? 1 : 0;
}
