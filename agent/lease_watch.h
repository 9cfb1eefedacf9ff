/* Notices when leases come and go on the node. */
#ifndef AGENT_LEASE_WATCH_H
#define AGENT_LEASE_WATCH_H

#include <ev.h>

#include "core/err.h"

struct lease_watch;

/* Makes the directory of attachments below root (an absolute path) where it is missing. */
int lease_watch_make(const char *root, struct err *err);

/* Watches the leases below root (an absolute path), making the directory of
 * attachments where it is missing. changed is called from the loop, once for any number
 * of changes; by inotify, or four times a second where no instance is to be had
 * (fs.inotify.max_user_instances). NULL and err when the directory cannot be made. */
struct lease_watch *lease_watch_new(struct ev_loop *loop, const char *root,
    void (*changed)(void *cookie), void *cookie, struct err *err);
void lease_watch_free(struct lease_watch *watch);

#endif
