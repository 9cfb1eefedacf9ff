#include "controller/store.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/tree.h"
#include "table/json.h"

static const double call_deadline_s = 15;
/* After a failure that reading again does not mend. */
static const double retry_first_s = 0.5;
static const double retry_last_s = 30;

struct slot {
	struct stored seen; /* first member: what callers know */
	struct store *store;
	struct kube_call *call;
	uint64_t sent; /* tick of the call */
	int64_t patched;  /* generation that the write under way was for; 0: it was none by that */
	struct err refusal; /* of a patch: a test that failed, or content that is not taken */
	double retry_s;
	struct ev_timer retry;
};

struct store {
	struct ev_loop *loop;
	struct kube *kube;
	char *path, *field_selector;
	uint64_t *ticks;
	const struct store_events *events;
	void *cookie;
	struct watch *watch;
	struct tree slots;
	uint64_t forgotten;
	bool synced;
};

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct slot *)a)->seen.name, ((const struct slot *)b)->seen.name);
}

static struct slot *
find(const struct store *store, const char *name)
{
	scoped_free char *copy = mem_text(name);
	struct slot wanted = {.seen = {.name = copy}};

	return tree_find(&store->slots, &wanted);
}

static void on_retry(struct ev_loop *loop, struct ev_timer *timer, int events);

static struct slot *
find_or_make(struct store *store, const char *name)
{
	struct slot *slot = find(store, name);

	if (slot)
		return slot;
	slot = mem_new(1, sizeof(*slot));
	slot->store = store;
	slot->seen.name = mem_text(name);
	slot->retry_s = retry_first_s;
	ev_timer_init(&slot->retry, on_retry, 0., 0.);
	slot->retry.data = slot;
	(void)tree_add(&store->slots, slot);
	return slot;
}

static void
free_slot(void *item)
{
	struct slot *slot = item;

	if (slot->call)
		kube_cancel(slot->call);
	ev_timer_stop(slot->store->loop, &slot->retry);
	json_object_put(slot->seen.object);
	mem_free(slot->seen.name);
	mem_free(slot->seen.uid);
	mem_free(slot->seen.version);
	mem_free(slot);
}

static void
changed(struct slot *slot)
{
	slot->store->events->changed(slot->store->cookie, &slot->seen);
}

/* ---- what is there -------------------------------------------------------------- */

static bool
is_older(const struct slot *slot, const char *version)
{
	return slot->seen.version && version &&
	    watch_version_compare(version, slot->seen.version) < 0;
}

static int64_t
generation_of(struct json_object *object)
{
	return json_path_number(object, "metadata.generation", 0);
}

/* Kinds without generations (ConfigMaps) change with every version. */
static bool
same_spec(const struct stored *seen, struct json_object *object)
{
	const char *uid = json_path_text(object, "metadata.uid");

	return seen->object && uid && seen->uid && strcmp(uid, seen->uid) == 0 &&
	    generation_of(object) != 0 && generation_of(object) == generation_of(seen->object);
}

/* object NULL: it is not there. live is the tick of the request, 0 from the watch. */
static void
observe(struct slot *slot, struct json_object *object, uint64_t live)
{
	struct stored *seen = &slot->seen;
	const char *version = json_path_text(object, "metadata.resourceVersion");
	bool same = version && seen->version && strcmp(version, seen->version) == 0;

	if (live > seen->live || !same)
		seen->live = live;
	if (same)
		return;
	if (!same_spec(seen, object))
		seen->received = ++*slot->store->ticks;
	json_object_put(seen->object);
	mem_free(seen->version);
	mem_free(seen->uid);
	seen->object = json_object_get(object);
	seen->version = mem_text(version);
	seen->uid = mem_text(json_path_text(object, "metadata.uid"));
}

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct slot *slot = find_or_make(cookie, id->name);

	/* an answer of our own may have overtaken the watch */
	if (is_older(slot, id->version) ||
	    (slot->seen.version && strcmp(slot->seen.version, id->version) == 0))
		return;
	observe(slot, object, 0);
	changed(slot);
}

static void
on_gone(void *cookie, const struct object_id *id)
{
	struct slot *slot = find_or_make(cookie, id->name);

	/* another one of that name was made meanwhile, and its answer came first */
	if (!slot->seen.uid || strcmp(slot->seen.uid, id->uid) != 0)
		return;
	observe(slot, NULL, 0);
	changed(slot);
}

static void
on_synced(void *cookie)
{
	struct store *store = cookie;

	store->synced = true;
}

static void
on_watch_fault(void *cookie, const struct err *err)
{
	struct store *store = cookie;

	store->events->fault(store->cookie, err);
}

