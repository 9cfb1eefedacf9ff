#include "controller/report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controller/status.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"
#include "table/json.h"

enum { WRITES_AT_ONCE = 8, WRITE_TIMEOUT_S = 15 };
static const double retry_s = 2.0;
/* How long a status waits for rows and grants under way before it says so. */
static const double patience_s = 1.0;
/* Between two of one allocation: where many pods start at once, each would be a write of
 * all of them. */
static const double spacing_s = 0.5;

/* One status write; the allocation may be gone when it is answered. */
struct write {
	struct reporter *reporter;
	struct kube_call *call;
	char *uid, *name;
	struct write *next;
};

struct reporter {
	struct kube *kube;
	struct recorder *recorder;
	struct world *world;
	void (*wake)(void *cookie);
	void *cookie;
	struct write *writes;
	unsigned count;
};

struct reporter *
reporter_new(struct kube *kube, struct recorder *recorder, struct world *world,
    void (*wake)(void *cookie), void *cookie)
{
	struct reporter *reporter = mem_new(1, sizeof(*reporter));

	*reporter = (struct reporter){.kube = kube, .recorder = recorder, .world = world,
	    .wake = wake, .cookie = cookie};
	return reporter;
}

static void
free_write(struct write *write)
{
	mem_free(write->uid);
	mem_free(write->name);
	mem_free(write);
}

void
reporter_free(struct reporter *reporter)
{
	if (!reporter)
		return;
	while (reporter->writes) {
		struct write *write = reporter->writes;
		reporter->writes = write->next;
		kube_cancel(write->call);
		free_write(write);
	}
	mem_free(reporter);
}

static void
unlink_write(struct write *write)
{
	struct write **at = &write->reporter->writes;

	while (*at != write)
		at = &(*at)->next;
	*at = write->next;
	write->reporter->count--;
}

static void
on_written(void *cookie, const struct kube_answer *answer)
{
	struct write *write = cookie;
	struct reporter *reporter = write->reporter;
	struct declared *declared = world_find(reporter->world, write->uid);

	unlink_write(write);
	if (declared)
		declared->writing = false;
	/* 404: deleted meanwhile; the watch says so */
	if (!answer->ok && answer->status != 404) {
		log_line(LOG_LEVEL_WARN, "status of %s: %s; again in 2 s", write->name,
		    answer->err.text);
		if (declared) {
			declared->status_hash = 0;
			declared->retry_at = clock_seconds() + retry_s;
			world_want_report(reporter->world, declared);
		}
	}
	free_write(write);
	reporter->wake(reporter->cookie);
}

static void
send(struct reporter *reporter, struct declared *declared, struct json_object *status)
{
	scoped_json *body = json_object_new_object();
	scoped_free char *path = mem_format(
	    "/apis/staticip.dev/v1alpha1/namespaces/%s/staticipallocations/%s/status",
	    declared->namespace, declared->name);
	struct json_object *metadata = json_object_new_object();
	struct write *write = mem_new(1, sizeof(*write));

	/* the UID is a precondition: never the status of another's successor */
	json_put_text(metadata, "uid", declared->uid);
	json_object_object_add(body, "metadata", metadata);
	json_object_object_add(body, "status", json_object_get(status));
	*write = (struct write){.reporter = reporter, .uid = mem_text(declared->uid),
	    .name = mem_text(declared->path), .next = reporter->writes};
	reporter->writes = write;
	reporter->count++;
	declared->writing = true;
	write->call = kube_call(reporter->kube, "PATCH", path, NULL,
	    "application/merge-patch+json", body, WRITE_TIMEOUT_S, on_written, write);
}

/* An event when the outcome changed: for the loser of a conflict, for a spec that
 * is refused, and when all is well. */
static void
tell_event(struct reporter *reporter, const struct declared *declared,
    const struct condition *ready)
{
	const struct condition_seen *seen = &declared->conditions[CONDITION_READY];
	struct event_subject subject = {.api_version = "staticip.dev/v1alpha1",
	    .kind = "StaticIPAllocation", .namespace = declared->namespace,
	    .name = declared->name, .uid = declared->uid};

	if (strcmp(seen->reason, ready->reason) == 0 || strcmp(ready->reason, "Pending") == 0)
		return;
	/* a workload that comes later is nobody's fault */
	bool fault = !ready->is_true && strcmp(ready->reason, "TargetNotFound") != 0;
	(void)recorder_event(reporter->recorder, &subject, fault, ready->reason, "Reconcile",
	    ready->message);
	log_line(fault ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s: %s: %s",
	    declared->path, ready->reason, ready->message);
}

/* What will be in the API server, so that the next look compares with that. */
static void
expect(struct declared *declared, const struct condition *conditions, const char *now,
    uint64_t hash)
{
	declared->status_hash = hash;
	for (int i = 0; i < CONDITIONS; i++) {
		struct condition_seen *seen = &declared->conditions[i];
		const char *status = conditions[i].is_true ? "True" : "False";
		if (strcmp(seen->status, status) != 0)
			(void)snprintf(seen->since, sizeof(seen->since), "%s", now);
		(void)snprintf(seen->status, sizeof(seen->status), "%s", status);
		(void)snprintf(seen->reason, sizeof(seen->reason), "%s", conditions[i].reason);
	}
}

bool
reporter_busy(const struct reporter *reporter)
{
	return reporter->count >= WRITES_AT_ONCE;
}

static bool
any_soon(const struct holding *holding, const struct held_summary *held)
{
	for (unsigned i = 0; holding && held && i < holding->row_count; i++)
		if (held[i].soon)
			return true;
	return false;
}

/* Rows and grants on their way are there in a moment: one status write instead of two, and
 * none that the API server has to do before a grant. */
static bool
wait_a_moment(struct declared *declared, bool under_way)
{
	if (!under_way) {
		declared->pending_since = 0;
		return false;
	}
	if (declared->pending_since == 0)
		declared->pending_since = clock_seconds();
	return clock_seconds() - declared->pending_since < patience_s;
}

bool
reporter_tell(struct reporter *reporter, struct declared *declared,
    const struct holding *holding, const struct tables *tables,
    const struct held_summary *held)
{
	struct condition conditions[CONDITIONS];
	char now[32];
	time_t seconds = time(NULL);
	struct tm calendar;

	if (declared->writing || reporter_busy(reporter) || clock_seconds() < declared->retry_at)
		return false;
	(void)gmtime_r(&seconds, &calendar);
	(void)strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &calendar);
	status_judge(reporter->world, declared, holding, tables, held, conditions);
	if (wait_a_moment(declared, any_soon(holding, held) ||
	            strcmp(conditions[CONDITION_PROGRAMMED].reason, "Pending") == 0))
		return false;
	scoped_json *status =
	    status_encode(reporter->world, declared, holding, conditions, held, now);
	const char *text = json_print(status);
	uint64_t hash = hash_bytes(HASH_START, text, strlen(text));
	if (hash == declared->status_hash)
		return true;
	tell_event(reporter, declared, &conditions[CONDITION_READY]);
	expect(declared, conditions, now, hash);
	declared->retry_at = clock_seconds() + spacing_s;
	send(reporter, declared, status);
	return true;
}
