#include "controller/publish.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/num.h"
#include "table/json.h"
#include "table/table.h"

enum { WRITES_AT_ONCE = 8, WRITE_TIMEOUT_S = 15 };
/* After a write that failed for a reason that a second look does not mend. */
static const double retry_first_s = 2.0;
static const double retry_last_s = 30.0;

struct slot {
	struct publisher *publisher;
	unsigned number;
	char *version; /* resourceVersion last seen; NULL = no ConfigMap */
	char *uid;
	char *sent_for;         /* version that the last write was for; NULL = a POST */
	struct kube_call *call; /* write or read under way */
	char *meanwhile;        /* newest version that the watch showed during call */
	bool gone_meanwhile;
	struct ev_timer retry;
	unsigned failures; /* writes in a row */
	bool foreign; /* another hand changed it; to be put right */
};

struct publisher {
	struct ev_loop *loop;
	struct kube *kube;
	struct tables *tables;
	struct recorder *recorder;
	char *namespace;
	const struct publisher_events *events;
	void *cookie;
	struct watch *watch;
	struct slot *slots;
	unsigned count, calls;
	bool synced;
	char *stranger; /* name of a table with another number of buckets */
	struct publisher_stats stats;
};

static void read_back(struct slot *slot);

static char *
map_name(const struct slot *slot)
{
	return mem_format("table-%u-%u", slot->publisher->count, slot->number);
}

static char *
map_path(const struct slot *slot, bool with_name)
{
	scoped_free char *name = map_name(slot);

	return mem_format("/api/v1/namespaces/%s/configmaps%s%s", slot->publisher->namespace,
	    with_name ? "/" : "", with_name ? name : "");
}

static void
remember(struct slot *slot, const char *version, const char *uid)
{
	mem_free(slot->version);
	mem_free(slot->uid);
	slot->version = mem_text(version);
	slot->uid = mem_text(uid);
}

/* Whether a write that is still on its way could be carried out: it says for which
 * version it is. */
static bool
may_still_arrive(const struct slot *slot)
{
	if (!slot->version || !slot->sent_for)
		return slot->version == slot->sent_for; /* both NULL: a POST */
	return strcmp(slot->version, slot->sent_for) == 0;
}

/* The label by which agents find it. */
static bool
label_is_right(const struct slot *slot, struct json_object *object)
{
	struct json_object *label = NULL;
	char buckets[16];

	(void)snprintf(buckets, sizeof(buckets), "%u", slot->publisher->count);
	return json_object_object_get_ex(json_path(object, "metadata.labels"),
	           "staticip.dev/buckets", &label) &&
	    json_object_is_type(label, json_type_string) &&
	    strcmp(json_object_get_string(label), buckets) == 0;
}

/* ---- what the API server has -------------------------------------------- */

static bool
same_as_known(const struct slot *slot, const char *text)
{
	size_t length;
	const char *known = tables_text(slot->publisher->tables, slot->number, &length);

	return known && text && strlen(text) == length && memcmp(known, text, length) == 0;
}

/* The ConfigMap as it is now; NULL = there is none. Also when that is what we knew:
 * then the write that failed is still to be done. */
static void
observe(struct slot *slot, struct json_object *object)
{
	struct publisher *publisher = slot->publisher;
	const char *text = json_path_text(json_path(object, "data"), "table");

	if (object)
		remember(slot, json_path_text(object, "metadata.resourceVersion"),
		    json_path_text(object, "metadata.uid"));
	else
		remember(slot, NULL, NULL);
	(void)tables_observe(publisher->tables, slot->number, text, text ? strlen(text) : 0);
	if (object && !label_is_right(slot, object))
		tables_force(publisher->tables, slot->number);
	if (!may_still_arrive(slot))
		tables_settled(publisher->tables, slot->number);
	publisher->events->wake(publisher->cookie);
}