/* ---- calls ------------------------------------------------------------------------ */

static void
wait_out(struct slot *slot)
{
	ev_timer_stop(slot->store->loop, &slot->retry);
	ev_timer_set(&slot->retry, slot->retry_s, 0.);
	ev_timer_start(slot->store->loop, &slot->retry);
	slot->retry_s *= 2;
	if (slot->retry_s > retry_last_s)
		slot->retry_s = retry_last_s;
}

static void
settled(struct slot *slot)
{
	slot->seen.busy = false;
	changed(slot);
}

static void send_read(struct slot *slot);

/* The spec is still the one that the patch was for: its content was not taken. */
static bool
was_refused(struct slot *slot)
{
	struct err refusal = slot->refusal;

	slot->refusal.code = 0;
	if (!refusal.code || generation_of(slot->seen.object) != slot->patched)
		return false;
	slot->store->events->fault(slot->store->cookie, &refusal);
	return true;
}

static void
on_read(void *cookie, const struct kube_answer *answer)
{
	struct slot *slot = cookie;

	slot->call = NULL;
	if (answer->ok && answer->body) {
		if (!is_older(slot, json_path_text(answer->body, "metadata.resourceVersion")))
			observe(slot, answer->body, slot->sent);
	} else if (answer->status == 404 && slot->seen.version && slot->seen.received > slot->sent) {
		send_read(slot); /* the watch brought it meanwhile: which came first? */
		return;
	} else if (answer->status == 404) {
		observe(slot, NULL, slot->sent);
	} else {
		slot->store->events->fault(slot->store->cookie, &answer->err);
		wait_out(slot);
		return;
	}
	if (was_refused(slot))
		wait_out(slot);
	else
		settled(slot);
}

static void
on_written(void *cookie, const struct kube_answer *answer)
{
	struct slot *slot = cookie;

	slot->call = NULL;
	if (answer->ok && answer->body) {
		if (!is_older(slot, json_path_text(answer->body, "metadata.resourceVersion")))
			observe(slot, answer->body, slot->sent);
		slot->retry_s = retry_first_s;
		settled(slot);
		return;
	}
	bool tested = answer->status == 422 && slot->patched;
	if (tested)
		slot->refusal = answer->err;
	else if (answer->status != 409)
		slot->store->events->fault(slot->store->cookie, &answer->err);
	/* what is there now decides what is to be done; where a POST finds no namespace, or no
	 * such resource, looking at once would show nothing that helps */
	bool lost = answer->status == 404 && slot->seen.version;
	if (tested || answer->status == 409 || lost || answer->unknown_outcome)
		send_read(slot);
	else
		wait_out(slot);
}

static void
send_as(struct slot *slot, const char *method, const char *path, const char *type,
    struct json_object *body, kube_done *done)
{
	slot->seen.busy = true;
	slot->sent = ++*slot->store->ticks;
	slot->call = kube_call(slot->store->kube, method, path, NULL, type, body,
	    call_deadline_s, done, slot);
}

static void
send(struct slot *slot, const char *method, const char *path, struct json_object *body,
    kube_done *done)
{
	send_as(slot, method, path, NULL, body, done);
}

static void
send_read(struct slot *slot)
{
	scoped_free char *path = mem_format("%s/%s", slot->store->path, slot->seen.name);

	send(slot, "GET", path, NULL, on_read);
}

static void
on_retry(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	send_read(timer->data);
}

/* Gone at once or after finalizers, or it was another by then: that is looked up. */
static void
on_deleted(void *cookie, const struct kube_answer *answer)
{
	struct slot *slot = cookie;

	slot->call = NULL;
	if (!answer->ok && answer->status != 404 && answer->status != 409)
		slot->store->events->fault(slot->store->cookie, &answer->err);
	send_read(slot);
}

/* A list of one empty entry strips the field (Kubernetes' documentation, "Clearing
 * managedFields"), and where there is none the API server keeps no account (apimachinery,
 * skipnonapplied.go). With one writer it tells nothing, and is half of a small object. */
static struct json_object *
no_managed_fields(void)
{
	struct json_object *list = json_object_new_array();

	json_object_array_add(list, json_object_new_object());
	return list;
}

bool
store_write(struct store *store, const char *name, struct json_object *object)
{
	struct slot *slot = find_or_make(store, name);
	scoped_json *body = object;
	scoped_free char *path = mem_format("%s/%s", store->path, name);
	struct json_object *metadata = json_path(object, "metadata");

	if (slot->seen.busy)
		return false;
	slot->patched = 0;
	json_object_object_add(metadata, "managedFields", no_managed_fields());
	if (slot->seen.version) {
		json_put_text(metadata, "resourceVersion", slot->seen.version);
		json_put_text(metadata, "uid", slot->seen.uid);
		send(slot, "PUT", path, body, on_written);
	} else {
		send(slot, "POST", store->path, body, on_written);
	}
	return true;
}

