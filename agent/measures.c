#include "agent/measures.h"

#include <stdio.h>

#include "agent/node.h"
#include "agent/options.h"
#include "agent/sync.h"
#include "agent/upkeep.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "net/health.h"
#include "net/watch_measures.h"

struct measures {
	struct measures_spec spec;
	struct health *health;
	struct watch_progress tables_progress, node_progress;
};

/* ---- health ----------------------------------------------------------------- */

/* Pods start with the tables in force, be the API server there or not. */
static bool
check_tables(void *cookie, struct buf *ret_why)
{
	const struct measures *measures = cookie;
	struct sync_state state = sync_state(measures->spec.sync);

	if (!state.live)
		(void)buf_print(ret_why, "%u of %u tables are on the node, and the others are "
		    "waited for", state.published, measures->spec.options->buckets);
	return state.live;
}

static bool
check_lists(void *cookie, struct buf *ret_why)
{
	const struct measures *measures = cookie;

	if (!sync_state(measures->spec.sync).listed)
		(void)buf_text(ret_why, "the list of tables is not complete");
	else if (!node_state(measures->spec.node).listed)
		(void)buf_text(ret_why, "this node's StaticIPNode was not asked for");
	return ret_why->length == 0;
}

static bool
check_plugin(void *cookie, struct buf *ret_why)
{
	const struct measures *measures = cookie;
	const char *folder = measures->spec.options->install_plugin;

	if (!folder || upkeep_installed(measures->spec.upkeep))
		return true;
	(void)buf_print(ret_why, "it could not be installed in %s; the log says why", folder);
	return false;
}

static bool
check_watches(void *cookie, struct buf *ret_why)
{
	struct measures *measures = cookie;
	const struct watch_stats *tables = sync_state(measures->spec.sync).watch;
	double now = clock_seconds();

	/* stopped for a fault of the node, with a timer to start again */
	if (!tables)
		measures->tables_progress = (struct watch_progress){.since = 0};
	else if (!watch_progress_look(&measures->tables_progress, tables, now))
		(void)buf_text(ret_why, "that of the tables is stuck");
	if (!watch_progress_look(
	        &measures->node_progress, node_state(measures->spec.node).watch, now))
		(void)buf_text(ret_why, "that of the StaticIPNode is stuck");
	return ret_why->length == 0;
}

/* ---- measurements ----------------------------------------------------------- */

static void
measure_rules(struct metrics *metrics, char letter, const uint64_t *refusals, unsigned rules)
{
	for (unsigned i = 0; i < rules; i++) {
		char rule[16];
		(void)snprintf(rule, sizeof(rule), "%c%u", letter, i + 1);
		metrics_value(metrics, (double)refusals[i], "rule", rule, NULL);
	}
}

static void
measure_tables(const struct sync_state *state, unsigned buckets, struct metrics *metrics)
{
	metrics_one(metrics, "staticip_tables_wanted", METRIC_GAUGE,
	    "How many tables there are to be: the option --buckets.", buckets);
	metrics_one(metrics, "staticip_tables", METRIC_GAUGE,
	    "Tables that are published on this node.", state->published);
	metrics_one(metrics, "staticip_tables_live", METRIC_GAUGE,
	    "Whether all tables were published and pods are answered from them (1) or not yet (0).",
	    state->live);
	metrics_one(metrics, "staticip_tables_bytes", METRIC_GAUGE,
	    "Size of the published tables.", (double)state->bytes);
	metrics_one(metrics, "staticip_table_generations", METRIC_GAUGE,
	    "Generations of all tables, added; the controller has the same number when the node has "
	    "all that it wrote.",
	    (double)state->generations);
	metrics_one(metrics, "staticip_table_newest_generation", METRIC_GAUGE,
	    "Highest generation of a table.", (double)state->newest);
	metrics_family(metrics, "staticip_table_refusals_total", METRIC_COUNTER,
	    "Tables that were refused, by rule (agent/DESIGN.md); the last good ones stayed.");
	measure_rules(metrics, 'A', state->refusals, VERIFY_RULES);
}

static void
measure_node(const struct node_state *state, struct metrics *metrics)
{
	metrics_family(metrics, "staticip_node_refusals_total", METRIC_COUNTER,
	    "Specs of this node's StaticIPNode that were refused, by rule; the grants in force "
	    "stayed.");
	measure_rules(metrics, 'N', state->refusals, NODE_RULES);
	metrics_family(metrics, "staticip_node_answers_total", METRIC_COUNTER,
	    "Answers to the controller, by result.");
	metrics_value(metrics, (double)state->answers, "result", "taken", NULL);
	metrics_value(metrics, (double)state->failures, "result", "failed", NULL);
	metrics_one(metrics, "staticip_node_answer_serial", METRIC_GAUGE,
	    "Serial of the StaticIPNode that was answered last; 0 is none.",
	    (double)state->serial);
	metrics_one(metrics, "staticip_leases", METRIC_GAUGE,
	    "Leases on this node, one for each attachment of a pod, when they were last looked at.",
	    (double)state->leases);
	metrics_one(metrics, "staticip_leases_revoked_pods", METRIC_GAUGE,
	    "Pods that may have no address any more and had a lease then.", state->busy);
}

static void
measure(void *cookie, struct metrics *metrics)
{
	const struct measures *measures = cookie;
	const struct options *options = measures->spec.options;
	struct sync_state tables = sync_state(measures->spec.sync);
	struct node_state node = node_state(measures->spec.node);
	const struct measured_watch watches[] = {
	    {"configmaps", tables.watch}, {"staticipnodes", node.watch}};

	watch_measure(metrics, watches, 2);
	measure_tables(&tables, options->buckets, metrics);
	measure_node(&node, metrics);
	if (options->install_plugin)
		metrics_one(metrics, "staticip_plugin_installed", METRIC_GAUGE,
		    "Whether the plugin was right on the node at the last look (1) or not (0).",
		    upkeep_installed(measures->spec.upkeep));
}

/* ---- start and end ---------------------------------------------------------- */

struct measures *
measures_new(const struct measures_spec *spec, struct err *err)
{
	struct measures *measures = mem_new(1, sizeof(*measures));
	const struct health_check live = {"watches", check_watches, measures};
	const struct health_check ready[] = {{"tables", check_tables, measures},
	    {"lists", check_lists, measures}, {"plugin", check_plugin, measures}};
	struct health_spec health = {.loop = spec->loop, .addresses = spec->options->addresses,
	    .component = "agent", .live = &live, .live_count = 1, .ready = ready,
	    .ready_count = 3, .measure = measure, .cookie = measures};

	measures->spec = *spec;
	measures->health = health_new(&health, err);
	if (!measures->health) {
		mem_free(measures);
		return NULL;
	}
	log_line(LOG_LEVEL_INFO, "health on %s, metrics on %s", health_where(measures->health),
	    health_metrics_where(measures->health));
	return measures;
}

void
measures_free(struct measures *measures)
{
	if (!measures)
		return;
	health_free(measures->health);
	mem_free(measures);
}
