#include "controller/measures.h"

#include <assert.h>
#include <string.h>

#include "controller/holders_measures.h"
#include "controller/publish.h"
#include "controller/status.h"
#include "controller/tables_count.h"
#include "controller/world.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "net/watch_measures.h"

/* ---- allocations ------------------------------------------------------------ */

/* How many allocations have this condition with this status and reason. */
struct tally {
	unsigned type;
	const char *status, *reason;
	size_t count;
};

struct tallies {
	struct tally list[METRICS_REASONS_MAX];
	unsigned used;
	size_t others; /* of reasons that did not fit: whoever writes a status chooses them */
};

static void
tally_condition(struct tallies *tallies, unsigned type, const struct condition_seen *seen)
{
	for (unsigned i = 0; i < tallies->used; i++) {
		struct tally *tally = &tallies->list[i];
		if (tally->type == type && strcmp(tally->reason, seen->reason) == 0 &&
		    strcmp(tally->status, seen->status) == 0) {
			tally->count++;
			return;
		}
	}
	if (tallies->used == METRICS_REASONS_MAX) {
		tallies->others++;
		return;
	}
	tallies->list[tallies->used++] = (struct tally){
	    .type = type, .status = seen->status, .reason = seen->reason, .count = 1};
}

static void
tally_allocation(void *item, void *cookie)
{
	const struct declared *declared = item;

	for (unsigned type = 0; type < CONDITIONS; type++)
		tally_condition(cookie, type, &declared->conditions[type]);
}

static void
measure_allocations(const struct world *world, struct metrics *metrics)
{
	static const char *const types[CONDITIONS] = {[CONDITION_ACCEPTED] = "Accepted",
	    [CONDITION_PROGRAMMED] = "Programmed", [CONDITION_READY] = "Ready"};
	struct tallies tallies = {.used = 0};

	metrics_one(metrics, "staticip_allocations", METRIC_GAUGE,
	    "StaticIPAllocations that exist.", (double)world->declared.count);
	metrics_one(metrics, "staticip_pods", METRIC_GAUGE, "Pods that exist.",
	    (double)world->pods.count);
	tree_walk(&world->declared, tally_allocation, &tallies);
	metrics_family(metrics, "staticip_allocation_conditions", METRIC_GAUGE,
	    "StaticIPAllocations by condition, its status and its reason, as the API server has "
	    "them; empty: no status was written yet.");
	for (unsigned i = 0; i < tallies.used; i++) {
		const struct tally *tally = &tallies.list[i];
		metrics_value(metrics, (double)tally->count, "condition", types[tally->type],
		    "status", tally->status, "reason", tally->reason, NULL);
	}
	if (tallies.others)
		metrics_value(metrics, (double)tallies.others, "condition", "", "status", "",
		    "reason", "others", NULL);
}

/* ---- tables ----------------------------------------------------------------- */

static void
measure_tables(const struct tables *tables, struct metrics *metrics)
{
	struct tables_count count;

	tables_count(tables, &count);
	metrics_family(metrics, "staticip_rows", METRIC_GAUGE,
	    "Rows that the allocations want in the tables: published; pending (on their way); full "
	    "(their table has no room).");
	metrics_value(metrics, (double)count.rows[ROW_PUBLISHED], "state", "published", NULL);
	metrics_value(metrics, (double)count.rows[ROW_PENDING], "state", "pending", NULL);
	metrics_value(metrics, (double)count.rows[ROW_FULL], "state", "full", NULL);
	metrics_one(metrics, "staticip_tables", METRIC_GAUGE,
	    "Tables that are whole in the API server.", count.tables);
	metrics_one(metrics, "staticip_tables_bytes", METRIC_GAUGE,
	    "Size of all tables in the API server.", (double)count.bytes);
	metrics_one(metrics, "staticip_table_generations", METRIC_GAUGE,
	    "Generations of all tables, added; a node that has them all has the same number.",
	    (double)count.generations);
	metrics_one(metrics, "staticip_table_newest_generation", METRIC_GAUGE,
	    "Highest generation of a table.", (double)count.newest);
	metrics_family(metrics, "staticip_tables_unwritten", METRIC_GAUGE,
	    "Tables that may have to be written: changed; or with rows that wait until another table "
	    "has given their address up.");
	metrics_value(metrics, count.dirty, "why", "changed", NULL);
	metrics_value(metrics, count.waiting, "why", "address_elsewhere", NULL);
}

static void
measure_publisher(const struct publisher *publisher, struct metrics *metrics)
{
	struct publisher_stats stats = publisher_stats(publisher);

	metrics_family(metrics, "staticip_table_writes_total", METRIC_COUNTER,
	    "Writes of tables that ended, by result.");
	metrics_value(metrics, (double)stats.writes, "result", "written", NULL);
	metrics_value(metrics, (double)stats.conflicts, "result", "conflict", NULL);
	metrics_value(metrics, (double)stats.failures, "result", "failed", NULL);
	metrics_one(metrics, "staticip_table_calls", METRIC_GAUGE,
	    "Writes and reads of tables that are under way.", stats.calls);
	metrics_one(metrics, "staticip_tables_restored_total", METRIC_COUNTER,
	    "Tables that another hand had changed and that were put right.",
	    (double)stats.restored);
}

