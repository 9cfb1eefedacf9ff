#include "controller/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "controller/validate.h"
#include "core/hash.h"
#include "core/mem.h"
#include "table/json.h"

static int
compare_declared(const void *a, const void *b)
{
	return strcmp(((const struct declared *)a)->uid, ((const struct declared *)b)->uid);
}

static int
compare_named(const void *a, const void *b)
{
	return strcmp(((const struct declared *)a)->path, ((const struct declared *)b)->path);
}

/* Oldest first: the order of rule R4, so that a start decides as history did. */
static int
compare_work(const void *a, const void *b)
{
	const struct declared *x = a;
	const struct declared *y = b;
	int order = strcmp(x->created, y->created);

	return order ? order : strcmp(x->uid, y->uid);
}

static int
compare_target(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->key, ((const struct target *)b)->key);
}

static int
compare_pod(const void *a, const void *b)
{
	return strcmp(((const struct pod *)a)->key, ((const struct pod *)b)->key);
}

struct world *
world_new(void)
{
	struct world *world = mem_new(1, sizeof(*world));

	world->declared = tree_make(compare_declared);
	world->named = tree_make(compare_named);
	world->work = tree_make(compare_work);
	world->targets = tree_make(compare_target);
	world->pods = tree_make(compare_pod);
	return world;
}

static void
free_declared(void *item)
{
	struct declared *declared = item;

	allocation_free(declared->spec);
	mem_free(declared->namespace);
	mem_free(declared->name);
	mem_free(declared->uid);
	mem_free(declared->created);
	mem_free(declared->path);
	mem_free(declared);
}

static void
free_target(void *item)
{
	struct target *target = item;

	mem_free(target->key);
	mem_free(target->users);
	mem_free(target);
}

static void
free_pod(void *item)
{
	struct pod *pod = item;

	mem_free(pod->key);
	mem_free(pod->uid);
	mem_free(pod->node);
	mem_free(pod->owner);
	mem_free(pod);
}

void
world_free(struct world *world)
{
	if (!world)
		return;
	tree_release(&world->work, NULL);
	tree_release(&world->named, NULL);
	tree_release(&world->declared, free_declared);
	tree_release(&world->targets, free_target);
	tree_release(&world->pods, free_pod);
	for (size_t i = 0; i < world->gone_count; i++)
		mem_free(world->gone[i]);
	mem_free(world->gone);
	mem_free(world);
}

/* ---- marks -------------------------------------------------------------- */

void
world_want_arbitration(struct world *world, struct declared *declared)
{
	declared->arbitrate = true;
	world_want_report(world, declared);
}

void
world_want_report(struct world *world, struct declared *declared)
{
	declared->report = true;
	(void)tree_add(&world->work, declared);
}

static void
leave_work(struct world *world, struct declared *declared)
{
	if (!declared->arbitrate && !declared->report)
		(void)tree_remove(&world->work, declared);
}

void
world_arbitrated(struct world *world, struct declared *declared)
{
	declared->arbitrate = false;
	leave_work(world, declared);
}

void
world_reported(struct world *world, struct declared *declared)
{
	declared->report = false;
	leave_work(world, declared);
}

/* ---- targets ------------------------------------------------------------ */

static struct target *
find_target(const struct world *world, const char *kind, const char *namespace, const char *name)
{
	scoped_free char *key = mem_format("%s/%s/%s", kind, namespace, name);
	struct target wanted = {.key = key};

	return tree_find(&world->targets, &wanted);
}

static struct target *
make_target(struct world *world, const char *kind, const char *namespace, const char *name)
{
	struct target *target = find_target(world, kind, namespace, name);

	if (target)
		return target;
	target = mem_new(1, sizeof(*target));
	target->key = mem_format("%s/%s/%s", kind, namespace, name);
	(void)tree_add(&world->targets, target);
	return target;
}

/* Forgets a target that nobody names and that does not exist. */
static void
drop_target(struct world *world, struct target *target)
{
	if (target->user_count || target->exists)
		return;
	free_target(tree_remove(&world->targets, target));
}

