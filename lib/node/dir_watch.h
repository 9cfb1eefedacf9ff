/* Waiting until something changes in a directory. */
#ifndef NODE_DIR_WATCH_H
#define NODE_DIR_WATCH_H

#include "core/mem.h"

/* An inotify instance, or none: a user may have 128 of them
 * (fs.inotify.max_user_instances), and on a node the kubelet and others use them up.
 * Then waiting is a short sleep. */
struct dir_watch {
	int fd; /* -1: polling */
};
#define DIR_WATCH_NONE {.fd = -1}
#define scoped_dir_watch __attribute__((cleanup(dir_watch_close))) struct dir_watch

/* Watches for names that come, go or are replaced. Never fails. */
void dir_watch_open(int directory, struct dir_watch *ret_watch);
void dir_watch_close(struct dir_watch *watch);
/* Returns after a change since the last call or since it was opened, and after
 * timeout_ms at the latest; when polling, after DIR_WATCH_POLL_MS at the latest. So
 * the caller looks again, whatever the reason. */
enum { DIR_WATCH_POLL_MS = 50 };
void dir_watch_wait(const struct dir_watch *watch, int timeout_ms);

#endif
