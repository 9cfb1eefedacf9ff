#include "controller/machines.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/machines_private.h"
#include "core/bounds.h"
#include "core/mem.h"

static int
compare_name(const void *a, const void *b)
{
	return strcmp(((const struct machine_name *)a)->name,
	    ((const struct machine_name *)b)->name);
}

struct machines *
machines_new(double node_gone_s)
{
	struct machines *machines = mem_new(1, sizeof(*machines));

	machines->names = tree_make(compare_name);
	machines->node_gone_s = node_gone_s;
	return machines;
}

static void
free_machine(struct machine *machine)
{
	mem_free(machine->uid);
	mem_free(machine->provider_id);
	mem_free(machine->system_uuid);
	mem_free(machine->boot_id);
	mem_free(machine);
}

static void
free_name(void *item)
{
	struct machine_name *name = item;

	while (name->newest) {
		struct machine *machine = name->newest;
		name->newest = machine->next;
		free_machine(machine);
	}
	mem_free(name->name);
	mem_free(name->version);
	mem_free(name);
}

void
machines_free(struct machines *machines)
{
	if (!machines)
		return;
	tree_release(&machines->names, free_name);
	mem_free(machines);
}

/* ---- finding ------------------------------------------------------------ */

struct machine_name *
machines_name(const struct machines *machines, const char *name)
{
	scoped_free char *copy = mem_text(name);
	struct machine_name wanted = {.name = copy};

	return tree_find(&machines->names, &wanted);
}

static struct machine *
find_uid(const struct machine_name *name, const char *uid)
{
	struct machine *machine = name ? name->newest : NULL;

	while (machine && strcmp(machine->uid, uid) != 0)
		machine = machine->next;
	return machine;
}

const struct machine *
machines_find(const struct machines *machines, const char *node)
{
	const struct machine_name *name = machines_name(machines, node);

	return name && name->newest && !name->newest->gone ? name->newest : NULL;
}

bool
machines_known(const struct machines *machines, const char *node)
{
	const struct machine_name *name = machines_name(machines, node);

	return name && name->newest;
}

const struct machine *
machines_find_uid(const struct machines *machines, const char *node, const char *uid)
{
	return find_uid(machines_name(machines, node), uid);
}

struct visiting {
	void (*visit)(void *cookie, const char *name, const struct machine *machine);
	void *cookie;
};

static void
visit_name(void *item, void *cookie)
{
	const struct machine_name *name = item;
	const struct visiting *visiting = cookie;

	for (const struct machine *m = name->newest; m; m = m->next)
		visiting->visit(visiting->cookie, name->name, m);
}

void
machines_each(const struct machines *machines,
    void (*visit)(void *cookie, const char *name, const struct machine *machine),
    void *cookie)
{
	struct visiting visiting = {visit, cookie};

	tree_walk(&machines->names, visit_name, &visiting);
}

/* ---- the memory --------------------------------------------------------- */

static void
end_machine(struct machines *machines, struct machine *machine)
{
	if (machine->gone)
		return;
	/* what was asserted about it at last stays asserted */
	machine->out_of_service = machine->out_of_service && !machine->ready;
	if (machine->ready)
		machine->not_ready_since = HUGE_VAL;
	machine->ready = false;
	machine->gone = true;
	machine->gone_since = HUGE_VAL;
	machines->undated = true;
}

/* Those that nobody asked to forget, within reason: what is forgotten asserts nothing. */
static void
cut_oldest(struct machine_name *name)
{
	struct machine *machine = name->newest;

	for (int i = 1; machine && i < MACHINES_OF_NAME_MAX; i++)
		machine = machine->next;
	while (machine && machine->next) {
		struct machine *old = machine->next;
		machine->next = old->next;
		free_machine(old);
	}
}

static struct machine_name *
make_name(struct machines *machines, const char *node)
{
	struct machine_name *name = machines_name(machines, node);

	if (name)
		return name;
	name = mem_new(1, sizeof(*name));
	name->name = mem_text(node);
	(void)tree_add(&machines->names, name);
	return name;
}

static struct machine *
make_machine(const char *uid)
{
	struct machine *machine = mem_new(1, sizeof(*machine));

	*machine = (struct machine){.uid = mem_text(uid),
	    .not_ready_since = HUGE_VAL,
	    .gone_since = HUGE_VAL,
	    .ready = true};
	return machine;
}

