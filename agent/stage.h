/* A whole list put into force at once.
 *
 * Changes that come one by one are written one by one, in the order in which they
 * were made. A list is different: it leaves out what happened in between. An address
 * that went from bucket 3 to bucket 9, after which bucket 3 changed once more, is
 * listed 9 before 3, and for a moment two rows would have it (I1); two addresses that
 * changed places leave no good order at all. So what a list changes is put together
 * in table/K.next, which then changes places with table/K in one step. */
#ifndef AGENT_STAGE_H
#define AGENT_STAGE_H

#include "agent/publish.h"

/* From now on the publish_ functions work on a copy of the picture that no reader
 * sees. Only when readers see it (publish_is_read) and not staged already. */
int stage_begin(struct publish *publish, struct err *err);
/* The copy becomes what readers see; the old picture stays as table/K.next for
 * those who are reading it, until stage_begin, publish_remove_others or the next
 * start. Does nothing when nothing is staged. */
int stage_commit(struct publish *publish, struct err *err);

#endif