static void
leave_target(struct world *world, struct declared *declared)
{
	struct target *target = declared->target;

	if (!target)
		return;
	for (size_t i = 0; i < target->user_count; i++)
		if (target->users[i] == declared) {
			target->users[i] = target->users[--target->user_count];
			break;
		}
	declared->target = NULL;
	drop_target(world, target);
}

static void
join_target(struct world *world, struct declared *declared)
{
	struct target *target = make_target(world, target_kind_name(declared->spec->kind),
	    declared->namespace, declared->spec->target);

	if (declared->target == target)
		return;
	leave_target(world, declared);
	target->users = mem_resize(target->users, target->user_count + 1, sizeof(*target->users));
	target->users[target->user_count++] = declared;
	declared->target = target;
}

/* ---- allocations -------------------------------------------------------- */

struct declared *
world_find(const struct world *world, const char *uid)
{
	scoped_free char *copy = mem_text(uid);
	struct declared wanted = {.uid = copy};

	return tree_find(&world->declared, &wanted);
}

struct declared *
world_find_named(const struct world *world, const char *allocation)
{
	scoped_free char *copy = mem_text(allocation);
	struct declared wanted = {.path = copy};

	return tree_find(&world->named, &wanted);
}

static const char *const condition_types[CONDITIONS] = {"Accepted", "Programmed", "Ready"};

static void
read_condition(struct declared *declared, struct json_object *condition)
{
	const char *type = json_path_text(condition, "type");

	for (int i = 0; type && i < CONDITIONS; i++) {
		struct condition_seen *seen = &declared->conditions[i];
		if (strcmp(type, condition_types[i]) != 0)
			continue;
		const char *status = json_path_text(condition, "status");
		const char *since = json_path_text(condition, "lastTransitionTime");
		const char *reason = json_path_text(condition, "reason");
		(void)snprintf(seen->status, sizeof(seen->status), "%s", status ? status : "");
		(void)snprintf(seen->since, sizeof(seen->since), "%s", since ? since : "");
		(void)snprintf(seen->reason, sizeof(seen->reason), "%s", reason ? reason : "");
	}
}

static void
read_status(struct declared *declared, struct json_object *object)
{
	struct json_object *status = json_path(object, "status");
	struct json_object *conditions = json_path(status, "conditions");
	const char *text = status ? json_print(status) : "";

	declared->status_hash = hash_bytes(HASH_START, text, strlen(text));
	memset(declared->conditions, 0, sizeof(declared->conditions));
	size_t count = json_object_is_type(conditions, json_type_array)
	    ? json_object_array_length(conditions) : 0;
	for (size_t i = 0; i < count; i++)
		read_condition(declared, json_object_array_get_idx(conditions, i));
}

static void
read_spec(struct world *world, struct declared *declared, struct json_object *object)
{
	struct allocation *spec = NULL;
	int rc = allocation_decode(json_path(object, "spec"), &spec, &declared->invalid);

	if (!rc && validate(spec, &declared->invalid)) {
		allocation_free(spec);
		spec = NULL;
	}
	allocation_free(declared->spec);
	declared->spec = spec;
	if (spec)
		join_target(world, declared);
	else
		leave_target(world, declared);
}

static struct declared *
make_declared(struct world *world, const struct object_id *id, struct json_object *object)
{
	struct declared *declared = mem_new(1, sizeof(*declared));
	const char *created = json_path_text(object, "metadata.creationTimestamp");

	declared->namespace = mem_text(id->namespace);
	declared->name = mem_text(id->name);
	declared->path = mem_format("%s/%s", id->namespace, id->name);
	declared->uid = mem_text(id->uid);
	declared->created = mem_text(created ? created : "");
	declared->generation = -1;
	(void)tree_add(&world->declared, declared);
	(void)tree_add(&world->named, declared);
	return declared;
}

void
world_allocation_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct world *world = cookie;
	struct declared *declared = world_find(world, id->uid);
	int64_t generation = json_path_number(object, "metadata.generation", 0);

	if (!declared)
		declared = make_declared(world, id, object);
	read_status(declared, object);
	if (generation != declared->generation) {
		declared->generation = generation;
		read_spec(world, declared, object);
		world_want_arbitration(world, declared);
	} else {
		world_want_report(world, declared);
	}
}

