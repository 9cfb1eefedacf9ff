/* Whatever the API server sends as an allocation, a StatefulSet or a pod: the
 * world takes it, and its status can be printed. */
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "controller/status.h"
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

	status_judge(world, declared, NULL, tables, conditions);
	scoped_json *status =
	    status_encode(world, declared, NULL, conditions, "2026-01-01T00:00:00Z");
	(void)json_print(status);
	tables_free(tables);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct object_id id = {.namespace = "ns", .name = "s", .uid = "uid-1", .version = "1"};
	scoped_json *object = NULL;

	if (json_parse((const char *)data, size, "object", &object, NULL))
		return 0;
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
