/* READ FIRST. What the agent does with one ConfigMap is sync_config_map, the first
 * function below: is it a table that may follow the one in force (verify.h), then it
 * becomes a file (publish.h), else that is said (report.h). The rest of the file is
 * when that happens: after a start, on a change, on a loss, and again after a fault.
 *
 * The files are the state. What is in force is read from them each time, so a killed
 * agent has nothing to remember (I9), and no older table follows a newer one over any
 * number of restarts (I3). */
#include "agent/sync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/publish.h"
#include "agent/report.h"
#include "agent/stage.h"
#include "agent/verify.h"
#include "core/log.h"
#include "core/mem.h"

/* Between two starts after a fault of the node (a full tmpfs, say). */
static const double retry_first_s = 1;
static const double retry_last_s = 30;

struct sync {
	struct sync_spec spec;
	struct publish publish;
	struct watch *watch; /* NULL = not running: nothing is applied */
	struct ev_timer retry;
	double retry_s;
	char *path;     /* of the ConfigMaps */
	char *selector; /* theirs */
	unsigned live_checks; /* checks that found table/live to be ours, up to 2 */
	bool seen[TABLE_BUCKETS_MAX]; /* its ConfigMap was there since the start */
	bool listing; /* what comes now is a list, to be put into force at once */
	bool ungranted[TABLE_BUCKETS_MAX]; /* a network in it requires no grants */
	bool told_live, told_grants; /* what was told last */
	uint64_t told_ahead;
	bool listed;  /* a list was complete once */
	uint64_t generations[TABLE_BUCKETS_MAX]; /* in force; 0 = none */
	uint64_t ahead[TABLE_BUCKETS_MAX]; /* in force, while its ConfigMap is older; else 0 */
	uint64_t refusals[VERIFY_RULES];
};

static const struct verified *read_in_force(const struct sync *sync, unsigned bucket,
    struct buf *file, struct verified *ret_table, struct err *err);
static enum sync_outcome refuse(struct sync *sync, const struct object_id *id,
    unsigned bucket, const struct err *why);
static enum sync_outcome fail(struct sync *sync, const char *what, const struct err *why);
static enum sync_outcome take(
    struct sync *sync, unsigned bucket, const struct verified *next);
static void tell_changed(struct sync *sync);

enum sync_outcome
sync_config_map(
    struct sync *sync, const struct object_id *id, struct json_object *config_map)
{
	const unsigned buckets = sync->spec.buckets;
	unsigned bucket = buckets; /* none */
	struct verified next;
	struct err err = {0};

	int step = verify_name(id->name, buckets, &bucket, &err);
	if (step < 0)
		return refuse(sync, id, bucket, &err);
	sync->seen[bucket] = true;

	step = verify_config_map(config_map, bucket, buckets, &next, &err);
	if (step < 0)
		return refuse(sync, id, bucket, &err);

	scoped_buf file = buf_make(TABLE_BYTES_MAX);
	struct verified table;
	const struct verified *in_force = read_in_force(sync, bucket, &file, &table, NULL);
	step = verify_successor(&next, in_force, &err);
	sync->ahead[bucket] = step < 0 ? in_force->header.generation : 0;
	if (step < 0)
		return refuse(sync, id, bucket, &err);

	report_good(sync->spec.report, bucket);
	tell_changed(sync);
	if (step == VERIFY_SAME)
		return SYNC_UNCHANGED;
	return take(sync, bucket, &next);
}

/* ---- its steps ----------------------------------------------------------------- */

/* NULL when there is no file, or none that may be served (then err says why). */
static const struct verified *
read_in_force(const struct sync *sync, unsigned bucket, struct buf *file,
    struct verified *ret_table, struct err *err)
{
	if (publish_read(&sync->publish, bucket, file, err) < 0)
		return NULL;
	if (verify_table(buf_string(file), file->length, bucket, sync->spec.buckets, ret_table,
	        err) < 0)
		return NULL;
	return ret_table;
}

bool
sync_grants_required(const struct sync *sync)
{
	const struct publish *publish = &sync->publish;

	if (publish->folder < 0 || !publish->live || publish->staged || publish->published < publish->buckets)
		return false;
	for (unsigned bucket = 0; bucket < publish->buckets; bucket++)
		if (sync->ungranted[bucket])
			return false;
	return true;
}

