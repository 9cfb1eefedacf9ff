#include "controller/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/arbiter.h"
#include "controller/holders.h"
#include "controller/holders_measures.h"
#include "controller/incumbents.h"
#include "controller/machines.h"
#include "controller/publish.h"
#include "controller/report.h"
#include "controller/status.h"
#include "controller/tables.h"
#include "controller/world.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "net/watch.h"
#include "table/key.h"

enum { WATCHES = 4 };

struct controller {
	struct ev_loop *loop;
	struct err *fatal;
	/* what is: as the watches saw it */
	struct world *world;
	struct machines *machines;
	struct watch *watches[WATCHES];
	/* what follows: who has which address, and the rows */
	struct arbiter *arbiter;
	struct tables *tables;
	bool incumbents_known;
	struct err went_back; /* the API server did, so nothing is decided any more; code 0: no */
	/* who holds what, and what each node is told */
	struct holders *holders;
	/* what is done about it */
	struct recorder *recorder;
	struct publisher *publisher;
	struct reporter *reporter;
	/* runs reconcile() once after whatever the loop delivered */
	struct ev_prepare prepare;
	struct ev_timer again; /* for what could not be done at once */
	char now[32];          /* RFC 3339 */
};

static bool
picture_complete(const struct controller *controller)
{
	for (int i = 0; i < WATCHES; i++)
		if (!watch_stats(controller->watches[i])->synced)
			return false;
	return publisher_synced(controller->publisher) && holders_synced(controller->holders);
}

/* The published rows come first of all: who has an address keeps it (rule R3),
 * and a restart changes no row. */
static bool
learn_incumbents(struct controller *controller)
{
	if (controller->incumbents_known)
		return true;
	if (publisher_check(controller->publisher, controller->fatal)) {
		ev_break(controller->loop, EVBREAK_ALL);
		return false;
	}
	size_t rows = incumbents_restore(
	    controller->tables, controller->world, controller->arbiter);
	log_line(LOG_LEVEL_INFO, "synced: %zu allocations, %zu pods, %zu published rows",
	    controller->world->declared.count, controller->world->pods.count, rows);
	controller->incumbents_known = true;
	return true;
}

static void
forget_deleted(struct controller *controller)
{
	char *uid;

	while ((uid = world_next_gone(controller->world))) {
		arbiter_remove(controller->arbiter, uid);
		mem_free(uid);
	}
}

/* ---- allocation → what it wants ----------------------------------------- */

static void
want_row(const struct declared *declared, unsigned index, struct wanted *row)
{
	const struct allocation *spec = declared->spec;
	const struct entry *entry = &spec->entries[index];
	scoped_free char *pod = world_pod_name(declared, index);

	row->key = mem_format("%s/%s/%s%s%s", spec->network, declared->namespace, pod,
	    spec->interface ? "/" : "", spec->interface ? spec->interface : "");
	row->entry = *entry;
	row->entry.ips = mem_new(entry->ip_count, sizeof(*entry->ips));
	memcpy(row->entry.ips, entry->ips, entry->ip_count * sizeof(*entry->ips));
	row->entry.gateways = mem_new(entry->gateway_count, sizeof(*entry->gateways));
	if (entry->gateway_count)
		memcpy(row->entry.gateways, entry->gateways,
		    entry->gateway_count * sizeof(*entry->gateways));
}

static struct holding *
what_it_wants(const struct declared *declared)
{
	const struct allocation *spec = declared->spec;
	struct holding *holding = mem_new(1, sizeof(*holding));

	holding->uid = mem_text(declared->uid);
	holding->name = mem_text(declared->path);
	holding->created = mem_text(declared->created);
	holding->network = mem_text(spec->network);
	holding->domain = mem_format("network/%s", spec->network);
	memcpy(holding->gateways, spec->gateways, sizeof(holding->gateways));
	holding->gateway_count = spec->gateway_count;
	holding->routes = mem_new(1, sizeof(*holding->routes));
	*holding->routes = *spec->routes;
	holding->available = spec->available;
	holding->rows = mem_new(spec->entry_count, sizeof(*holding->rows));
	holding->row_count = spec->entry_count;
	for (unsigned i = 0; i < spec->entry_count; i++)
		want_row(declared, i, &holding->rows[i]);
	return holding;
}

/* One allocation whose spec or target changed. A spec that is not valid changes
 * nothing: the rows of the last valid one stay. */
