/* The annotations of a StaticIPNode: what a controller that starts anew cannot see any
 * more, and what the operator said (holders_private.h). Pure. */
#include <json-c/json.h>
#include <string.h>

#include "controller/holders_private.h"
#include "core/bounds.h"
#include "core/mem.h"
#include "table/json.h"

#define RELEASE "staticip.dev/release"

static struct json_object *
member(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	return object && json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static void
note(struct json_object *notes, const char *key, const char *text)
{
	if (text[0])
		json_put_text(notes, key, text);
	else
		json_object_object_del(notes, key);
}

/* The Node that the name stands for: when it is gone, this is what is left of it. */
static void
note_machine(const struct desk *desk, struct json_object *notes)
{
	const struct machine *machine =
	    machines_find(desk->holders->spec.machines, desk->name);

	if (!machine || machine->gone)
		return;
	note(notes, NODE_UID_NOTE, machine->uid);
	note(notes, NODE_PROVIDER_NOTE, machine->provider_id);
	note(notes, NODE_SYSTEM_NOTE, machine->system_uuid);
}

/* UIDs that hold nothing any more are done; spaces and empty words go. */
static void
prune_release(const struct desk *desk, struct json_object *notes)
{
	const char *text = json_object_get_string(member(notes, RELEASE));
	scoped_buf left = buf_make(ANNOTATION_MAX);

	if (!text)
		return;
	scoped_free char *list = mem_text(text);
	char *rest = list;
	for (char *uid = strsep(&rest, ", "); uid; uid = strsep(&rest, ", "))
		if (uid[0] && ledger_holdings(desk->holders->ledger, uid))
			(void)buf_print(&left, "%s%s", left.length ? "," : "", uid);
	if (left.length)
		json_put_text(notes, RELEASE, buf_string(&left));
	else
		json_object_object_del(notes, RELEASE);
}

struct json_object *
node_notes(const struct desk *desk, const struct stored *seen)
{
	struct json_object *old = json_path(seen->object, "metadata.annotations");
	struct json_object *notes = NULL;

	if (!old || json_object_deep_copy(old, &notes, NULL))
		notes = json_object_new_object();
	note_machine(desk, notes);
	prune_release(desk, notes);
	return notes;
}

bool
node_notes_differ(const struct stored *seen, struct json_object *notes)
{
	struct json_object *is = json_path(seen->object, "metadata.annotations");

	return is ? !json_object_equal(is, notes) : json_object_object_length(notes) > 0;
}