uint64_t
sync_tables_ahead(const struct sync *sync)
{
	uint64_t highest = 0;

	for (unsigned bucket = 0; bucket < sync->spec.buckets; bucket++)
		if (sync->ahead[bucket] > highest)
			highest = sync->ahead[bucket];
	return highest;
}

/* Not in the middle of a list: its end says what is in force then. */
static void
tell_changed(struct sync *sync)
{
	bool required = sync_grants_required(sync);
	bool live = sync->publish.live;
	uint64_t ahead = sync_tables_ahead(sync);

	if (sync->listing || (required == sync->told_grants && live == sync->told_live &&
	    ahead == sync->told_ahead))
		return;
	sync->told_ahead = ahead;
	sync->told_grants = required;
	sync->told_live = live;
	if (sync->spec.changed)
		sync->spec.changed(sync->spec.cookie);
}

/* After each bucket, since each may be the last one that was missing. */
static enum sync_outcome
go_live(struct sync *sync)
{
	struct err err = {0};
	int rc = publish_go_live(&sync->publish, &err);

	if (rc < 0)
		return fail(sync, "cannot put the tables into force", &err);
	if (rc > 0)
		log_line(LOG_LEVEL_INFO, "table/live is %u: all its buckets are published",
		    sync->spec.buckets);
	tell_changed(sync);
	return SYNC_PUBLISHED;
}

static enum sync_outcome
take(struct sync *sync, unsigned bucket, const struct verified *next)
{
	struct err err = {0};
	struct publish *publish = &sync->publish;

	if (sync->listing && publish_is_read(publish) && !publish->staged && stage_begin(publish, &err) < 0)
		return fail(sync, "cannot prepare the tables of a list, the last good ones stay", &err);
	if (publish_write(publish, bucket, next->text, next->length, &err) < 0)
		return fail(sync, "cannot publish a table, the last good one stays", &err);
	sync->ungranted[bucket] = !verify_grants_required(next);
	sync->generations[bucket] = next->header.generation;
	log_line(LOG_LEVEL_DEBUG, "bucket %u: published generation %" PRIu64 ", %" PRIu32
	    " rows, %zu bytes", bucket, next->header.generation, next->header.rows, next->length);
	return go_live(sync);
}

/* What a refusal means for the pods of this node. */
static void
print_in_force(const struct sync *sync, unsigned bucket, char *out, size_t size)
{
	scoped_buf file = buf_make(TABLE_BYTES_MAX);
	struct verified table;
	const char *node = sync->spec.node_name;

	if (bucket >= sync->spec.buckets)
		(void)snprintf(out, size, "node %s ignores it", node);
	else if (read_in_force(sync, bucket, &file, &table, NULL))
		(void)snprintf(out, size, "on node %s generation %" PRIu64
		    " of bucket %u stays in force until the controller has written the ConfigMap "
		    "anew (if it does not, its log says why)",
		    node, table.header.generation, bucket);
	else
		(void)snprintf(out, size, "node %s has no table of bucket %u: its pods wait (CNI "
		    "error 104) until the controller has written the ConfigMap anew (if it does "
		    "not, its log says why)",
		    node, bucket);
}

static enum sync_outcome
refuse(struct sync *sync, const struct object_id *id, unsigned bucket, const struct err *why)
{
	char in_force[512];

	if (why->code >= VERIFY_A1_NAME && why->code <= VERIFY_A8_EXISTS)
		sync->refusals[why->code - VERIFY_A1_NAME]++;
	print_in_force(sync, bucket, in_force, sizeof(in_force));
	scoped_free char *note = mem_format("table ConfigMap %s/%s is refused by rule %s; %s",
	    sync->spec.namespace, id->name, why->text, in_force);
	struct report_refusal refusal = {.bucket = bucket, .namespace = sync->spec.namespace,
	    .name = id->name, .uid = id->uid, .note = note};
	bool news = report_refused(sync->spec.report, &refusal);
	log_line(news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "%s", note);
	tell_changed(sync);
	return SYNC_REFUSED;
}

static void
stop(struct sync *sync)
{
	ev_timer_stop(sync->spec.loop, &sync->retry);
	if (sync->watch)
		watch_free(sync->watch);
	sync->watch = NULL;
	sync->listing = false;
	publish_close(&sync->publish);
	tell_changed(sync);
}

