/* A node's word that the API server went back in time (holders_back.c): when all nodes are
 * asked because of it (holders_private.h, rule H17).
 *
 * That is one sentence in a status which the node's own agent writes, and it stops granting
 * in the whole cluster. So the word of one node is followed at once the first time, and then
 * after a time that doubles. Until then it stops granting on that node, and nothing waits for
 * that node's report.
 *
 * No honest node needs more: all are told an epoch above each that was answered to, so it
 * takes that one. To be ahead of it the API server would have to go back once more, unseen by
 * the watches of this process, which would end for it and begin anew, with no memory of this. */
#include "controller/holders_private.h"
#include "core/mem.h"

static const double again_s = 600;
static const double again_max_s = 6 * 3600;

void
ahead_hear(struct holders *holders, const struct stored *node)
{
	struct desk *desk = desk_make(holders, node->name);

	if (node->object && back_is_seen(holders, node)) {
		(void)tree_add(&holders->ahead, desk);
		return;
	}
	(void)tree_remove(&holders->ahead, desk);
	desk->ahead_told = false;
}

bool
ahead_stands(const struct holders *holders, const struct desk *desk)
{
	const struct machine *machine = holders->ahead.count && desk
	    ? machines_find(holders->spec.machines, desk->name) : NULL;
	const struct stored *node;

	/* a new epoch has overtaken what was said before */
	return machine && rebuild_counts(machine) && tree_find(&holders->ahead, desk) &&
	    (node = store_find(holders->nodes, desk->name)) && node->object &&
	    back_is_seen(holders, node);
}

static double
wait_of(const struct desk *desk)
{
	double wait_s = again_s;

	for (unsigned i = 1; i < desk->ahead_heard && wait_s < again_max_s; i++)
		wait_s *= 2;
	return wait_s < again_max_s ? wait_s : again_max_s;
}

void
ahead_charge(struct desk *desk)
{
	desk->ahead_heard++;
	desk->ahead_not_before = desk->holders->now + wait_of(desk);
	desk->ahead_told = false;
}

bool
ahead_is_followed(const struct desk *desk)
{
	return desk->ahead_heard == 0 || desk->holders->now >= desk->ahead_not_before;
}

const struct desk *
ahead_follow(struct holders *holders)
{
	size_t count = holders->ahead.count;
	scoped_free void **desks = tree_items(&holders->ahead);

	for (size_t i = 0; i < count; i++) {
		struct desk *desk = desks[i];
		if (!ahead_stands(holders, desk))
			continue;
		if (!ahead_is_followed(desk)) {
			desk_tell_doubted(desk);
			continue;
		}
		ahead_charge(desk);
		return desk;
	}
	return NULL;
}
