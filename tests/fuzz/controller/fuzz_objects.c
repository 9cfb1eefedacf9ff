/* Whatever the API server sends as an allocation, a StatefulSet, a pod or a Node: the
 * world and the machines take it, a status can be printed, and nothing is asserted early. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "controller/machines.h"
#include "controller/status.h"
#include "core/mem.h"
#include "controller/validate.h"
#include "controller/world.h"
#include "table/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_moved(void *cookie, const char *allocation)
{
	(void)cookie;
	(void)allocation;
}

static void
judge(struct world *world)
{
	static const struct tables_events events = {on_moved};
	struct declared *declared = world_find(world, "uid-1");
	struct tables *tables = tables_new(1, &events, NULL);
	struct condition conditions[CONDITIONS];

	status_judge(world, declared, NULL, tables, NULL, conditions);
	scoped_json *status =
	    status_encode(world, declared, NULL, conditions, NULL, "2026-01-01T00:00:00Z");
	(void)json_print(status);
	tables_free(tables);
}

static void
assert_by(const struct object_id *id, struct json_object *object)
{
	struct machines *machines = machines_new(NODE_GONE_SECONDS);

	machines_changed(machines, id, object);
	machines_stamp(machines, 1, "2026-01-01T00:00:00Z");
	machines_gone(machines, id);
	machines_stamp(machines, 2, "2026-01-01T00:00:01Z");
	enum assertion early = machines_assert(machines, id->name, id->uid, true, 60, 60);
	assert(early == ASSERTION_NONE || early == ASSERTION_OUT_OF_SERVICE);
	assert(machines_assert(machines, id->name, id->uid, true, 60, 62) != ASSERTION_NONE);
	scoped_free char *text = machines_describe(machines, id->name, id->uid, "u", 60);
	assert(strstr(text, id->name));
	machines_changed(machines, id, object);
	machines_free(machines);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct object_id id = {.namespace = "ns", .name = "s", .uid = "uid-1", .version = "1"};
	scoped_json *object = NULL;

	if (json_parse((const char *)data, size, "object", &object, NULL))
		return 0;
	assert_by(&id, object);
	struct world *world = world_new();
	world_stateful_set_changed(world, &id, object);
	world_pod_changed(world, &id, object);
	world_allocation_changed(world, &id, object);
	judge(world);
	world_stateful_set_gone(world, &id);
	world_pod_gone(world, &id);
	world_allocation_gone(world, &id);
	world_free(world);
	return 0;
}
