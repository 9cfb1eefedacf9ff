/* What the agent does with its node's StaticIPNode is on_changed, the first function
 * below: may its spec follow the one in force (node_spec.h), then it becomes the file
 * `node`; and only then are the leases looked at, and what was revoked is answered
 * for (answer.h). That order is the proof that the controller goes by: a plugin that
 * looked at `node` before this point wrote its lease before that look, so the agent
 * sees the lease; one that looks later finds its grant gone (DESIGN.md, section 7 of
 * the project; model: rule SCAN_FIRST). */
#include "agent/node.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent/answer.h"
#include "agent/lease_watch.h"
#include "agent/node_spec.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "net/event.h"
#include "net/kube.h"
#include "net/watch.h"
#include "node/lease_store.h"
#include "table/json.h"

#define NODES "/apis/staticip.dev/v1alpha1/staticipnodes"
static const double answer_deadline_s = 10;
static const double retry_first_s = 0.5;
static const double retry_last_s = 30;

/* An object of the watch that outlives its callback. */
struct held {
	struct json_object *object; /* NULL = none */
	char uid[POD_UID_MAX + 1];
};

struct node {
	struct node_spec_of_agent spec;
	struct watch *watch;
	struct lease_watch *leases;
	struct ev_timer retry;
	double retry_s;
	char *selector;
	char *status_path;
	struct held in_force;   /* what readers see, and what is answered */
	struct held pending;    /* what the node's file system would not take yet */
	struct kube_call *call;     /* an answer on its way */
	bool again;                 /* something changed since it was sent */
	struct json_object *sent;   /* the patch on its way, or acknowledged last */
	char last_fault[ERR_TEXT_MAX];
};

static void hold(struct held *held, const struct object_id *id, struct json_object *object);
static void refuse(struct node *node, const struct object_id *id, const struct err *why);
static int publish(struct node *node, const struct node_spec *next, struct err *err);
static void compare_answer(struct node *node, struct json_object *object);
static void answer(struct node *node);
static void try_again(struct node *node, const struct err *why);

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct node *node = cookie;
	struct node_spec next;
	struct err err = {0};
	int rc = node_spec_read(object, node->spec.node_name, id->uid, &next, &err);

	if (rc) {
		refuse(node, id, &err);
		return;
	}
	rc = publish(node, &next, &err);
	if (rc == 0) {
		hold(&node->in_force, id, object);
		json_object_put(node->pending.object); /* older, if it is there */
		node->pending.object = NULL;
	}
	node_spec_release(&next);
	if (rc == 0) {
		compare_answer(node, object);
		answer(node);
	} else if (err.code > ERR_CODE_OWN) {
		refuse(node, id, &err);
	} else {
		hold(&node->pending, id, object);
		try_again(node, &err);
	}
}

/* ---- its steps -------------------------------------------------------------- */

