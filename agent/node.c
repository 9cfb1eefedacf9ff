/* What the agent does with its node's StaticIPNode is on_changed and take, the first
 * functions below: is this boot known and marked (node_boot.c), and may its spec follow the
 * one in force (node_spec.h), then it becomes the file `node`; and only then are the leases looked at, and what was revoked is answered
 * for (answer.h). That order is the proof that the controller goes by: a plugin that
 * looked at `node` before this point wrote its lease before that look, so the agent
 * sees the lease; one that looks later finds its grant gone (DESIGN.md, section 7 of
 * the project; model: rule SCAN_FIRST). */
#include "agent/node.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/answer.h"
#include "agent/host_view.h"
#include "agent/lease_watch.h"
#include "agent/node_private.h"
#include "agent/node_spec.h"
#include "agent/status.h"
#include "agent/sync.h"
#include "agent/tend.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/event.h"
#include "net/kube.h"
#include "net/watch.h"
#include "node/lease_store.h"
#include "table/json.h"

#define NODES "/apis/staticip.dev/v1alpha1/staticipnodes"
static const double retry_first_s = 0.5;
static const double retry_last_s = 30;

static void refuse(struct node *node, const struct object_id *id, const struct err *why);
static int publish(struct node *node, const struct node_spec *next, struct err *err);
static void answer(struct node *node);
static void go_on(struct node *node);

static void
take(struct node *node, const struct object_id *id, struct json_object *object)
{
	struct node_spec next;
	struct err err = {0};
	int rc = node_spec_read(object, node->spec.node_name, id->uid, &next, &err);

	if (rc) {
		refuse(node, id, &err);
		return;
	}
	rc = publish(node, &next, &err);
	if (rc == 0) {
		node_hold(&node->in_force, id, object);
		json_object_put(node->pending.object); /* older, if it is there */
		node->pending.object = NULL;
		tend_order(node->tend, &next);
	}
	node_spec_release(&next);
	if (rc == 0) {
		status_compare(node->status, object);
		answer(node);
	} else if (err.code > ERR_CODE_OWN) {
		refuse(node, id, &err);
		node_tell_ahead(node, id, object);
	} else {
		node_hold(&node->pending, id, object);
		node_try_again(node, &err);
	}
}

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct node *node = cookie;

	conditions_resume(&node->conditions, json_path(object, "status"));
	if (node_admit(node, id, object))
		take(node, id, object);
}

/* ---- its steps -------------------------------------------------------------- */

void
node_hold(struct held *held, const struct object_id *id, struct json_object *object)
{
	struct json_object *before = held->object; /* may be the same */

	held->object = json_object_get(object);
	json_object_put(before);
	(void)snprintf(held->uid, sizeof(held->uid), "%s", id->uid);
}

static int
publish(struct node *node, const struct node_spec *next, struct err *err)
{
	scoped_buf in_force = buf_make(TABLE_BYTES_MAX);
	int rc = file_read(node->spec.root, "node", &in_force, NULL);
	int step = node_spec_successor(
	    next, rc ? NULL : buf_string(&in_force), in_force.length, err);

	if (step != NODE_PUBLISH)
		return step < 0 ? step : 0;
	rc = file_replace(node->spec.root, "node", buf_string(&next->text), next->text.length,
	    0644, FILE_SYNC_NONE, err);
	if (!rc)
		log_line(LOG_LEVEL_DEBUG, "node table: serial %" PRIu64 " of epoch %s is in force",
		    next->head.serial, next->head.epoch);
	return rc;
}

/* Each fault is said once. */
static bool
is_news(struct node *node, const char *text)
{
	if (strcmp(node->last_fault, text) == 0)
		return false;
	(void)snprintf(node->last_fault, sizeof(node->last_fault), "%s", text);
	return true;
}

void
node_tell(struct node *node, bool warning, const char *reason, const char *action,
    const char *note, const char *uid)
{
	struct event_subject subject = {.api_version = "staticip.dev/v1alpha1",
	    .kind = "StaticIPNode", .name = node->spec.node_name, .uid = uid};

	log_line(warning ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "%s", note);
	(void)recorder_event(node->spec.recorder, &subject, warning, reason, action, note);
}

static void
refuse(struct node *node, const struct object_id *id, const struct err *why)
{
	if (why->code >= NODE_N1_HEAD && why->code <= NODE_N4_BYTES)
		node->state.refusals[why->code - NODE_N1_HEAD]++;
	if (!is_news(node, why->text))
		return;
	scoped_free char *note = mem_format("StaticIPNode %s is refused by rule %s; the grants in "
	    "force on the node stay until the controller has written it anew", id->name, why->text);
	node_tell(node, true, "NodeTableRefused", "KeepLastGood", note, id->uid);
}