static void
arbitrate(struct controller *controller, struct declared *declared)
{
	declared->restored = false; /* an old story */
	if (declared->spec)
		arbiter_put(controller->arbiter, what_it_wants(declared));
	world_arbitrated(controller->world, declared);
}

/* Its status says that its rows are in the tables: where a table is lost, that is
 * what is left of the incumbents. */
static bool
was_programmed(const struct declared *declared)
{
	return strcmp(declared->conditions[CONDITION_PROGRAMMED].status, "True") == 0;
}

static void
arbitrate_marked(struct controller *controller)
{
	size_t count = controller->world->work.count;
	scoped_free void **work = tree_items(&controller->world->work);

	for (int programmed = 1; programmed >= 0; programmed--)
		for (size_t i = 0; i < count; i++) {
			struct declared *declared = work[i];
			if (declared->arbitrate && was_programmed(declared) == programmed)
				arbitrate(controller, declared);
		}
}

static const char *
what_waits(const struct controller *controller, const char *namespace, const char *key)
{
	scoped_free char *path = key_pod_path(key);
	const struct pod *pod = world_find_pod(controller->world, namespace, strchr(path, '/') + 1);

	return pod ? holders_waits(controller->holders, pod->uid) : NULL;
}

/* Who holds the addresses of each of its rows, and whose pods wait; the caller frees the array. */
static struct held_summary *
who_holds(const struct controller *controller, const char *namespace,
    const struct holding *holding)
{
	struct held_summary *held =
	    holding ? mem_new(holding->row_count, sizeof(*held)) : NULL;

	for (unsigned i = 0; holding && i < holding->row_count; i++) {
		const struct entry *entry = &holding->rows[i].entry;
		for (unsigned k = 0; k < entry->ip_count && !held[i].uid; k++)
			(void)holders_find(controller->holders, holding->domain,
			    &entry->ips[k].ip, &held[i]);
		held[i].waits = what_waits(controller, namespace, holding->rows[i].key);
	}
	return held;
}

static void
report_one(struct controller *controller, struct declared *declared)
{
	const struct holding *holding = arbiter_find(controller->arbiter, declared->uid);
	scoped_free struct held_summary *held = who_holds(controller, declared->namespace, holding);

	if (reporter_tell(controller->reporter, declared, holding, controller->tables, held))
		world_reported(controller->world, declared);
}

static void
report_marked(struct controller *controller)
{
	size_t count = controller->world->work.count;
	scoped_free void **work = tree_items(&controller->world->work);

	for (size_t i = 0; i < count && !reporter_busy(controller->reporter); i++)
		report_one(controller, work[i]);
}

static const char *
now_text(struct controller *controller)
{
	time_t seconds = time(NULL);
	struct tm broken;

	(void)strftime(controller->now, sizeof(controller->now), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&seconds, &broken));
	return controller->now;
}

/* ---- the story ---------------------------------------------------------- */

static void
reconcile(struct controller *controller)
{
	/* Nothing is decided on half a picture, or on one of another time. */
	if (controller->went_back.code || !picture_complete(controller) || !learn_incumbents(controller))
		return;

	/* What is free again is given on before anybody asks for more. */
	forget_deleted(controller);

	/* Oldest first: who gets which address. world.c has decoded (allocation.c)
	 * and validated (validate.c) the objects as they came; the arbiter
	 * (arbiter.c) decides between them, and its decisions are rows wanted in
	 * the tables (tables.c). */
	arbitrate_marked(controller);

	/* Tables whose bytes differ are written, removals before additions. */
	publisher_run(controller->publisher);

	/* Each pod: its claim in the ledger, its grant on its node, and when its
	 * addresses are free again (holders.c). */
	machines_stamp(controller->machines, clock_seconds(), now_text(controller));
	holders_run(controller->holders);

	/* What became of it: status, conditions, events, where they differ. */
	report_marked(controller);
}

/* ---- wiring ------------------------------------------------------------- */

static void
on_prepare(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
	struct controller *controller = prepare->data;

	(void)loop;
	(void)events;
	reconcile(controller);
}

/* The loop turns at least this often, for work that waits for a time. */
static void
on_again(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)timer;
	(void)events;
}

static void
on_wake(void *cookie)
{
	(void)cookie; /* the loop turned: reconcile() follows */
}

