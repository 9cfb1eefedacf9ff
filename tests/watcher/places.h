/* Where pods' addresses can be on this machine, which has all nodes of the test cluster:
 * every network namespace but our own and the nodes'. */
#ifndef WATCHER_PLACES_H
#define WATCHER_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PLACES_MAX = 4096, PLACE_PATH_MAX = 320, PLACE_TEXT_MAX = 256 };

struct place {
	ino_t netns;
	pid_t pid; /* one that lives in it; 0: nothing but a mount has it */
	char path[PLACE_PATH_MAX];
};

struct places {
	size_t count;
	struct place list[PLACES_MAX];
};

struct places_spec {
	const char *cgroup; /* only processes whose cgroup's path has this; NULL = all */
	const char *skip;   /* pattern of files: nodes' own namespaces; NULL = none */
	const char
	    *node_pids; /* pattern of files, each with the pid of a node: its namespace is
			   skipped, and the mounts in its /run/netns are looked at */
};

/* All that is there now; those that come and go meanwhile may be missing. Returns 0 or
 * -errno when /proc cannot be read or there are too many. */
int places_find(const struct places_spec *spec, struct places *ret_places);

/* A descriptor of the place's namespace, or -errno: it is gone, or another one by now. */
int place_open(const struct place *place);

/* For people: the namespace, and which pod's process lives in it. */
void place_describe(const struct place *place, char ret_text[static PLACE_TEXT_MAX]);

#endif