/* The node's own fault. Later tables must not overtake this one, or an address that
 * moved could stand in two of them (I1): so all stops, and starts again with a list,
 * which is in order. */
static enum sync_outcome
fail(struct sync *sync, const char *what, const struct err *why)
{
	log_line(LOG_LEVEL_ERROR, "%s: %s; nothing is published before listing again in %.0f s",
	    what, why->text, sync->retry_s);
	stop(sync);
	ev_timer_set(&sync->retry, sync->retry_s, 0.);
	ev_timer_start(sync->spec.loop, &sync->retry);
	sync->retry_s *= 2;
	if (sync->retry_s > retry_last_s)
		sync->retry_s = retry_last_s;
	return SYNC_FAILED;
}

/* ---- what is lost -------------------------------------------------------------- */

enum sync_outcome
sync_config_map_gone(struct sync *sync, const struct object_id *id)
{
	unsigned bucket;
	struct err err = {0};

	if (verify_name(id->name, sync->spec.buckets, &bucket, NULL) < 0)
		return SYNC_UNCHANGED; /* a stranger left */
	(void)verify_gone(&err);
	return refuse(sync, id, bucket, &err);
}

/* ConfigMaps that vanished while no agent was looking. */
static void
report_unseen(struct sync *sync)
{
	for (unsigned bucket = 0; bucket < sync->spec.buckets; bucket++) {
		if (sync->seen[bucket] || !sync->publish.has[bucket])
			continue;
		scoped_free char *name = mem_format("table-%u-%u", sync->spec.buckets, bucket);
		struct object_id id = {.name = name, .namespace = sync->spec.namespace};
		id.uid = id.version = "";
		(void)sync_config_map_gone(sync, &id);
	}
}

void
sync_listing(struct sync *sync)
{
	sync->listing = true;
}

void
sync_listed(struct sync *sync)
{
	struct err err = {0};

	sync->listing = false;
	sync->listed = true;
	if (sync->publish.staged)
		sync->live_checks = 0; /* the old picture goes when nobody reads it any more */
	if (stage_commit(&sync->publish, &err) < 0) {
		(void)fail(sync, "cannot put a list into force, the last good tables stay", &err);
		return;
	}
	tell_changed(sync);
	report_unseen(sync);
	struct sync_state state = sync_state(sync);
	unsigned buckets = sync->spec.buckets;
	sync->retry_s = retry_first_s;
	if (state.live)
		log_line(LOG_LEVEL_INFO, "synced: %u of %u buckets, %" PRIu64 " bytes",
		    state.published, buckets, state.bytes);
	else
		log_line(LOG_LEVEL_WARN, "synced: only %u of %u buckets, %" PRIu64 " bytes: "
		    "table/live waits for the controller to write the others (does it run, with "
		    "the same bucket count?)",
		    state.published, buckets, state.bytes);
}

struct sync_state
sync_state(const struct sync *sync)
{
	struct sync_state state = {
	    .published = sync->publish.published,
	    .bytes = publish_bytes(&sync->publish),
	    .live = sync->publish.live,
	    .listed = sync->listed,
	    .watch = sync->watch ? watch_stats(sync->watch) : NULL,
	};

	if (state.watch)
		state.last_contact = state.watch->last_contact;
	for (unsigned bucket = 0; bucket < sync->spec.buckets; bucket++) {
		uint64_t generation = sync->generations[bucket];
		state.generations += generation;
		state.newest = generation > state.newest ? generation : state.newest;
	}
	memcpy(state.refusals, sync->refusals, sizeof(state.refusals));
	return state;
}

/* ---- start, and start again ---------------------------------------------------- */

/* A file that is no table is taken away at once: a pod that waits until the API
 * server has sent the bucket again is better than one with an address that nobody
 * gave it (I1 before availability). */
static void
resume_bucket(struct sync *sync, unsigned bucket)
{
	scoped_buf file = buf_make(TABLE_BYTES_MAX);
	struct verified table;
	struct err err = {0};
	struct err remove_err = {0};

	if (read_in_force(sync, bucket, &file, &table, &err)) {
		publish_mark(&sync->publish, bucket);
		sync->ungranted[bucket] = !verify_grants_required(&table);
		sync->generations[bucket] = table.header.generation;
		return;
	}
	if (err.code == 0)
		return; /* not there */
	int rc = publish_remove(&sync->publish, bucket, &remove_err);
	log_line(LOG_LEVEL_ERROR, "the file table/%u/%u is damaged (%s); %s until the API server "
	    "has sent it again", sync->spec.buckets, bucket, err.text,
	    rc ? remove_err.text : "removed, its pods wait (CNI error 104)");
}

