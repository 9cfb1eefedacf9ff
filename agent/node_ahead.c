/* The API server went back in time (etcd was restored from a backup): it shows a spec that
 * may not follow the one in force (N3, N4). The grants in force stay, and the controller is
 * told what they are, so that it asks all nodes before it gives anything away. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "agent/answer.h"
#include "agent/node_private.h"
#include "agent/status.h"
#include "agent/sync.h"
#include "core/file.h"
#include "core/mem.h"
#include "node/lease_store.h"
#include "table/json.h"

static int
read_head(const struct node *node, struct grant_head *ret_head, struct err *err)
{
	scoped_buf file = buf_make(TABLE_BYTES_MAX);
	int rc = file_read(node->spec.root, "node", &file, NULL);

	if (rc == 0 && node_spec_in_force(buf_string(&file), file.length, ret_head))
		return 0;
	return err_set(err, ENOENT, "the node's table was taken away after a spec was refused for it");
}

/* Once for each: the object has it already when only our own answer changed it. */
static void
send_once(struct node *node, struct json_object *object, struct json_object *patch)
{
	if (!json_object_equal(
	        json_path(object, "status.answer"), json_path(patch, "status.answer")))
		status_send(node->status, STATUS_AHEAD, patch);
}

static int
send_what_is(struct node *node, const struct object_id *id, struct json_object *object,
    struct err *err)
{
	scoped_free struct lease *leases = NULL;
	struct grant_head head;
	struct answer_facts facts = {.ahead = true, .boot_id = node->spec.boot_id, .head = &head,
	    .tables_ahead = sync_tables_ahead(node->spec.sync), .conditions = &node->conditions};
	int rc = read_head(node, &head, err);

	if (!rc)
		rc = lease_list(node->spec.path, &leases, &facts.lease_count, err);
	if (!rc && !node_is_marked(node))
		rc = err_set(err, ENOENT, "the marker of this boot was taken away");
	if (rc)
		return rc;
	(void)snprintf(head.object, sizeof(head.object), "%s", id->uid);
	facts.leases = leases;
	scoped_json *patch = answer_patch(&facts);
	node_remember(node, mem_take(&leases), facts.lease_count);
	send_once(node, object, patch);
	return 0;
}

void
node_tell_ahead(struct node *node, const struct object_id *id, struct json_object *object)
{
	struct err err = {0};

	/* what was answered before is no answer to this one */
	json_object_put(node->in_force.object);
	node->in_force.object = NULL;
	node->again = status_busy(node->status);
	if (!node->again && send_what_is(node, id, object, &err)) {
		node_hold(&node->pending, id, object);
		node_try_again(node, &err);
		return;
	}
	/* until the API server has it */
	if (node->again || status_busy(node->status)) {
		node_hold(&node->pending, id, object);
		return;
	}
	json_object_put(node->pending.object);
	node->pending.object = NULL;
}

void
node_ahead_told(struct node *node)
{
	if (node->again)
		return; /* a newer object is pending */
	json_object_put(node->pending.object);
	node->pending.object = NULL;
}
