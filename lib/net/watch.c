#include "net/watch.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/mem.h"
#include "net/clock.h"
#include "net/kube_stream.h"
#include "net/watch_private.h"
#include "table/json.h"

/* ---- the machine ------------------------------------------------------------- */

static void
destroy(struct watch *watch)
{
	event_stream_free(watch->stream);
	watch_list_release(watch);
	watch_known_release(&watch->known);
	mem_free(watch->version);
	mem_free(watch->path);
	mem_free(watch->selectors);
	mem_free(watch);
}

void
watch_free(struct watch *watch)
{
	if (!watch || watch->freed)
		return;
	watch->freed = true;
	kube_cancel(watch->call);
	watch->call = NULL;
	ev_timer_stop(watch->loop, &watch->wait);
	if (watch->busy == 0)
		destroy(watch);
}

void
watch_enter(struct watch *watch)
{
	watch->busy++;
}

void
watch_leave(struct watch *watch)
{
	if (--watch->busy == 0 && watch->freed)
		destroy(watch);
}

void
watch_contact(struct watch *watch)
{
	watch->stats.last_contact = ev_now(watch->loop);
}

/* Never back: an event that comes late must not make us ask for its successors
 * again. */
void
watch_set_version(struct watch *watch, const char *version)
{
	if (watch->version && watch_version_compare(version, watch->version) <= 0)
		return;
	mem_free(watch->version);
	watch->version = mem_text(version);
}

static void
on_wait(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct watch *watch = watcher->data;

	(void)loop;
	(void)revents;
	watch_enter(watch);
	if (watch->next == WATCH_NEXT_LIST)
		watch_list_begin(watch, false);
	else if (watch->next == WATCH_NEXT_LOOK)
		watch_look_begin(watch);
	else
		watch_stream_begin(watch);
	watch_leave(watch);
}

void
watch_retry(
    struct watch *watch, enum watch_next next, const struct err *why, double least_s)
{
	double seconds = watch_backoff_next(
	    &watch->backoff, watch->times, clock_seconds(), clock_chance());
	struct err err = {0};

	if (seconds < least_s)
		seconds = least_s;
	watch->next = next;
	watch->stats.faults++;
	ev_now_update(watch->loop);
	ev_timer_set(&watch->wait, seconds, 0.);
	ev_timer_start(watch->loop, &watch->wait);
	if (why->code == ENOTRECOVERABLE)
		err = *why;
	else
		(void)err_set(&err, why->code, "%.*s; %s again in %.1f s", ERR_TEXT_MAX - 60,
		    why->text, next == WATCH_NEXT_LIST ? "listing" : "watching", seconds);
	watch->events->fault(watch->cookie, &err);
}

/* ---- events ------------------------------------------------------------------ */

/* 410 is an answer, not a failure: the server is well, and our version is old. What
 * failed before it came back (it was restarted, mostly) is over. */
static void
take_expired(struct watch *watch)
{
	watch->stats.expired++;
	if (watch->expired_in_row++ == 0)
		watch_backoff_reset(&watch->backoff);
}

/* The stream's own error: the server turns everything after authorisation into one
 * (apiserver storage/cacher, newErrWatcher), with 200 as HTTP status. */
static int
take_error(struct watch *watch, struct json_object *status, struct err *err)
{
	const char *message = json_path_text(status, "message");
	const char *reason = json_path_text(status, "reason");
	int64_t code = json_path_number(status, "code", 0);

	if (!reason)
		reason = "Unknown";
	bool expired = code == 410 || strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0;
	if (expired)
		take_expired(watch);
	return err_set(err, expired ? ESTALE : EREMOTEIO, "watch of %s: %s: %.400s", watch->path,
	    reason, message ? message : "no message");
}

/* Its object has a version and little else. */
static int
take_bookmark(struct watch *watch, struct json_object *object, struct err *err)
{
	const char *version = json_path_text(object, "metadata.resourceVersion");

	if (!version)
		return err_set(
		    err, EBADMSG, "watch of %s: a bookmark without resourceVersion", watch->path);
	watch_set_version(watch, version);
	watch->stats.bookmarks++;
	if (!watch->sends_bookmarks)
		kube_stream_idle(watch->call, watch->times->stall);
	watch->sends_bookmarks = true;
	return 0;
}

static int
take_object(
    struct watch *watch, const char *type, struct json_object *object, struct err *err)
{
	struct object_id id = {0};
	int rc = watch_known_identify(object, &id, err);

	if (rc == 0 && strcmp(type, "DELETED") == 0)
		watch_known_deleted(watch, &id);
	else if (rc == 0 && (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0))
		rc = watch_known_present(watch, &id, object, err);
	else if (rc == 0)
		rc = err_set(err, EBADMSG, "an event of unknown type '%.40s'", type);
	if (rc < 0)
		return err_wrap(err, "watch of %s", watch->path);
	watch->stats.events++;
	watch->stream_events++;
	watch_set_version(watch, id.version);
	return 0;
}

static bool
on_event(void *cookie, struct json_object *event)
{
	struct watch *watch = cookie;
	const char *type = json_path_text(event, "type");
	struct json_object *object = json_path(event, "object");
	int rc = 0;

	if (!type || !object)
		rc = err_set(&watch->broken, EBADMSG, "watch of %s: an event without type or object",
		    watch->path);
	else if (strcmp(type, "ERROR") == 0)
		rc = take_error(watch, object, &watch->broken);
	else if (strcmp(type, "BOOKMARK") == 0)
		rc = take_bookmark(watch, object, &watch->broken);
	else
		rc = take_object(watch, type, object, &watch->broken);
	if (rc == 0)
		watch->refusals = watch->expired_in_row = 0;
	return rc == 0 && !watch->freed;
}