static void
tell_restored(struct slot *slot)
{
	struct publisher *publisher = slot->publisher;
	scoped_free char *name = map_name(slot);
	struct event_subject subject = {.api_version = "v1", .kind = "ConfigMap",
	    .namespace = publisher->namespace, .name = name, .uid = slot->uid};

	slot->foreign = false;
	publisher->stats.restored++;
	log_line(LOG_LEVEL_WARN, "table %s was changed by another hand and is restored", name);
	(void)recorder_event(publisher->recorder, &subject, true, "TableRestored", "Restore",
	    "this table belongs to the staticip controller; it was changed by another hand and is restored. Nodes kept the last good table meanwhile.");
	publisher->events->restored(publisher->cookie, slot->number);
}

/* After a call: whether the watch showed something newer than its answer. */
static bool
overtaken(struct slot *slot)
{
	scoped_free char *meanwhile = mem_take(&slot->meanwhile);
	bool newer = slot->gone_meanwhile || (meanwhile && (!slot->version ||
	    watch_version_compare(meanwhile, slot->version) > 0));

	slot->gone_meanwhile = false;
	if (newer)
		slot->foreign = true;
	return newer;
}

/* ---- writing ------------------------------------------------------------ */

static void
retry_later(struct slot *slot)
{
	double wait = retry_first_s;

	for (unsigned i = 2; i < slot->failures && wait < retry_last_s; i++)
		wait *= 2;
	ev_timer_set(&slot->retry, wait < retry_last_s ? wait : retry_last_s, 0.);
	ev_timer_start(slot->publisher->loop, &slot->retry);
}

static void
on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct slot *slot = timer->data;

	(void)loop;
	(void)events;
	read_back(slot);
}

/* Whether a look at the ConfigMap answers the question that the failure left: the
 * first time only, else two writers could keep each other busy. */
static bool
look_helps(const struct slot *slot, const struct kube_answer *answer)
{
	return slot->failures == 1 &&
	    (answer->unknown_outcome || answer->status == 409 || answer->status == 404);
}

static void
count_write(struct publisher *publisher, const struct kube_answer *answer)
{
	struct publisher_stats *stats = &publisher->stats;

	(*(answer->ok ? &stats->writes
	        : answer->status == 409 ? &stats->conflicts : &stats->failures))++;
}

static void
on_written(void *cookie, const struct kube_answer *answer)
{
	struct slot *slot = cookie;
	struct publisher *publisher = slot->publisher;

	slot->call = NULL;
	publisher->calls--;
	count_write(publisher, answer);
	if (answer->ok) {
		slot->failures = 0;
		observe(slot, answer->body);
		if (overtaken(slot))
			read_back(slot);
		return;
	}
	scoped_free char *name = map_name(slot);
	slot->failures++;
	bool look = look_helps(slot, answer);
	log_line(LOG_LEVEL_WARN, "table %s: %s; reading it again %s", name, answer->err.text,
	    look ? "now" : "in a while (2 to 30 s)");
	if (look)
		read_back(slot);
	else
		retry_later(slot);
}

static struct json_object *
encode_map(const struct slot *slot, const char *text)
{
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	struct json_object *data = json_object_new_object();
	scoped_free char *name = map_name(slot);
	scoped_free char *buckets = mem_format("%u", slot->publisher->count);

	json_put_text(labels, "app.kubernetes.io/managed-by", "staticip-controller");
	json_put_text(labels, "staticip.dev/buckets", buckets);
	json_put_text(metadata, "name", name);
	json_put_text(metadata, "namespace", slot->publisher->namespace);
	json_put_text(metadata, "resourceVersion", slot->version);
	json_object_object_add(metadata, "labels", labels);
	json_put_text(data, "table", text);
	json_put_text(object, "apiVersion", "v1");
	json_put_text(object, "kind", "ConfigMap");
	json_object_object_add(object, "metadata", metadata);
	json_object_object_add(object, "data", data);
	return object;
}

/* POST when there is none, else PUT on the version we know: who was faster wins,
 * and we look again. */
