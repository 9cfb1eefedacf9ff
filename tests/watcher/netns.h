/* What is usable in a network namespace, by rtnetlink alone: nothing of staticip is
 * linked, so that no fault of ours can hide another one. */
#ifndef WATCHER_NETNS_H
#define WATCHER_NETNS_H

#include <stddef.h>
#include <stdint.h>

struct address {
	unsigned char length; /* 4 or 16 bytes */
	unsigned char bytes[16];
};

/* Remembers the calling thread's own namespace, the one that netns_addresses comes back
 * to. Returns 0 or -errno. */
int netns_home(void);

/* Calls each(cookie, address) for every address in the namespace that netns_fd is that
 * can be used: its link is up, and IPv6 is done with detecting duplicates. The namespace
 * is held for no longer than this call, and the thread is back home before anything is
 * read: who looks must not keep alive what he looks at.
 * Returns 0, or -errno when the namespace could not be read to its end. */
int netns_addresses(int netns_fd,
    void (*each)(void *cookie, const struct address *address), void *cookie);

#endif