/* ---- the stream -------------------------------------------------------------- */

static bool
on_bytes(void *cookie, const char *bytes, size_t length)
{
	struct watch *watch = cookie;

	watch_enter(watch);
	watch_contact(watch);
	watch->reached = true;
	int rc = event_stream_feed(
	    watch->stream, bytes, length, on_event, watch, &watch->broken);
	bool go_on = rc == 0 && !watch->broken.code && !watch->freed;
	watch_leave(watch);
	return go_on;
}

/* Whether the resourceVersion may still be good, so that a watch from it is the
 * cheaper next step. */
static enum watch_next
next_after(const struct watch *watch, const struct kube_answer *answer)
{
	int status = answer->status;

	if (watch->broken.code)
		return WATCH_NEXT_LIST;
	/* None to be had is a server that was away, and its etcd may be of an earlier time when
	 * it returns: a stream from our version would be silent until it has caught up, and what
	 * it wrote meanwhile would never come. (One that was merely started again answers 410 to
	 * most of us anyway.) A connection that breaks is nothing, mostly; but a server can be
	 * back before we ask, so its version is looked at. */
	if (status == 0)
		return watch->reached ? WATCH_NEXT_LOOK : WATCH_NEXT_LIST;
	if (watch->refusals >= WATCH_REFUSALS_MAX)
		return WATCH_NEXT_LIST;
	return status / 100 == 2 || status == 401 || status == 429 || status / 100 == 5
	    ? WATCH_NEXT_STREAM
	    : WATCH_NEXT_LIST;
}

static void
end_in_failure(struct watch *watch, const struct kube_answer *answer)
{
	struct err why = watch->broken.code ? watch->broken : answer->err;

	if (answer->status)
		watch->refusals++;
	if (answer->status == 410)
		take_expired(watch);
	if (!why.code)
		(void)err_set(&why, EPROTO, "watch of %s: ended at once, without an event",
		    watch->path);
	watch_retry(watch, next_after(watch, answer), &why, (double)answer->retry_after_s);
}

static void
on_end(void *cookie, const struct kube_answer *answer)
{
	struct watch *watch = cookie;
	double lived = clock_seconds() - watch->stream_began;

	watch->call = NULL;
	watch_enter(watch);
	if (answer->status)
		watch_contact(watch);
	if (lived >= watch->times->good_stream)
		watch_backoff_reset(&watch->backoff);
	/* a server that ends each stream at once must not be asked in a tight loop */
	bool usual = answer->ok && !watch->broken.code &&
	    (watch->stream_events > 0 || lived >= watch->times->short_stream);
	if (usual)
		watch_stream_begin(watch);
	else
		end_in_failure(watch, answer);
	watch_leave(watch);
}

void
watch_stream_begin(struct watch *watch)
{
	const struct watch_times *times = watch->times;
	/* at random: bounds how long a dead stream can go unseen, and spreads the new
	 * beginnings of many watches */
	long seconds = (long)(times->stream_min +
	    clock_chance() * (times->stream_max - times->stream_min));
	scoped_free char *query = mem_format(
	    "watch=1&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%ld%s",
	    watch->version, seconds, watch->selectors);
	struct kube_stream_spec spec = {
	    .path = watch->path,
	    .query = query,
	    .timeout_s = (double)seconds + times->stream_slack,
	    .idle_s = watch->sends_bookmarks ? times->stall : 0,
	    .bytes = on_bytes,
	    .done = on_end,
	    .cookie = watch,
	};

	event_stream_free(watch->stream);
	watch->stream = event_stream_new(OBJECT_BYTES_MAX);
	watch->broken = (struct err){0};
	watch->stream_events = 0;
	watch->reached = false;
	watch->stream_began = clock_seconds();
	watch->stats.watches++;
	watch->call = kube_stream(watch->kube, &spec);
}

/* ---- beginning --------------------------------------------------------------- */

static char *
selectors_of(const struct watch_spec *spec)
{
	scoped_free char *label =
	    spec->label_selector ? kube_escape(spec->label_selector) : NULL;
	scoped_free char *field =
	    spec->field_selector ? kube_escape(spec->field_selector) : NULL;

	return mem_format("%s%s%s%s", label ? "&labelSelector=" : "", label ? label : "",
	    field ? "&fieldSelector=" : "", field ? field : "");
}

struct watch *
watch_new(struct ev_loop *loop, struct kube *kube, const struct watch_spec *spec)
{
	struct watch *watch = mem_new(1, sizeof(*watch));

	watch->loop = loop;
	watch->kube = kube;
	watch->path = mem_text(spec->path);
	watch->selectors = selectors_of(spec);
	watch->list_in_order = spec->list_in_order;
	watch->page_items = spec->page_items ? spec->page_items : LIST_PAGE_ITEMS;
	watch->times = spec->times ? spec->times : &watch_times_usual;
	watch->events = spec->events;
	watch->cookie = spec->cookie;
	watch->known = watch_known_make();
	ev_init(&watch->wait, on_wait);
	watch->wait.data = watch;
	watch_list_begin(watch, false);
	return watch;
}

const struct watch_stats *
watch_stats(const struct watch *watch)
{
	return &watch->stats;
}