static void
write_map(struct slot *slot, const struct buf *text)
{
	struct publisher *publisher = slot->publisher;
	scoped_free char *path = map_path(slot, slot->version != NULL);
	scoped_json *object = encode_map(slot, buf_string(text));

	tables_sending(publisher->tables, slot->number, text->data, text->length);
	mem_free(slot->sent_for);
	slot->sent_for = mem_text(slot->version);
	publisher->calls++;
	slot->call = kube_call(publisher->kube, slot->version ? "PUT" : "POST", path, NULL,
	    NULL, object, WRITE_TIMEOUT_S, on_written, slot);
}

static void
on_read(void *cookie, const struct kube_answer *answer)
{
	struct slot *slot = cookie;
	struct publisher *publisher = slot->publisher;

	slot->call = NULL;
	publisher->calls--;
	if (answer->ok || answer->status == 404) {
		observe(slot, answer->ok ? answer->body : NULL);
		/* a write without an answer is overtaken by another for the same
		 * version: at most one of the two can be carried out */
		if (slot->failures && may_still_arrive(slot))
			tables_force(publisher->tables, slot->number);
		if (overtaken(slot))
			read_back(slot);
		return;
	}
	scoped_free char *name = map_name(slot);
	slot->failures++;
	log_line(LOG_LEVEL_WARN, "table %s: %s; again in a while (2 to 30 s)", name,
	    answer->err.text);
	retry_later(slot);
}

static void
read_back(struct slot *slot)
{
	struct publisher *publisher = slot->publisher;
	scoped_free char *path = map_path(slot, true);

	publisher->calls++;
	slot->call = kube_call(publisher->kube, "GET", path, NULL, NULL, NULL,
	    WRITE_TIMEOUT_S, on_read, slot);
}

static void
run_slot(struct slot *slot)
{
	struct publisher *publisher = slot->publisher;
	scoped_buf text = buf_make(TABLE_BYTES_MAX);
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (tables_render(publisher->tables, slot->number, (uint64_t)now.tv_sec, &text))
		write_map(slot, &text);
	else if (slot->foreign)
		tell_restored(slot);
}

void
publisher_run(struct publisher *publisher)
{
	for (unsigned i = 0; i < publisher->count; i++) {
		struct slot *slot = &publisher->slots[i];
		if (publisher->calls >= WRITES_AT_ONCE)
			return;
		if (!slot->call && !ev_is_active(&slot->retry) &&
		    tables_dirty(publisher->tables, i))
			run_slot(slot);
	}
}

/* ---- the watch ---------------------------------------------------------- */

/* table-1-N, table-64-N, table-1024-N: made by a controller with another number of
 * buckets. Anything else is nobody's business. */
static bool
is_other_count(const char *name)
{
	static const char *const prefixes[] = {"table-1-", "table-64-", "table-1024-"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);
		uint64_t number;
		if (strncmp(name, prefixes[i], length) == 0 &&
		    num_parse(name + length, strlen(name + length), TABLE_BUCKETS_MAX - 1,
		        "bucket", &number, NULL) == 0)
			return true;
	}
	return false;
}

/* The slot of a ConfigMap's name; NULL and a note when it is none of ours. */
static struct slot *
slot_of(struct publisher *publisher, const char *name)
{
	scoped_free char *prefix = mem_format("table-%u-", publisher->count);
	size_t length = strlen(prefix);
	uint64_t number;

	if (strncmp(name, prefix, length) == 0 &&
	    num_parse(name + length, strlen(name + length), publisher->count - 1, "bucket",
	        &number, NULL) == 0)
		return &publisher->slots[number];
	if (!publisher->stranger && is_other_count(name))
		publisher->stranger = mem_text(name);
	return NULL;
}

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct publisher *publisher = cookie;
	struct slot *slot = slot_of(publisher, id->name);

	if (!slot)
		return;
	if (slot->version && watch_version_compare(id->version, slot->version) <= 0)
		return; /* our own write, answered already */
	if (slot->call) { /* probably our own write: its answer tells */
		mem_free(slot->meanwhile);
		slot->meanwhile = mem_text(id->version);
		return;
	}
	const char *text = json_path_text(json_path(object, "data"), "table");
	if (publisher->synced && (!same_as_known(slot, text) || !label_is_right(slot, object)))
		slot->foreign = true;
	observe(slot, object);
}

