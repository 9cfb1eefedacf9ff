#include "controller/world.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <json-c/json.h>

#include "controller/validate.h"
#include "controller/world_private.h"
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

struct world *
world_new(void)
{
	struct world *world = mem_new(1, sizeof(*world));

	world->declared = tree_make(compare_declared);
	world->named = tree_make(compare_named);
	world->work = tree_make(compare_work);
	world->targets = tree_make(target_compare);
	world->pods = tree_make(pod_compare);
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

void
world_free(struct world *world)
{
	if (!world)
		return;
	tree_release(&world->work, NULL);
	tree_release(&world->named, NULL);
	tree_release(&world->declared, free_declared);
	tree_release(&world->targets, target_free);
	tree_release(&world->pods, pod_free);
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
	/* without a valid one it stays a user of the old target, whose ordinals its
	 * rows are made of */
	if (spec)
		target_join(world, declared);
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
	target_leave(world, declared);
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