void
node_try_again(struct node *node, const struct err *why)
{
	if (is_news(node, why->text))
		log_line(LOG_LEVEL_ERROR, "StaticIPNode %s: %s; trying again in %.1f s",
		    node->spec.node_name, why->text, node->retry_s);
	ev_timer_stop(node->spec.loop, &node->retry);
	ev_timer_set(&node->retry, node->retry_s, 0.);
	ev_timer_start(node->spec.loop, &node->retry);
	node->retry_s *= 2;
	if (node->retry_s > retry_last_s)
		node->retry_s = retry_last_s;
}

/* Not after a fault that is still there. */
static void
on_done(void *cookie, enum status_word word, const struct err *why)
{
	struct node *node = cookie;

	if (why) {
		node->state.failures += word == STATUS_ANSWER;
		/* another one by now, or one that is gone without our knowing: the watch
		 * brings what ends this */
		if (node->in_force.object || node->pending.object)
			node_try_again(node, why);
		return;
	}
	if (word == STATUS_CONDITIONS)
		return;
	if (word == STATUS_AHEAD)
		node_ahead_told(node);
	if (word == STATUS_ANSWER) {
		node->state.answers++;
		node->state.serial = node->sent_serial;
	}
	if (word == STATUS_BOOT)
		node_boot_told(node);
	else if (!node->pending.object)
		ev_timer_stop(node->spec.loop, &node->retry);
	node->retry_s = retry_first_s;
	node->last_fault[0] = '\0';
	if (node->again)
		go_on(node);
}

static void
judge_ready(struct node *node)
{
	bool live = sync_state(node->spec.sync).live;
	uint64_t now = (uint64_t)time(NULL);
	struct condition *lost = &node->conditions.list[CONDITION_LEASES_LOST];

	condition_put(&node->conditions, CONDITION_READY, live, live ? "Serving" : "NoTables",
	    live ? "" : "not all tables were published on this node since it booted; pods wait "
	                "(CNI error 104) until the controller has written them",
	    now);
	if (!lost->present)
		condition_put(
		    &node->conditions, CONDITION_LEASES_LOST, false, "Marked", "", now);
	if (!node->spec.view->seen)
		condition_put(&node->conditions, CONDITION_HOST_VIEW, false, "NotSeen",
		    node->spec.view->why, now);
}

/* The marker is gone, and perhaps the leases with it: as at the start of a boot. */
static void
begin_anew(struct node *node)
{
	struct object_id id = {.uid = node->in_force.uid};
	struct err err = {0};

	if (!node->pending.object)
		node_hold(&node->pending, &id, node->in_force.object);
	(void)err_set(&err, ENOENT, "somebody removed the marker of this boot, or its leases, from %s",
	    node->spec.path);
	node_try_again(node, &err);
}

static void
count_leases(struct node *node, const struct answer_facts *facts)
{
	node->state.leases = facts->lease_count;
	node->state.busy = 0;
	for (unsigned i = 0; i < facts->revoked_count; i++)
		node->state.busy += answer_busy(facts, facts->revoked[i].uid);
}

static void
look_and_send(struct node *node, const struct node_spec *spec)
{
	scoped_free struct lease *leases = NULL;
	struct answer_facts facts = {.boot_id = node->spec.boot_id, .head = &spec->head,
	    .revoked = spec->revoked, .revoked_count = spec->revoked_count,
	    .grants_required = sync_grants_required(node->spec.sync),
	    .tables_ahead = sync_tables_ahead(node->spec.sync),
	    .conditions = &node->conditions};
	struct err err = {0};

	if (lease_list(node->spec.path, &leases, &facts.lease_count, &err)) {
		node_try_again(node, &err); /* what is not known is not answered */
		return;
	}
	/* after the leases: a directory that was emptied before has none (model:
	 * NO_MARKER_AFTER_LEASES) */
	if (!node_is_marked(node)) {
		begin_anew(node);
		return;
	}
	facts.leases = leases;
	judge_ready(node);
	count_leases(node, &facts);
	scoped_json *patch = answer_patch(&facts);
	node_remember(node, mem_take(&leases), facts.lease_count);
	node->sent_serial = spec->head.serial;
	status_send(node->status, STATUS_ANSWER, patch);
}

/* Looks at the leases, which is after the table that is in force was put there; one
 * that somebody has removed or damaged since is put there again. */