static void
add_step(struct json_object *patch, const char *op, const char *path, struct json_object *value)
{
	struct json_object *step = json_object_new_object();

	json_put_text(step, "op", op);
	json_put_text(step, "path", path);
	json_object_object_add(step, "value", value);
	json_object_array_add(patch, step);
}

bool
store_write_spec(struct store *store, const char *name, struct json_object *spec)
{
	struct slot *slot = find_or_make(store, name);
	scoped_json *patch = json_object_new_array();
	scoped_free char *path = mem_format("%s/%s", store->path, name);

	if (slot->seen.busy || !slot->seen.version) {
		json_object_put(spec);
		return false;
	}
	add_step(patch, "test", "/metadata/uid", json_object_new_string(slot->seen.uid));
	add_step(patch, "test", "/metadata/generation",
	    json_object_new_int64(generation_of(slot->seen.object)));
	/* generations come again when the server goes back in time; epochs do not */
	if (json_path_text(slot->seen.object, "spec.epoch"))
		add_step(patch, "test", "/spec/epoch",
		    json_object_new_string(json_path_text(slot->seen.object, "spec.epoch")));
	add_step(patch, "add", "/metadata/managedFields", no_managed_fields());
	add_step(patch, "replace", "/spec", spec);
	slot->patched = generation_of(slot->seen.object);
	send_as(slot, "PATCH", path, "application/json-patch+json", patch, on_written);
	return true;
}

void
store_delete(struct store *store, const char *name)
{
	struct slot *slot = find(store, name);
	scoped_json *body = json_object_new_object();
	struct json_object *seen = json_object_new_object();
	scoped_free char *path = mem_format("%s/%s", store->path, name);

	json_object_object_add(body, "preconditions", seen);
	if (!slot || slot->seen.busy || !slot->seen.version)
		return;
	json_put_text(seen, "uid", slot->seen.uid);
	json_put_text(seen, "resourceVersion", slot->seen.version);
	send(slot, "DELETE", path, body, on_deleted);
}

void
store_forget(struct store *store, const char *name)
{
	struct slot *slot = find(store, name);

	if (!slot || slot->seen.busy || slot->seen.version)
		return;
	store->forgotten = ++*store->ticks;
	(void)tree_remove(&store->slots, slot);
	free_slot(slot);
}

uint64_t
store_forgotten(const struct store *store)
{
	return store->forgotten;
}

void
store_read(struct store *store, const char *name)
{
	struct slot *slot = find_or_make(store, name);

	if (!slot->seen.busy)
		send_read(slot);
}

/* ---- the rest ---------------------------------------------------------------------- */

const struct stored *
store_find(const struct store *store, const char *name)
{
	const struct slot *slot = find(store, name);

	return slot ? &slot->seen : NULL;
}

void
store_each(const struct store *store, void (*visit)(void *cookie, const struct stored *stored),
    void *cookie)
{
	size_t count = store->slots.count;
	scoped_free void **slots = tree_items(&store->slots);

	for (size_t i = 0; i < count; i++)
		visit(cookie, &((const struct slot *)slots[i])->seen);
}

bool
store_synced(const struct store *store)
{
	return store->synced;
}

const struct watch_stats *
store_stats(const struct store *store)
{
	return watch_stats(store->watch);
}

static const struct watch_events watch_events = {
    .changed = on_changed, .gone = on_gone, .synced = on_synced, .fault = on_watch_fault};

struct store *
store_new(struct ev_loop *loop, struct kube *kube, const struct store_spec *spec)
{
	struct store *store = mem_new(1, sizeof(*store));
	struct watch_spec watch = {.events = &watch_events, .cookie = store};

	*store = (struct store){.loop = loop, .kube = kube, .ticks = spec->ticks,
	    .path = mem_text(spec->path), .field_selector = mem_text(spec->field_selector),
	    .events = spec->events, .cookie = spec->cookie, .slots = tree_make(compare)};
	watch.path = store->path;
	watch.field_selector = store->field_selector;
	store->watch = watch_new(loop, kube, &watch);
	return store;
}

void
store_free(struct store *store)
{
	if (!store)
		return;
	watch_free(store->watch);
	tree_release(&store->slots, free_slot);
	mem_free(store->path);
	mem_free(store->field_selector);
	mem_free(store);
}