static void
hold(struct held *held, const struct object_id *id, struct json_object *object)
{
	json_object_put(held->object);
	held->object = json_object_get(object);
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

static void
refuse(struct node *node, const struct object_id *id, const struct err *why)
{
	struct event_subject subject = {.api_version = "staticip.dev/v1alpha1",
	    .kind = "StaticIPNode", .name = id->name, .uid = id->uid};

	if (!is_news(node, why->text))
		return;
	scoped_free char *note = mem_format("StaticIPNode %s is refused by rule %s; the grants in "
	    "force on the node stay until the controller has written it anew", id->name, why->text);
	log_line(LOG_LEVEL_ERROR, "%s", note);
	(void)recorder_event(
	    node->spec.recorder, &subject, true, "NodeTableRefused", "KeepLastGood", note);
}

static void
try_again(struct node *node, const struct err *why)
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

static void
forget_answer(struct node *node)
{
	json_object_put(node->sent);
	node->sent = NULL;
}

/* What was acknowledged may be overwritten: by a PATCH of ours that was given up and
 * came late, or by a restore of the cluster. An event that is older than our last
 * answer is no harm: the same answer once more changes nothing. */
static void
compare_answer(struct node *node, struct json_object *object)
{
	if (node->sent && !node->call &&
	    !json_object_equal(json_path(object, "status.answer"),
	        json_path(node->sent, "status.answer")))
		forget_answer(node);
}

static void
on_answered(void *cookie, const struct kube_answer *got)
{
	struct node *node = cookie;

	node->call = NULL;
	if (!got->ok) {
		forget_answer(node);
		/* another one by now, or one that is gone without our knowing: the watch
		 * brings what ends this */
		if (node->in_force.object)
			try_again(node, &got->err);
		return;
	}
	if (!node->pending.object)
		ev_timer_stop(node->spec.loop, &node->retry);
	node->retry_s = retry_first_s;
	node->last_fault[0] = '\0';
	if (node->again)
		answer(node);
}

static void
send_answer(struct node *node, struct json_object *patch)
{
	if (node->sent && json_object_equal(node->sent, patch))
		return;
	forget_answer(node);
	node->sent = json_object_get(patch);
	node->call = kube_call(node->spec.kube, "PATCH", node->status_path, NULL,
	    "application/merge-patch+json", patch, answer_deadline_s, on_answered, node);
}

static void
look_and_send(struct node *node, const struct node_spec *spec)
{
	scoped_free struct lease *leases = NULL;
	struct answer_facts facts = {.boot_id = node->spec.boot_id, .head = &spec->head,
	    .revoked = spec->revoked, .revoked_count = spec->revoked_count};
	struct err err = {0};

	if (lease_list(node->spec.path, &leases, &facts.lease_count, &err)) {
		try_again(node, &err); /* what is not known is not answered */
		return;
	}
	facts.leases = leases;
	scoped_json *patch = answer_patch(&facts);
	send_answer(node, patch);
}

/* Looks at the leases, which is after the table that is in force was put there; one
 * that somebody has removed or damaged since is put there again. */
static void
answer(struct node *node)
{
	struct node_spec spec;
	const struct held *held = &node->in_force;
	struct err err = {0};

	node->again = node->call != NULL;
	if (!held->object || node->call)
		return;
	if (node_spec_read(held->object, node->spec.node_name, held->uid, &spec, &err))
		return; /* it was read before */
	if (publish(node, &spec, &err))
		try_again(node, &err);
	else
		look_and_send(node, &spec);
	node_spec_release(&spec);
}

/* ---- when that happens ------------------------------------------------------- */

static void
on_retry(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct node *node = timer->data;
	struct held held = node->pending;
	struct object_id id = {.name = node->spec.node_name, .uid = held.uid};

	(void)loop;
	(void)revents;
	node->pending = (struct held){.object = NULL};
	if (held.object)
		on_changed(node, &id, held.object);
	else
		answer(node);
	json_object_put(held.object);
}

/* Not while something is tried again: each news would set its time back and double
 * it. */
static void
on_leases(void *cookie)
{
	struct node *node = cookie;

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
	(void)cookie;
}

static void
on_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	log_line(LOG_LEVEL_WARN, "watching this node's StaticIPNode: %s", err->text);
}

static const struct watch_events events = {
    .changed = on_changed,
    .gone = on_gone,
    .synced = on_synced,
    .fault = on_fault,
};

struct node *
node_new(const struct node_spec_of_agent *spec, struct err *err)
{
	/* of a predecessor that was killed while it wrote `node` */
	if (file_sweep(spec->root, err))
		return NULL;
	struct node *node = mem_new(1, sizeof(*node));
	struct watch_spec watch = {.path = NODES, .events = &events, .cookie = node};

	node->spec = *spec;
	node->retry_s = retry_first_s;
	node->selector = mem_format("metadata.name=%s", spec->node_name);
	node->status_path = mem_format(NODES "/%s/status", spec->node_name);
	ev_timer_init(&node->retry, on_retry, 0., 0.);
	node->retry.data = node;
	node->leases = lease_watch_new(spec->loop, spec->path, on_leases, node, err);
	if (!node->leases) {
		node_free(node);
		return NULL;
	}
	watch.field_selector = node->selector;
	node->watch = watch_new(spec->loop, spec->kube, &watch);
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
	if (node->call)
		kube_cancel(node->call);
	lease_watch_free(node->leases);
	json_object_put(node->in_force.object);
	json_object_put(node->pending.object);
	json_object_put(node->sent);
	mem_free(node->selector);
	mem_free(node->status_path);
	mem_free(node);
}
