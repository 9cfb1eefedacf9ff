/* Before anything of a StaticIPNode comes into force: is this boot known to the API server,
 * and are its leases all there? The steps are marker.h's. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/answer.h"
#include "agent/host_view.h"
#include "agent/lease_watch.h"
#include "agent/marker.h"
#include "agent/node_private.h"
#include "agent/publish.h"
#include "agent/regain.h"
#include "agent/status.h"
#include "core/log.h"
#include "core/mem.h"
#include "table/json.h"

/* Told, marked, gone: three steps, and one in reserve for who empties it again. */
enum { STEPS_MAX = 4 };

/* The leases are read by path, the marker by the directory that was opened: both must be
 * one, or the marker speaks for leases of elsewhere. And the marker says nothing without the
 * leases' directory, which is there from the agent's start on. */
bool
node_is_marked(const struct node *node)
{
	return marker_is(node->spec.root, node->spec.boot_id) &&
	    publish_root_is_at(node->spec.path, node->spec.root) &&
	    faccessat(node->spec.root, "leases/by-attachment", F_OK, 0) == 0;
}

static void
serve(struct node *node)
{
	if (node->serving)
		return;
	node->serving = true;
	node->spec.opened(node->spec.cookie);
}

bool
node_may_serve(const struct node *node)
{
	return node->serving && (!node->known || node_is_marked(node));
}

void
node_admit_none(struct node *node)
{
	if (!node->known)
		serve(node);
}

void
node_remember(struct node *node, struct lease *list, size_t count)
{
	mem_free(node->seen);
	node->seen = list;
	node->seen_count = count;
}

static struct boot_facts
look(struct node *node, const struct object_id *id, struct json_object *object)
{
	const char *status = json_path_text(object, "status.bootID");
	struct boot_facts facts = {.marked = node_is_marked(node),
	    .told = (status && strcmp(status, node->spec.boot_id) == 0) ||
	        strcmp(node->told, id->uid) == 0,
	    .fresh = node->fresh};

	node->known = node->known || facts.told;
	facts.known = node->known;
	return facts;
}

/* ---- its steps -------------------------------------------------------------- */

static void
wait_with(struct node *node, const struct object_id *id, struct json_object *object,
    const struct err *why)
{
	node_hold(&node->pending, id, object);
	node_try_again(node, why);
}

static void
tell(struct node *node, const struct object_id *id, struct json_object *object, bool fresh)
{
	node_hold(&node->pending, id, object);
	node->again = true;
	if (status_busy(node->status))
		return;
	node->fresh = fresh;
	(void)snprintf(node->telling, sizeof(node->telling), "%s", id->uid);
	scoped_json *patch = answer_boot_patch(id->uid, node->spec.boot_id);
	status_send(node->status, STATUS_BOOT, patch);
}

void
node_boot_told(struct node *node)
{
	node->known = true;
	memcpy(node->told, node->telling, sizeof(node->told));
}

static int
mark(struct node *node, struct err *err)
{
	int rc = lease_watch_make(node->spec.path, err);

	if (!rc)
		rc = marker_write(node->spec.root, node->spec.boot_id, err);
	if (!rc)
		node->fresh = false;
	return rc;
}

static int
regain(struct node *node, struct json_object *object, size_t *ret_made, struct err *err)
{
	scoped_regain_known known = {.count = 0};

	if (!publish_root_is_at(node->spec.path, node->spec.root))
		return err_set(err, ESTALE, "another directory is at %s by now; the agent ends, to "
		    "start anew with it", node->spec.path);
	if (!node->spec.view->seen)
		return err_set(err, EPERM, "%s", node->spec.view->why);
	regain_add_leases(node->seen, node->seen_count, &known);
	regain_add_node(object, &known);
	if (node->in_force.object != object)
		regain_add_node(node->in_force.object, &known);
	return regain_leases(node->spec.path, &known, ret_made, err);
}

static void
say_lost(struct node *node, const struct object_id *id)
{
	if (node->lost)
		return;
	node->lost = true;
	node->serving = false;
	scoped_free char *note = mem_format("the marker of this boot or its leases are not in %s on node %s: "
	    "somebody emptied the directory; nothing is granted or answered there until the "
	    "leases are made again from the pods' interfaces", node->spec.path,
	    node->spec.node_name);
	node_tell(node, true, "LeasesLost", "Regain", note, id->uid);
}

static void
stay_lost(struct node *node, const struct object_id *id, struct json_object *object,
    const struct err *why)
{
	condition_put(&node->conditions, CONDITION_LEASES_LOST, true, "CannotLook", why->text,
	    (uint64_t)time(NULL));
	condition_put(&node->conditions, CONDITION_READY, false, "LeasesLost",
	    "the leases of this node's pods were lost", (uint64_t)time(NULL));
	wait_with(node, id, object, why);
	if (status_busy(node->status))
		return;
	scoped_json *patch = answer_conditions_patch(id->uid, &node->conditions);
	status_send(node->status, STATUS_CONDITIONS, patch);
}

static bool
find(struct node *node, const struct object_id *id, struct json_object *object)
{
	struct err err = {0};
	size_t made = 0;

	say_lost(node, id);
	int rc = regain(node, object, &made, &err);
	if (!rc)
		rc = mark(node, &err);
	if (rc) {
		stay_lost(node, id, object, &err);
		return false;
	}
	node->lost = false;
	scoped_free char *note = mem_format(
	    "%zu leases were lost and made again from the pods' interfaces", made);
	condition_put(&node->conditions, CONDITION_LEASES_LOST, false, "Regained", note,
	    (uint64_t)time(NULL));
	node_tell(node, false, "LeasesRegained", "Regain", note, id->uid);
	return true;
}

bool
node_admit(struct node *node, const struct object_id *id, struct json_object *object)
{
	struct err err = {0};

	for (unsigned i = 0; i < STEPS_MAX; i++) {
		struct boot_facts facts = look(node, id, object);
		switch (boot_decide(&facts)) {
		case BOOT_GO:
			serve(node);
			return true;
		case BOOT_TELL:
			tell(node, id, object, !facts.marked && !facts.known);
			return false;
		case BOOT_MARK:
			if (mark(node, &err)) {
				wait_with(node, id, object, &err);
				return false;
			}
			break;
		case BOOT_FIND:
			if (!find(node, id, object))
				return false;
			break;
		}
	}
	(void)err_set(&err, EAGAIN, "the marker is taken away as soon as it is written");
	wait_with(node, id, object, &err);
	return false;
}