static void
on_gone(void *cookie, const struct object_id *id)
{
	struct publisher *publisher = cookie;
	struct slot *slot = slot_of(publisher, id->name);

	if (!slot || (slot->uid && strcmp(slot->uid, id->uid) != 0))
		return; /* a stranger, or one before */
	slot->foreign = true;
	if (slot->call)
		slot->gone_meanwhile = true;
	else
		read_back(slot); /* it may only have lost its label */
}

static void
on_synced(void *cookie)
{
	struct publisher *publisher = cookie;

	publisher->synced = true;
	publisher->events->wake(publisher->cookie);
}

static void
on_fault(void *cookie, const struct err *err)
{
	struct publisher *publisher = cookie;

	log_line(LOG_LEVEL_WARN, "watch of tables: %s", err->text);
	if (err->code == ENOTRECOVERABLE)
		publisher->events->went_back(publisher->cookie, err);
}

static const struct watch_events watch_events = {
    .changed = on_changed, .gone = on_gone, .synced = on_synced, .fault = on_fault};

struct publisher *
publisher_new(struct ev_loop *loop, struct kube *kube, struct tables *tables,
    struct recorder *recorder, const char *namespace,
    const struct publisher_events *events, void *cookie)
{
	struct publisher *publisher = mem_new(1, sizeof(*publisher));
	scoped_free char *path = mem_format("/api/v1/namespaces/%s/configmaps", namespace);
	struct watch_spec spec = {.path = path, .label_selector = "staticip.dev/buckets",
	    .page_items = 50, .events = &watch_events, .cookie = publisher};

	*publisher = (struct publisher){.loop = loop, .kube = kube, .tables = tables,
	    .recorder = recorder, .namespace = mem_text(namespace), .events = events,
	    .cookie = cookie, .count = tables_buckets(tables)};
	publisher->slots = mem_new(publisher->count, sizeof(*publisher->slots));
	for (unsigned i = 0; i < publisher->count; i++) {
		struct slot *slot = &publisher->slots[i];
		*slot = (struct slot){.publisher = publisher, .number = i};
		ev_init(&slot->retry, on_retry);
		slot->retry.data = slot;
	}
	publisher->watch = watch_new(loop, kube, &spec);
	return publisher;
}

void
publisher_free(struct publisher *publisher)
{
	if (!publisher)
		return;
	watch_free(publisher->watch);
	for (unsigned i = 0; i < publisher->count; i++) {
		struct slot *slot = &publisher->slots[i];
		if (slot->call)
			kube_cancel(slot->call);
		ev_timer_stop(publisher->loop, &slot->retry);
		remember(slot, NULL, NULL);
		mem_free(slot->meanwhile);
		mem_free(slot->sent_for);
	}
	mem_free(publisher->slots);
	mem_free(publisher->namespace);
	mem_free(publisher->stranger);
	mem_free(publisher);
}

bool
publisher_synced(const struct publisher *publisher)
{
	return publisher->synced;
}

int
publisher_check(const struct publisher *publisher, struct err *err)
{
	if (!publisher->stranger)
		return 0;
	return err_set(err, EINVAL,
	    "ConfigMap %s/%s is a table of another number of buckets than --buckets=%u: the number is fixed at installation; use the old one, or delete the tables while no pod starts",
	    publisher->namespace, publisher->stranger, publisher->count);
}

struct publisher_stats
publisher_stats(const struct publisher *publisher)
{
	struct publisher_stats stats = publisher->stats;

	stats.calls = publisher->calls;
	stats.watch = watch_stats(publisher->watch);
	return stats;
}