void
world_allocation_gone(void *cookie, const struct object_id *id)
{
	struct world *world = cookie;
	struct declared *declared = world_find(world, id->uid);

	if (!declared)
		return;
	world->gone = mem_resize(world->gone, world->gone_count + 1, sizeof(*world->gone));
	world->gone[world->gone_count++] = mem_text(id->uid);
	leave_target(world, declared);
	(void)tree_remove(&world->work, declared);
	(void)tree_remove(&world->named, declared);
	(void)tree_remove(&world->declared, declared);
	free_declared(declared);
}

char *
world_next_gone(struct world *world)
{
	if (!world->gone_count)
		return NULL;
	char *uid = world->gone[0];
	world->gone_count--;
	memmove(world->gone, world->gone + 1, world->gone_count * sizeof(*world->gone));
	return uid;
}

char *
world_pod_name(const struct declared *declared, unsigned index)
{
	if (declared->spec->kind == TARGET_POD)
		return mem_text(declared->spec->target);
	return mem_format("%s-%lld", declared->spec->target,
	    (long long)(declared->target->start + index));
}

/* ---- StatefulSets ------------------------------------------------------- */

void
world_stateful_set_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct world *world = cookie;
	struct target *target = make_target(world, "StatefulSet", id->namespace, id->name);
	int64_t start = json_path_number(object, "spec.ordinals.start", 0);
	int64_t replicas = json_path_number(object, "spec.replicas", 1);
	bool moved = target->start != start; /* other pods, other rows */

	if (target->exists && !moved && target->replicas == replicas)
		return; /* its status changed, which is nothing to us */
	target->exists = true;
	target->start = start;
	target->replicas = replicas;
	for (size_t i = 0; i < target->user_count; i++)
		if (moved)
			world_want_arbitration(world, target->users[i]);
		else
			world_want_report(world, target->users[i]);
}

void
world_stateful_set_gone(void *cookie, const struct object_id *id)
{
	struct world *world = cookie;
	struct target *target = find_target(world, "StatefulSet", id->namespace, id->name);

	if (!target)
		return;
	/* start stays: its pods may still be there, and their rows with them */
	target->exists = false;
	target->replicas = 0;
	for (size_t i = 0; i < target->user_count; i++)
		world_want_report(world, target->users[i]);
	drop_target(world, target);
}

/* ---- pods --------------------------------------------------------------- */

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

/* Those whose status tells about this pod. */
static void
report_pod(struct world *world, const struct pod *pod, const struct object_id *id)
{
	report_users(world, find_target(world, "Pod", id->namespace, id->name));
	if (pod->owner)
		report_users(world, find_target(world, "StatefulSet", id->namespace, pod->owner));
}

static const char *
stateful_set_owner(struct json_object *object)
{
	struct json_object *owners = json_path(object, "metadata.ownerReferences");
	size_t count = json_object_is_type(owners, json_type_array)
	    ? json_object_array_length(owners) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *owner = json_object_array_get_idx(owners, i);
		const char *kind = json_path_text(owner, "kind");
		if (kind && strcmp(kind, "StatefulSet") == 0)
			return json_path_text(owner, "name");
	}
	return NULL;
}

static bool
phase_is(struct json_object *object, const char *phase)
{
	const char *text = json_path_text(object, "status.phase");

	return text && strcmp(text, phase) == 0;
}

static struct pod *
decode_pod(const struct object_id *id, struct json_object *object)
{
	struct pod *pod = mem_new(1, sizeof(*pod));

	pod->key = mem_format("%s/%s", id->namespace, id->name);
	pod->uid = mem_text(id->uid);
	pod->node = mem_text(json_path_text(object, "spec.nodeName"));
	pod->owner = mem_text(stateful_set_owner(object));
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
	if (old)
		report_pod(world, old, id);
	report_pod(world, pod, id);
	if (old)
		free_pod(old);
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
	report_pod(world, old, id);
	free_pod(old);
}