/* ---- what is to be done ----------------------------------------------------- */

static void
measure_queues(const struct controller_parts *parts, struct metrics *metrics)
{
	struct holders_queues holders = holders_queues(parts->holders);
	struct publisher_stats publisher = publisher_stats(parts->publisher);
	unsigned tables = publisher.calls;

	for (unsigned i = 0; i < tables_buckets(parts->tables); i++)
		tables += tables_dirty(parts->tables, i);
	metrics_family(metrics, "staticip_queue_depth", METRIC_GAUGE,
	    "What waits for the controller, by kind: allocations to be decided about or reported, pods "
	    "to be settled; tables, ledger blocks and StaticIPNodes with a call to be made, under way, "
	    "or to be made again after a failure.");
	metrics_value(metrics, (double)parts->world->work.count, "queue", "allocations", NULL);
	metrics_value(metrics, (double)holders.pods, "queue", "pods", NULL);
	metrics_value(metrics, tables, "queue", "tables", NULL);
	metrics_value(metrics, (double)holders.blocks, "queue", "blocks", NULL);
	metrics_value(metrics, (double)holders.nodes, "queue", "nodes", NULL);
}

void
controller_metrics(const struct controller *controller, struct metrics *metrics)
{
	struct controller_parts parts;

	metrics_one(metrics, "staticip_leader", METRIC_GAUGE,
	    "Whether this process is the controller that decides (1) or stands by (0).",
	    controller != NULL);
	if (!controller)
		return;
	controller_parts(controller, &parts);
	metrics_one(metrics, "staticip_synced", METRIC_GAUGE,
	    "Whether all lists were complete and the controller decides (1) or not yet (0).",
	    parts.decides);
	watch_measure(metrics, parts.watches, parts.watch_count);
	measure_allocations(parts.world, metrics);
	measure_tables(parts.tables, metrics);
	measure_publisher(parts.publisher, metrics);
	measure_queues(&parts, metrics);
	holders_metrics(parts.holders, metrics);
}

/* ---- health ----------------------------------------------------------------- */

struct controller_health {
	struct controller *const *controller;
	struct health *health;
	/* of the controller that progress is about */
	const struct controller *watched;
	struct watch_progress progress[CONTROLLER_WATCHES_MAX];
};

bool
controller_ready(const struct controller *controller, struct buf *ret_why)
{
	struct controller_parts parts;

	if (!controller)
		return true;
	controller_parts(controller, &parts);
	if (parts.decides)
		return true;
	(void)buf_text(ret_why, "not all lists are complete:");
	for (unsigned i = 0; i < parts.watch_count; i++)
		if (!parts.watches[i].stats->synced)
			(void)buf_print(ret_why, " %s", parts.watches[i].resource);
	return false;
}

static bool
check_ready(void *cookie, struct buf *ret_why)
{
	const struct controller_health *health = cookie;

	return controller_ready(*health->controller, ret_why);
}

static bool
check_watches(void *cookie, struct buf *ret_why)
{
	struct controller_health *health = cookie;
	struct controller_parts parts;
	bool good = true;

	if (health->watched != *health->controller)
		memset(health->progress, 0, sizeof(health->progress));
	health->watched = *health->controller;
	if (!health->watched)
		return true;
	controller_parts(health->watched, &parts);
	for (unsigned i = 0; i < parts.watch_count; i++) {
		if (watch_progress_look(
		        &health->progress[i], parts.watches[i].stats, clock_seconds()))
			continue;
		good = false;
		(void)buf_print(ret_why, "%s%s", ret_why->length ? ", " : "stuck: ",
		    parts.watches[i].resource);
	}
	return good;
}

static void
measure(void *cookie, struct metrics *metrics)
{
	const struct controller_health *health = cookie;

	controller_metrics(*health->controller, metrics);
}

struct controller_health *
controller_health_new(const struct controller_health_spec *spec, struct err *err)
{
	struct controller_health *own = mem_new(1, sizeof(*own));
	const struct health_check ready = {"lists", check_ready, own};
	struct health_check live[HEALTH_CHECKS_MAX] = {{"watches", check_watches, own}};
	struct health_spec health = {.loop = spec->loop, .addresses = spec->addresses,
	    .component = "controller", .live = live, .live_count = 1 + spec->live_count,
	    .ready = &ready, .ready_count = 1, .measure = measure, .cookie = own};

	assert(spec->live_count < HEALTH_CHECKS_MAX);
	if (spec->live_count)
		memcpy(&live[1], spec->live, spec->live_count * sizeof(*live));
	own->controller = spec->controller;
	own->health = health_new(&health, err);
	if (!own->health) {
		mem_free(own);
		return NULL;
	}
	log_line(LOG_LEVEL_INFO, "health on %s, metrics on %s", health_where(own->health),
	    health_metrics_where(own->health));
	return own;
}

void
controller_health_free(struct controller_health *health)
{
	if (!health)
		return;
	health_free(health->health);
	mem_free(health);
}
