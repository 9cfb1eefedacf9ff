/* The file `agent` in the root directory: who looks after the tables here. The
 * agent that may publish holds an exclusive flock(2) on it for life; the kernel
 * lets go when the process ends, however it ends. It is written in place and never
 * renamed over: a new file would be a second lock. */
#ifndef AGENT_LOCK_H
#define AGENT_LOCK_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

/* A boot id is a UUID, 36 characters; with room. */
enum { LOCK_BOOT_ID_MAX = 63 };

struct lock {
	int root; /* the caller's */
	int fd;   /* -1 = not held */
	/* What the last holder wrote as the boot it ran in; "" = unknown. */
	char last_boot_id[LOCK_BOOT_ID_MAX + 1];
};

struct lock_facts {
	const char *node_name;
	const char *version;
	const char *boot_id;
	uint64_t last_contact; /* seconds since 1970; 0 = none yet */
};

/* Tries once. 0; or -EWOULDBLOCK with what the holder says about itself; or another
 * error. */
int lock_try(int root, struct lock *ret_lock, struct err *err);
/* Tries five times a second in this loop, up to the deadline; says once in the log
 * who has it. Returns as lock_try does, and -ECANCELED when somebody else ended the
 * loop (ev_break), as a signal does. */
int lock_wait(struct ev_loop *loop, int root, double deadline_s, struct lock *ret_lock,
    struct err *err);
/* NULL-safe fds; the file stays. */
void lock_release(struct lock *lock);

/* Writes who we are. Readers may see it half written: it is for people, and for
 * telling how old the tables may be. */
int lock_write(const struct lock *lock, const struct lock_facts *facts, struct err *err);
/* Whether the name still leads to the file that we hold. */
bool lock_held(const struct lock *lock);

/* This boot's id into out (LOCK_BOOT_ID_MAX + 1 bytes). */
int lock_boot_id(char *out, struct err *err);

#endif
