/* Workloads: those that an allocation names, and StatefulSets that exist (world.h). */
#include <string.h>

#include "controller/world_private.h"
#include "core/mem.h"
#include "table/json.h"

int
target_compare(const void *a, const void *b)
{
	return strcmp(((const struct target *)a)->key, ((const struct target *)b)->key);
}

void
target_free(void *item)
{
	struct target *target = item;

	mem_free(target->key);
	mem_free(target->users);
	mem_free(target);
}

struct target *
target_find(const struct world *world, const char *kind, const char *namespace, const char *name)
{
	scoped_free char *key = mem_format("%s/%s/%s", kind, namespace, name);
	struct target wanted = {.key = key};

	return tree_find(&world->targets, &wanted);
}

static struct target *
make_target(struct world *world, const char *kind, const char *namespace, const char *name)
{
	struct target *target = target_find(world, kind, namespace, name);

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
	target_free(tree_remove(&world->targets, target));
}

void
target_leave(struct world *world, struct declared *declared)
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

void
target_join(struct world *world, struct declared *declared)
{
	struct target *target = make_target(world, target_kind_name(declared->spec->kind),
	    declared->namespace, declared->spec->target);

	if (declared->target == target)
		return;
	target_leave(world, declared);
	target->users = mem_resize(target->users, target->user_count + 1, sizeof(*target->users));
	target->users[target->user_count++] = declared;
	declared->target = target;
}

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
	struct target *target = target_find(world, "StatefulSet", id->namespace, id->name);

	if (!target)
		return;
	/* start stays: its pods may still be there, and their rows with them */
	target->exists = false;
	target->replicas = 0;
	for (size_t i = 0; i < target->user_count; i++)
		world_want_report(world, target->users[i]);
	drop_target(world, target);
}
