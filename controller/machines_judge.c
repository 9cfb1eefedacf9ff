/* What follows from what was seen of a Node (machines.h). */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "controller/machines_private.h"
#include "core/buf.h"
#include "core/mem.h"

enum { WAYS_MAX = 512 };

/* Vendors that wrote no number of their own; systemd's sd-id128 passes over the first
 * two. */
static bool
is_placeholder(const char *uuid)
{
	static const char *const placeholders[] = {"00000000-0000-0000-0000-000000000000",
	    "ffffffff-ffff-ffff-ffff-ffffffffffff",
	    "03000200-0400-0500-0006-000700080009"};

	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (strcasecmp(uuid, placeholders[i]) == 0)
			return true;
	return uuid[0] == '\0';
}

/* Asked about two Nodes of one name only: among names, boards of one model may share a
 * number. */
static bool
same_hardware(const struct machine *a, const struct machine *b)
{
	if (a->provider_id[0] && b->provider_id[0] &&
	    strcmp(a->provider_id, b->provider_id) != 0)
		return false;
	return !is_placeholder(a->system_uuid) &&
	       strcasecmp(a->system_uuid, b->system_uuid) == 0;
}

/* Distributions give machines of any kind an ID of their own making, and nobody ends a
 * machine when its Node is deleted: k3s://NAME (once only "k3s"), rke2://NAME, kind://…
 */
static bool
of_cloud(const struct machine *machine)
{
	static const char *const schemes[] = {
	    "k3s", "rke2", "k0s-cloud-provider", "kind"};
	size_t length = strcspn(machine->provider_id, ":");

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == length &&
		    memcmp(machine->provider_id, schemes[i], length) == 0)
			return false;
	return length > 0;
}

static bool
is_known(const char *uid)
{
	return uid && uid[0];
}

bool
machine_same(const struct machines *machines, const char *node, const char *node_uid)
{
	const struct machine_name *name = machines_name(machines, node);

	if (!is_known(node_uid))
		return !name || !name->newest || !name->newest->next;
	const struct machine *machine = machines_find_uid(machines, node, node_uid);
	return machine &&
	       (machine == name->newest || same_hardware(machine, name->newest));
}

/* The Node object that tells about the machine: the newest where it is the same, else
 * what is remembered of the former one; NULL: nothing is known. */
static const struct machine *
find_speaker(const struct machines *machines, const char *node, const char *node_uid)
{
	const struct machine_name *name = machines_name(machines, node);

	if (!name)
		return NULL;
	if (machine_same(machines, node, node_uid))
		return name->newest;
	return is_known(node_uid) ? machines_find_uid(machines, node, node_uid) : NULL;
}

/* A deletion is about one object, so its UID must be known. */
static double
quarantine_end(
    const struct machines *machines, const struct machine *machine, const char *uid)
{
	if (!machine->gone || !is_known(uid) || !of_cloud(machine))
		return HUGE_VAL;
	return machine->gone_since + machines->node_gone_s;
}

static double
grace_end(const struct machine *machine, bool after_grace, double grace_s)
{
	return after_grace && !machine->ready ? machine->not_ready_since + grace_s
					      : HUGE_VAL;
}

enum assertion
machines_assert(const struct machines *machines, const char *node, const char *node_uid,
    bool after_grace, double grace_s, double now)
{
	const struct machine *machine = find_speaker(machines, node, node_uid);

	if (!machine)
		return ASSERTION_NONE;
	if (machine->out_of_service && !machine->ready)
		return ASSERTION_OUT_OF_SERVICE;
	if (now >= quarantine_end(machines, machine, node_uid))
		return ASSERTION_NODE_GONE;
	if (now >= grace_end(machine, after_grace, grace_s))
		return ASSERTION_AFTER_GRACE;
	return ASSERTION_NONE;
}

double
machines_next_deadline(const struct machines *machines, const char *node,
    const char *node_uid, bool after_grace, double grace_s, double now)
{
	const struct machine *machine = find_speaker(machines, node, node_uid);
	double next = HUGE_VAL;

	if (!machine)
		return next;
	const double ends[] = {quarantine_end(machines, machine, node_uid),
	    grace_end(machine, after_grace, grace_s)};
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] > now && ends[i] < next)
			next = ends[i];
	return next;
}

const char *
assertion_name(enum assertion assertion)
{
	static const char *const names[] = {[ASSERTION_NONE] = "",
	    [ASSERTION_OUT_OF_SERVICE] = "OutOfService",
	    [ASSERTION_NODE_GONE] = "NodeGone",
	    [ASSERTION_AFTER_GRACE] = "AfterGrace"};

	return names[assertion];
}

/* ---- for people --------------------------------------------------------- */

/* " since 2026-11-21T15:00:00Z", or nothing. */
static char *
since(const char *time)
{
	return time[0] ? mem_format(" since %s", time) : mem_text("");
}

static char *
describe_state(const struct machine *machine, const char *node, bool replaced)
{
	scoped_free char *gone = since(machine->gone_at);
	scoped_free char *changed = since(machine->ready_changed);

	if (machine->gone && replaced)
		return mem_format("node %s is another machine%s", node, gone);
	if (machine->gone)
		return mem_format("Node %s is deleted%s", node, gone);
	if (machine->ready)
		return mem_format(
		    "node %s is Ready, its agent has not answered for the pod yet", node);
	return mem_format("node %s is not Ready%s", node, changed);
}

/* Everything but the operator's annotation that can free the addresses; each ends with ",
 * ". A time of 0 is none. */
static void
list_ways(const struct machine *machine, bool replaced, double deletion_s, double grace_s,
    struct buf *ways)
{
	if (!replaced)
		(void)buf_text(ways, "when it is back and its agent answers, ");
	if (!machine->gone)
		(void)buf_text(ways, "when it is off with the taint "
				     "node.kubernetes.io/out-of-service, ");
	if (deletion_s > 0)
		(void)buf_print(ways, "%.0f s after its Node %s deleted, ", deletion_s,
		    machine->gone ? "was" : "is");
	if (grace_s > 0)
		(void)buf_print(ways, "%.0f s after it became not Ready, ", grace_s);
}

char *
machines_describe(const struct machines *machines, const char *node, const char *node_uid,
    const char *pod_uid, double grace_s)
{
	const struct machine *machine = find_speaker(machines, node, node_uid);
	bool replaced = !machine_same(machines, node, node_uid);
	scoped_buf ways = buf_make(WAYS_MAX);
	scoped_free char *by_hand = mem_format(
	    "by kubectl annotate staticipnode %s staticip.dev/release=%s", node, pod_uid);

	if (!machine)
		return mem_format(
		    "nothing is known of what was node %s; free %s",
		    node, by_hand);
	scoped_free char *state = describe_state(machine, node, replaced);
	if (machine->ready)
		return mem_format(
		    "%s; free when it does, or %s", state, by_hand);
	double deletion_s =
	    is_known(node_uid) && of_cloud(machine) ? machines->node_gone_s : 0;
	list_ways(machine, replaced, deletion_s, grace_s, &ways);
	return mem_format("%s; free %s%s%s", state, buf_string(&ways),
	    ways.length ? "or " : "", by_hand);
}