static void
on_granted(void *cookie, const struct holding *holding, const struct wanted *row)
{
	struct controller *controller = cookie;

	tables_set(controller->tables, holding, row);
	holders_row_given(controller->holders, row->key, holding->uid);
}

static void
on_withdrawn(void *cookie, const char *key)
{
	struct controller *controller = cookie;

	tables_drop(controller->tables, key);
	holders_row_taken(controller->holders, key);
}

static void
on_holding_changed(void *cookie, const struct holding *holding)
{
	struct controller *controller = cookie;
	struct declared *declared = world_find(controller->world, holding->uid);

	if (declared)
		world_want_report(controller->world, declared);
}

static void
on_row_moved(void *cookie, const char *allocation)
{
	struct controller *controller = cookie;
	struct declared *declared = world_find_named(controller->world, allocation);

	if (declared)
		world_want_report(controller->world, declared);
}

static void
mark_restored(void *cookie, const char *key, const struct row *row,
    const struct profile *profile)
{
	struct controller *controller = cookie;
	struct declared *declared = world_find(controller->world, profile->uid);

	(void)key;
	(void)row;
	if (!declared)
		return;
	declared->restored = true;
	world_want_report(controller->world, declared);
}

static void
on_restored(void *cookie, unsigned bucket)
{
	struct controller *controller = cookie;

	tables_each_published(controller->tables, bucket, mark_restored, controller);
}

/* ---- pods and nodes: for the world, and for who holds what ----------------- */

static void
on_pod(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct controller *controller = cookie;
	scoped_free char *pod = mem_format("%s/%s", id->namespace, id->name);

	world_pod_changed(controller->world, id, object);
	holders_pod_touched(controller->holders, pod,
	    world_find_pod(controller->world, id->namespace, id->name)->uid);
}

static void
on_pod_gone(void *cookie, const struct object_id *id)
{
	struct controller *controller = cookie;
	const struct pod *gone = world_find_pod(controller->world, id->namespace, id->name);
	scoped_free char *pod = mem_format("%s/%s", id->namespace, id->name);
	scoped_free char *uid = mem_text(gone ? gone->uid : id->uid);

	world_pod_gone(controller->world, id);
	holders_pod_touched(controller->holders, pod, uid);
}

static void
on_node(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct controller *controller = cookie;

	machines_changed(controller->machines, id, object);
	holders_node_touched(controller->holders, id->name);
}

static void
on_node_gone(void *cookie, const struct object_id *id)
{
	struct controller *controller = cookie;

	machines_gone(controller->machines, id);
	holders_node_touched(controller->holders, id->name);
}

static void
on_watch_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	log_line(LOG_LEVEL_WARN, "watch: %s", err->text);
}

static void
on_doubted(void *cookie)
{
	struct controller *controller = cookie;

	*controller->fatal = controller->went_back;
	ev_break(controller->loop, EVBREAK_ALL);
}

/* An API server that went back in time (a restored etcd): nothing that is known here is
 * sure to be true any more, so a new process asks anew (I9). */
static void
on_went_back(void *cookie, const struct err *err)
{
	struct controller *controller = cookie;

	if (controller->went_back.code)
		return;
	controller->went_back = *err;
	holders_doubt(controller->holders, on_doubted, controller);
}

static void
on_pod_fault(void *cookie, const struct err *err)
{
	on_watch_fault(cookie, err);
	if (err->code == ENOTRECOVERABLE)
		on_went_back(cookie, err);
}

static void
on_tables_ahead(void *cookie, uint64_t generation)
{
	struct controller *controller = cookie;

	tables_outrun(controller->tables, generation);
}

static void
on_event_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	log_line(LOG_LEVEL_WARN, "event not written: %s", err->text);
}

static void
on_watch_synced(void *cookie)
{
	(void)cookie;
}

static const struct arbiter_events arbiter_events = {.granted = on_granted,
    .withdrawn = on_withdrawn, .changed = on_holding_changed};
static const struct tables_events tables_events = {.moved = on_row_moved};
static const struct publisher_events publisher_events = {
    .wake = on_wake, .restored = on_restored, .went_back = on_went_back};

static const struct watch_events allocation_events = {.changed = world_allocation_changed,
    .gone = world_allocation_gone, .synced = on_watch_synced, .fault = on_watch_fault};