static void
answer(struct node *node)
{
	struct node_spec spec;
	const struct held *held = &node->in_force;
	struct err err = {0};

	node->again = status_busy(node->status);
	if (!held->object || node->again)
		return;
	if (!node_is_marked(node)) {
		begin_anew(node);
		return;
	}
	if (node_spec_read(held->object, node->spec.node_name, held->uid, &spec, &err))
		return; /* it was read before */
	if (publish(node, &spec, &err))
		node_try_again(node, &err);
	else
		look_and_send(node, &spec);
	node_spec_release(&spec);
}

/* ---- when that happens ------------------------------------------------------- */

/* What is pending, or else the answer. */
static void
go_on(struct node *node)
{
	struct held held = node->pending;
	struct object_id id = {.name = node->spec.node_name, .uid = held.uid};

	node->again = false;
	node->pending = (struct held){.object = NULL};
	if (held.object)
		on_changed(node, &id, held.object);
	else
		answer(node);
	json_object_put(held.object);
}

static void
on_retry(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	go_on(timer->data);
}

/* Not while something is tried again: each news would set its time back and double
 * it. */
static void
on_leases(void *cookie)
{
	node_look(cookie);
}

void
node_look(struct node *node)
{
	if (!ev_is_active(&node->retry))
		answer(node);
}

/* The grants in force stay: pods that have one can be made again (I9). */
static void
on_gone(void *cookie, const struct object_id *id)
{
	struct node *node = cookie;

	/* there is nothing to answer to; as if it had never been seen */
	json_object_put(node->in_force.object);
	json_object_put(node->pending.object);
	node->in_force.object = node->pending.object = NULL;
	log_line(LOG_LEVEL_WARN, "StaticIPNode %s is gone; the grants in force on the node stay "
	    "until the controller has made it anew", id->name);
}

static void
on_synced(void *cookie)
{
	struct node *node = cookie;

	if (!node->in_force.object && !node->pending.object)
		node_admit_none(node);
}

/* Somebody's pod was cut off, or could not be. */
static void
on_tended(void *cookie, const char *reason, const char *action, const char *note)
{
	struct node *node = cookie;

	node_tell(node, true, reason, action, note, node->in_force.uid);
}

static void
on_fault(void *cookie, const struct err *err)
{
	struct node *node = cookie;

	log_line(LOG_LEVEL_WARN, "watching this node's StaticIPNode: %s", err->text);
	if (err->code == ENOTRECOVERABLE)
		node->spec.went_back(node->spec.cookie, err);
}

static const struct watch_events events = {
    .changed = on_changed,
    .gone = on_gone,
    .synced = on_synced,
    .fault = on_fault,
};

static void
start(struct node *node)
{
	struct watch_spec watch = {.path = NODES, .events = &events, .cookie = node};
	struct status_spec status = {.kube = node->spec.kube,
	    .node_name = node->spec.node_name, .done = on_done, .cookie = node};
	struct tend_spec tend = {.loop = node->spec.loop, .root = node->spec.path,
	    .view = node->spec.view, .tell = on_tended, .cookie = node};

	node->serving = node_is_marked(node);
	node->status = status_new(&status);
	node->tend = tend_new(&tend);
	watch.field_selector = node->selector;
	node->watch = watch_new(node->spec.loop, node->spec.kube, &watch);
	if (!node->spec.view->seen)
		log_line(LOG_LEVEL_ERROR, "%s", node->spec.view->why);
}

struct node *
node_new(const struct node_spec_of_agent *spec, struct err *err)
{
	/* of a predecessor that was killed while it wrote `node` */
	if (file_sweep(spec->root, err))
		return NULL;
	struct node *node = mem_new(1, sizeof(*node));

	node->spec = *spec;
	node->retry_s = retry_first_s;
	node->selector = mem_format("metadata.name=%s", spec->node_name);
	ev_timer_init(&node->retry, on_retry, 0., 0.);
	node->retry.data = node;
	node->leases = lease_watch_new(spec->loop, spec->path, on_leases, node, err);
	if (!node->leases) {
		node_free(node);
		return NULL;
	}
	start(node);
	return node;
}

void
node_free(struct node *node)
{
	if (!node)
		return;
	ev_timer_stop(node->spec.loop, &node->retry);
	if (node->watch)
		watch_free(node->watch);
	status_free(node->status);
	tend_free(node->tend);
	lease_watch_free(node->leases);
	json_object_put(node->in_force.object);
	json_object_put(node->pending.object);
	mem_free(node->seen);
	mem_free(node->selector);
	mem_free(node);
}

struct node_state
node_state(const struct node *node)
{
	struct node_state state = node->state;

	state.watch = watch_stats(node->watch);
	state.listed = state.watch->synced;
	return state;
}