static void
watch_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	(void)sync_config_map(cookie, id, object); /* the outcome was logged */
}

static void
watch_gone(void *cookie, const struct object_id *id)
{
	(void)sync_config_map_gone(cookie, id); /* likewise */
}

static void
watch_listing(void *cookie)
{
	sync_listing(cookie);
}

static void
watch_synced(void *cookie)
{
	sync_listed(cookie);
}

static void
watch_fault(void *cookie, const struct err *err)
{
	struct sync *sync = cookie;

	log_line(LOG_LEVEL_WARN, "watching the tables: %s", err->text);
	if (err->code == ENOTRECOVERABLE)
		sync->spec.went_back(sync->spec.cookie, err);
}

static const struct watch_events events = {
    .changed = watch_changed,
    .gone = watch_gone,
    .listing = watch_listing,
    .synced = watch_synced,
    .fault = watch_fault,
};

int
sync_start(struct sync *sync, struct err *err)
{
	struct watch_spec spec = {.path = sync->path, .label_selector = sync->selector,
	    .events = &events, .cookie = sync};

	/* an address that moved must leave its old bucket first */
	spec.list_in_order = true;
	if (sync->watch || ev_is_active(&sync->retry))
		return 0;
	if (sync->spec.may_start && !sync->spec.may_start(sync->spec.cookie))
		return err_set(err, EAGAIN, "the leases of this node were lost and are not found "
		    "again yet");
	memset(sync->seen, 0, sizeof(sync->seen));
	memset(sync->generations, 0, sizeof(sync->generations));
	memset(sync->ahead, 0, sizeof(sync->ahead));
	sync->live_checks = 0;
	sync->listing = false;
	int rc = publish_open(sync->spec.root, sync->spec.buckets, &sync->publish, err);
	if (rc)
		return rc;
	for (unsigned bucket = 0; bucket < sync->spec.buckets; bucket++)
		resume_bucket(sync, bucket);
	/* on failure the retry is under way */
	if (go_live(sync) != SYNC_FAILED && sync->spec.kube)
		sync->watch = watch_new(sync->spec.loop, sync->spec.kube, &spec);
	return 0;
}

void
sync_keep_started(struct sync *sync)
{
	struct err err = {0};

	ev_timer_stop(sync->spec.loop, &sync->retry);
	if (sync_start(sync, &err) < 0)
		(void)fail(sync, "cannot take up the tables again", &err);
}

static void
start_again(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	sync_keep_started(timer->data);
}

void
sync_check(struct sync *sync)
{
	struct err err = {0};

	if (ev_is_active(&sync->retry))
		return;
	if (!publish_intact(&sync->publish, sync->spec.root)) {
		(void)err_set(&err, ENOENT, "somebody removed files below table/ that were in force");
		(void)fail(sync, "the tables are not whole", &err);
		return;
	}
	/* at the second look only: a reader may have read the old link just now */
	if (sync->live_checks < 2 && sync->publish.live && ++sync->live_checks == 2 &&
	    publish_remove_others(&sync->publish, &err) < 0)
		log_line(LOG_LEVEL_WARN, "tables of another bucket count stay until the next "
		    "start: %s", err.text);
}

struct sync *
sync_new(const struct sync_spec *spec)
{
	struct sync *sync = mem_new(1, sizeof(*sync));

	sync->spec = *spec;
	sync->publish.folder = sync->publish.tables = -1;
	sync->retry_s = retry_first_s;
	sync->path = mem_format("/api/v1/namespaces/%s/configmaps", spec->namespace);
	sync->selector = mem_format(VERIFY_LABEL "=%u", spec->buckets);
	ev_timer_init(&sync->retry, start_again, 0., 0.);
	sync->retry.data = sync;
	return sync;
}

void
sync_free(struct sync *sync)
{
	if (!sync)
		return;
	sync->spec.changed = NULL;
	stop(sync);
	mem_free(sync->path);
	mem_free(sync->selector);
	mem_free(sync);
}
