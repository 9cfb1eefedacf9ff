/* Pods, as far as a status tells about them (world.h). */
#include <json-c/json.h>
#include <string.h>

#include "controller/world_private.h"
#include "core/mem.h"
#include "table/grant.h"
#include "table/json.h"

int
pod_compare(const void *a, const void *b)
{
	return strcmp(((const struct pod *)a)->key, ((const struct pod *)b)->key);
}

void
pod_free(void *item)
{
	struct pod *pod = item;

	mem_free(pod->key);
	mem_free(pod->uid);
	mem_free(pod->node);
	mem_free(pod->owner);
	mem_free(pod);
}

const struct pod *
world_find_pod(const struct world *world, const char *namespace, const char *name)
{
	scoped_free char *key = mem_format("%s/%s", namespace, name);
	struct pod wanted = {.key = key};

	return tree_find(&world->pods, &wanted);
}

static void
report_users(struct world *world, const struct target *target)
{
	for (size_t i = 0; target && i < target->user_count; i++)
		world_want_report(world, target->users[i]);
}

/* Those whose status tells about this pod: by name, as rows are, whoever owns it. */
static void
report_pod(struct world *world, const struct object_id *id)
{
	const char *dash = strrchr(id->name, '-');

	report_users(world, target_find(world, "Pod", id->namespace, id->name));
	if (!dash)
		return;
	scoped_free char *set = mem_format("%.*s", (int)(dash - id->name), id->name);
	report_users(world, target_find(world, "StatefulSet", id->namespace, set));
}

static bool
phase_is(struct json_object *object, const char *phase)
{
	const char *text = json_path_text(object, "status.phase");

	return text && strcmp(text, phase) == 0;
}

/* metadata.ownerReferences: the one with controller true. */
static char *
controlling_owner(struct json_object *object)
{
	struct json_object *owners = json_path(object, "metadata.ownerReferences");
	size_t count =
	    json_object_is_type(owners, json_type_array) ? json_object_array_length(owners) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *owner = json_object_array_get_idx(owners, i);
		const char *kind = json_path_text(owner, "kind");
		const char *name = json_path_text(owner, "name");
		if (kind && name && json_object_get_boolean(json_path(owner, "controller")))
			return mem_format("%s/%s", kind, name);
	}
	return NULL;
}

static const char *
annotation(struct json_object *object, const char *key)
{
	struct json_object *annotations = json_path(object, "metadata.annotations");
	struct json_object *value = NULL;

	return annotations && json_object_object_get_ex(annotations, key, &value) &&
	        json_object_is_type(value, json_type_string)
	    ? json_object_get_string(value) : NULL;
}

/* pkg/kubelet/types/pod_update.go: ConfigMirrorAnnotationKey, ConfigHashAnnotationKey. */
const char *
world_pod_uid(struct json_object *object)
{
	const char *hash = annotation(object, "kubernetes.io/config.hash");

	/* whoever may make a pod may write there what no UID is */
	if (hash && grant_uid_valid(hash) && annotation(object, "kubernetes.io/config.mirror"))
		return hash;
	return json_path_text(object, "metadata.uid");
}

static struct pod *
decode_pod(const struct object_id *id, struct json_object *object)
{
	struct pod *pod = mem_new(1, sizeof(*pod));
	const char *uid = world_pod_uid(object);

	pod->key = mem_format("%s/%s", id->namespace, id->name);
	pod->uid = mem_text(uid ? uid : id->uid);
	pod->node = mem_text(json_path_text(object, "spec.nodeName"));
	pod->owner = controlling_owner(object);
	pod->terminating = json_path_text(object, "metadata.deletionTimestamp") != NULL;
	pod->ended = phase_is(object, "Succeeded") || phase_is(object, "Failed");
	pod->running = phase_is(object, "Running");
	return pod;
}

void
world_pod_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct world *world = cookie;
	struct pod *pod = decode_pod(id, object);
	struct pod *old = tree_remove(&world->pods, pod);

	(void)tree_add(&world->pods, pod);
	report_pod(world, id);
	if (old)
		pod_free(old);
}

void
world_pod_gone(void *cookie, const struct object_id *id)
{
	struct world *world = cookie;
	scoped_free char *key = mem_format("%s/%s", id->namespace, id->name);
	struct pod wanted = {.key = key};
	struct pod *old = tree_remove(&world->pods, &wanted);

	if (!old)
		return;
	report_pod(world, id);
	pod_free(old);
}