static void
put_newest(struct machine_name *name, struct machine *machine)
{
	machine->next = name->newest;
	name->newest = machine;
	cut_oldest(name);
}

/* Takes it out of its place, to be put elsewhere. */
static void
unlink_machine(struct machine_name *name, const struct machine *machine)
{
	struct machine **at = &name->newest;

	while (*at && *at != machine)
		at = &(*at)->next;
	if (*at)
		*at = machine->next;
}

/* A GET and the watch overtake each other: an older state must not bring back a Node that
 * is gone, nor end its successor. */
static bool
is_old(
    const struct machine_name *name, const struct machine *machine, const char *version)
{
	if (!name->version)
		return false;
	int order = watch_version_compare(version, name->version);
	return order < 0 || (order == 0 && machine && machine->gone);
}

/* It is there again, or it is not as gone as an earlier controller had written down. */
static void
revive(struct machine_name *name, struct machine *machine)
{
	machine->gone = false;
	machine->ready = true; /* so that it counts anew if it is not */
	machine->gone_at[0] = '\0';
	unlink_machine(name, machine);
	put_newest(name, machine);
}

void
machines_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct machines *machines = cookie;
	struct machine_name *name = make_name(machines, id->name);
	struct machine *machine = find_uid(name, id->uid);

	if (is_old(name, machine, id->version))
		return;
	mem_free(name->version);
	name->version = mem_text(id->version);
	/* the watch says gone first; a GET may be faster than it */
	if (name->newest && name->newest != machine)
		end_machine(machines, name->newest);
	if (!machine) {
		machine = make_machine(id->uid);
		put_newest(name, machine);
	} else if (machine->gone) {
		revive(name, machine);
	}
	machines_read(machines, machine, object);
}

void
machines_gone(void *cookie, const struct object_id *id)
{
	struct machines *machines = cookie;
	struct machine *machine = find_uid(machines_name(machines, id->name), id->uid);

	if (machine)
		end_machine(machines, machine);
}

struct stamp {
	double now;
	const char *wall;
};

static void
stamp_name(void *item, void *cookie)
{
	const struct machine_name *name = item;
	const struct stamp *stamp = cookie;

	for (struct machine *m = name->newest; m; m = m->next) {
		if (!m->ready && isinf(m->not_ready_since))
			m->not_ready_since = stamp->now;
		if (!m->gone || !isinf(m->gone_since))
			continue;
		m->gone_since = stamp->now;
		(void)snprintf(m->gone_at, sizeof(m->gone_at), "%s", stamp->wall);
	}
}

void
machines_stamp(struct machines *machines, double now, const char *wall)
{
	struct stamp stamp = {now, wall};

	if (!machines->undated)
		return;
	machines->undated = false;
	tree_walk(&machines->names, stamp_name, &stamp);
}

void
machines_remember(struct machines *machines, const char *node, const char *uid,
    const char *provider_id, const char *system_uuid, double now)
{
	struct machine_name *name = make_name(machines, node);

	if (find_uid(name, uid))
		return;
	struct machine *machine = make_machine(uid);
	machine->provider_id = mem_text(provider_id ? provider_id : "");
	machine->system_uuid = mem_text(system_uuid ? system_uuid : "");
	machine->boot_id = mem_text("");
	machine->ready = false;
	machine->gone = true;
	machine->gone_since = machine->not_ready_since = now;
	/* the one that is there stays the newest */
	struct machine **at = &name->newest;
	if (*at && !(*at)->gone)
		at = &(*at)->next;
	machine->next = *at;
	*at = machine;
	cut_oldest(name);
}

static void
forget_of_name(struct machine_name *name,
    bool (*needed)(void *cookie, const char *name, const struct machine *machine),
    void *cookie)
{
	struct machine **at = &name->newest;

	while (*at) {
		struct machine *machine = *at;
		if (!machine->gone || needed(cookie, name->name, machine)) {
			at = &machine->next;
			continue;
		}
		*at = machine->next;
		free_machine(machine);
	}
}

void
machines_forget(struct machines *machines,
    bool (*needed)(void *cookie, const char *name, const struct machine *machine),
    void *cookie)
{
	size_t count = machines->names.count;
	scoped_free void **names = tree_items(&machines->names);

	for (size_t i = 0; i < count; i++) {
		struct machine_name *name = names[i];
		forget_of_name(name, needed, cookie);
		if (name->newest)
			continue;
		(void)tree_remove(&machines->names, name);
		free_name(name);
	}
}