static const struct watch_events stateful_set_events = {
    .changed = world_stateful_set_changed, .gone = world_stateful_set_gone,
    .synced = on_watch_synced, .fault = on_watch_fault};
static const struct watch_events pod_events = {.changed = on_pod, .gone = on_pod_gone,
    .synced = on_watch_synced, .fault = on_pod_fault};
static const struct watch_events node_events = {.changed = on_node, .gone = on_node_gone,
    .synced = on_watch_synced, .fault = on_pod_fault};
static const struct holders_events holders_events = {.wake = on_wake, .moved = on_row_moved,
    .tables_ahead = on_tables_ahead, .went_back = on_went_back};

static struct holders *
start_holders(struct controller *c, struct kube *kube, const struct controller_options *options)
{
	const struct holders_spec spec = {.loop = c->loop, .kube = kube, .recorder = c->recorder,
	    .tables_namespace = options->tables_namespace, .world = c->world,
	    .arbiter = c->arbiter, .tables = c->tables, .machines = c->machines,
	    .events = &holders_events, .cookie = c};

	return holders_new(&spec);
}

static void
start_watches(struct controller *controller, struct kube *kube)
{
	const struct watch_spec specs[WATCHES] = {
	    {.path = "/apis/staticip.dev/v1alpha1/staticipallocations",
	        .events = &allocation_events, .cookie = controller->world},
	    {.path = "/apis/apps/v1/statefulsets", .events = &stateful_set_events,
	        .cookie = controller->world},
	    {.path = "/api/v1/pods", .events = &pod_events, .cookie = controller},
	    {.path = "/api/v1/nodes", .events = &node_events, .cookie = controller},
	};

	for (int i = 0; i < WATCHES; i++)
		controller->watches[i] = watch_new(controller->loop, kube, &specs[i]);
}

struct controller *
controller_new(struct ev_loop *loop, struct kube *kube,
    const struct controller_options *options, struct err *ret_fatal)
{
	struct controller *c = mem_new(1, sizeof(*c));

	*c = (struct controller){.loop = loop, .fatal = ret_fatal};
	c->world = world_new();
	c->arbiter = arbiter_new(&arbiter_events, c);
	c->tables = tables_new(options->buckets, &tables_events, c);
	c->recorder = recorder_new(kube, "controller", options->instance, on_event_fault, NULL);
	c->publisher = publisher_new(loop, kube, c->tables, c->recorder,
	    options->tables_namespace, &publisher_events, c);
	c->reporter = reporter_new(kube, c->recorder, c->world, on_wake, c);
	c->machines = machines_new(options->node_gone_s);
	c->holders = start_holders(c, kube, options);
	start_watches(c, kube);
	ev_prepare_init(&c->prepare, on_prepare);
	c->prepare.data = c;
	ev_prepare_start(loop, &c->prepare);
	ev_timer_init(&c->again, on_again, 0.5, 0.5);
	ev_timer_start(loop, &c->again);
	return c;
}

void
controller_free(struct controller *controller)
{
	if (!controller)
		return;
	ev_prepare_stop(controller->loop, &controller->prepare);
	ev_timer_stop(controller->loop, &controller->again);
	for (int i = 0; i < WATCHES; i++)
		watch_free(controller->watches[i]);
	holders_free(controller->holders);
	machines_free(controller->machines);
	reporter_free(controller->reporter);
	publisher_free(controller->publisher);
	recorder_free(controller->recorder);
	tables_free(controller->tables);
	arbiter_free(controller->arbiter);
	world_free(controller->world);
	mem_free(controller);
}

void
controller_parts(const struct controller *controller, struct controller_parts *ret_parts)
{
	static const char *const resources[WATCHES] = {
	    "staticipallocations", "statefulsets", "pods", "nodes"};
	struct controller_parts parts = {.world = controller->world,
	    .tables = controller->tables, .publisher = controller->publisher,
	    .holders = controller->holders, .watch_count = WATCHES + 1 + HOLDERS_WATCHES,
	    .decides = controller->incumbents_known};

	for (int i = 0; i < WATCHES; i++)
		parts.watches[i] = (struct measured_watch){
		    resources[i], watch_stats(controller->watches[i])};
	parts.watches[WATCHES] = (struct measured_watch){
	    "configmaps", publisher_stats(controller->publisher).watch};
	holders_watches(controller->holders, &parts.watches[WATCHES + 1]);
	*ret_parts = parts;
}
