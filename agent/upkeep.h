/* What is looked after again and again while the agent runs: the file `agent`, the
 * tables' files, the plugin on the node. */
#ifndef AGENT_UPKEEP_H
#define AGENT_UPKEEP_H

#include <ev.h>
#include <stdbool.h>

struct lock;
struct options;
struct sync;
struct upkeep;

struct upkeep_spec {
	struct ev_loop *loop;
	const struct lock *lock;
	const struct options *options;
	const char *boot_id;
	struct sync *sync;
};

/* Does each thing once, then from the loop. All in the spec must outlive it. */
struct upkeep *upkeep_new(const struct upkeep_spec *spec);
void upkeep_free(struct upkeep *upkeep);
/* Whether the lock's file was taken away: the loop was ended for that. */
bool upkeep_lock_lost(const struct upkeep *upkeep);
/* Whether the plugin was right on the node at the last look; false also when it is
 * not to be installed. */
bool upkeep_installed(const struct upkeep *upkeep);

#endif
