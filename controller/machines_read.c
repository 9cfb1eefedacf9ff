/* What a Node object says (machines.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "controller/machines_private.h"
#include "core/mem.h"
#include "table/json.h"

/* The element of an array whose member key is text, or NULL. */
static struct json_object *
find_element(struct json_object *array, const char *key, const char *text)
{
	size_t count = json_object_is_type(array, json_type_array)
			   ? json_object_array_length(array)
			   : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *element = json_object_array_get_idx(array, i);
		const char *found = json_path_text(element, key);
		if (found && strcmp(found, text) == 0)
			return element;
	}
	return NULL;
}

static bool
says_no_agent(struct json_object *object)
{
	struct json_object *labels = json_path(object, "metadata.labels");
	struct json_object *label = NULL;

	return json_object_is_type(labels, json_type_object) &&
	       json_object_object_get_ex(labels, "staticip.dev/agent", &label) &&
	       json_object_is_type(label, json_type_string) &&
	       strcmp(json_object_get_string(label), "none") == 0;
}

static void
set_text(char **text, struct json_object *object, const char *path)
{
	const char *now = json_path_text(object, path);

	mem_free(*text);
	*text = mem_text(now ? now : "");
}

/* Since when it is not Ready counts anew whenever the condition changed: between two
 * looks it may have been Ready, and a kubelet that changes its mind is alive. */
static void
read_ready(struct machines *machines, struct machine *machine, struct json_object *object)
{
	struct json_object *condition =
	    find_element(json_path(object, "status.conditions"), "type", "Ready");
	const char *status = json_path_text(condition, "status");
	const char *changed = json_path_text(condition, "lastTransitionTime");
	bool was_ready = machine->ready;
	char before[sizeof(machine->ready_changed)];

	memcpy(before, machine->ready_changed, sizeof(before));
	(void)snprintf(machine->ready_changed, sizeof(machine->ready_changed), "%s",
	    changed ? changed : "");
	machine->ready = status && strcmp(status, "True") == 0;
	if (machine->ready || (!was_ready && strcmp(before, machine->ready_changed) == 0))
		return;
	machine->not_ready_since = HUGE_VAL;
	machines->undated = true;
}

void
machines_read(
    struct machines *machines, struct machine *machine, struct json_object *object)
{
	set_text(&machine->provider_id, object, "spec.providerID");
	set_text(&machine->system_uuid, object, "status.nodeInfo.systemUUID");
	set_text(&machine->boot_id, object, "status.nodeInfo.bootID");
	machine->out_of_service = find_element(json_path(object, "spec.taints"), "key",
				      "node.kubernetes.io/out-of-service") != NULL;
	machine->no_agent = says_no_agent(object);
	read_ready(machines, machine, object);
}
