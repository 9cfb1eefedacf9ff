#include "net/event.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "net/clock.h"
#include "table/json.h"

enum { BURST = 1000, AT_ONCE = 4, NOTE_MAX = 1024, TIMEOUT_S = 10 };
static const double refill_per_s = 10;

/* An event that waits for its turn. */
struct waiting {
	char *path;
	struct json_object *event;
	struct waiting *next;
};

struct recorder {
	struct kube *kube;
	char *controller, *instance;
	void (*on_fault)(void *cookie, const struct err *err);
	void *cookie;
	double tokens;
	double refilled; /* monotonic seconds */
	/* a connection each would be too many */
	struct waiting *first, **last;
	unsigned under_way;
	unsigned serial; /* makes names of one nanosecond different */
};

static struct timespec
wall_time(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_REALTIME, &time);
	return time;
}

struct recorder *
recorder_new(struct kube *kube, const char *part, const char *instance,
    void (*on_fault)(void *cookie, const struct err *err), void *cookie)
{
	struct recorder *recorder = mem_new(1, sizeof(*recorder));

	recorder->kube = kube;
	recorder->controller = mem_format("staticip.dev/%s", part);
	recorder->instance = mem_text(instance);
	recorder->on_fault = on_fault;
	recorder->cookie = cookie;
	recorder->tokens = BURST;
	recorder->last = &recorder->first;
	recorder->refilled = clock_seconds();
	return recorder;
}

/* The oldest that waits; the caller frees it. */
static struct waiting *
next_waiting(struct recorder *recorder)
{
	struct waiting *waiting = recorder->first;

	if (!waiting)
		return NULL;
	recorder->first = waiting->next;
	if (!recorder->first)
		recorder->last = &recorder->first;
	return waiting;
}

static void
free_waiting(struct waiting *waiting)
{
	json_object_put(waiting->event);
	mem_free(waiting->path);
	mem_free(waiting);
}

void
recorder_free(struct recorder *recorder)
{
	struct waiting *waiting;

	if (!recorder)
		return;
	while ((waiting = next_waiting(recorder)))
		free_waiting(waiting);
	mem_free(recorder->controller);
	mem_free(recorder->instance);
	mem_free(recorder);
}

static bool
take_token(struct recorder *recorder)
{
	double time = clock_seconds();

	recorder->tokens += (time - recorder->refilled) * refill_per_s;
	recorder->refilled = time;
	if (recorder->tokens > BURST)
		recorder->tokens = BURST;
	if (recorder->tokens < 1)
		return false;
	recorder->tokens -= 1;
	return true;
}

static void send_waiting(struct recorder *recorder);

static void
on_done(void *cookie, const struct kube_answer *answer)
{
	struct recorder *recorder = cookie;

	if (!answer->ok && recorder->on_fault)
		recorder->on_fault(recorder->cookie, &answer->err);
	recorder->under_way--;
	send_waiting(recorder);
}

static void
send_waiting(struct recorder *recorder)
{
	while (recorder->under_way < AT_ONCE && recorder->first) {
		struct waiting *waiting = next_waiting(recorder);
		recorder->under_way++;
		/* ends with the kube client, not before: the recorder lives as long */
		(void)kube_call(recorder->kube, "POST", waiting->path, NULL, NULL,
		    waiting->event, TIMEOUT_S, on_done, recorder);
		free_waiting(waiting);
	}
}

static struct json_object *
encode_subject(const struct event_subject *subject)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "apiVersion", subject->api_version);
	json_put_text(object, "kind", subject->kind);
	json_put_text(object, "namespace", subject->namespace);
	json_put_text(object, "name", subject->name);
	json_put_text(object, "uid", subject->uid);
	return object;
}

/* Cluster-scoped objects have theirs in "default" (client-go tools/record). */
static const char *
namespace_of(const struct event_subject *subject)
{
	return subject->namespace ? subject->namespace : "default";
}

/* NAME.HEX, as client-go names them: the object's name and the time. */
static struct json_object *
encode_metadata(struct recorder *recorder, const struct event_subject *subject)
{
	struct json_object *object = json_object_new_object();
	struct timespec time = wall_time();
	uint64_t nanoseconds = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	int length = (int)strnlen(subject->name, 200);

	/* cut, it may not end in '.' or '-': another '.' follows */
	while (length > 1 && (subject->name[length - 1] == '.' || subject->name[length - 1] == '-'))
		length--;
	scoped_free char *name = mem_format("%.*s.%" PRIx64 "%02x", length, subject->name,
	    nanoseconds, recorder->serial++ & 0xff);

	json_put_text(object, "name", name);
	json_put_text(object, "namespace", namespace_of(subject));
	return object;
}

static struct json_object *
encode(struct recorder *recorder, const struct event_subject *subject, bool warning,
    const char *reason, const char *action, const char *note)
{
	struct json_object *event = json_object_new_object();
	char time[MICRO_TIME_BYTES];
	char cut[NOTE_MAX];

	clock_micro_time(time);
	(void)snprintf(cut, sizeof(cut), "%s", note);
	json_put_text(event, "apiVersion", "events.k8s.io/v1");
	json_put_text(event, "kind", "Event");
	json_object_object_add(event, "metadata", encode_metadata(recorder, subject));
	json_put_text(event, "eventTime", time);
	json_put_text(event, "reportingController", recorder->controller);
	json_put_text(event, "reportingInstance", recorder->instance);
	json_put_text(event, "type", warning ? "Warning" : "Normal");
	json_put_text(event, "reason", reason);
	json_put_text(event, "action", action);
	json_put_text(event, "note", cut);
	json_object_object_add(event, "regarding", encode_subject(subject));
	return event;
}

bool
recorder_event(struct recorder *recorder, const struct event_subject *subject, bool warning,
    const char *reason, const char *action, const char *note)
{
	if (!take_token(recorder))
		return false;
	struct waiting *waiting = mem_new(1, sizeof(*waiting));
	waiting->event = encode(recorder, subject, warning, reason, action, note);
	waiting->path =
	    mem_format("/apis/events.k8s.io/v1/namespaces/%s/events", namespace_of(subject));
	*recorder->last = waiting;
	recorder->last = &waiting->next;
	send_waiting(recorder);
	return true;
}
