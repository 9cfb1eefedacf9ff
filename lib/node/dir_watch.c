#include "node/dir_watch.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

void
dir_watch_open(int directory, struct dir_watch *ret_watch)
{
	char path[32];
	uint32_t events = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM;
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", directory);
	if (fd >= 0 && inotify_add_watch(fd, path, events) < 0) {
		(void)close(fd);
		fd = -1;
	}
	ret_watch->fd = fd;
}

void
dir_watch_close(struct dir_watch *watch)
{
	mem_cleanup_fd(&watch->fd);
	watch->fd = -1;
}

void
dir_watch_wait(const struct dir_watch *watch, int timeout_ms)
{
	char events[4096];
	struct pollfd readable = {.fd = watch->fd, .events = POLLIN};

	if (watch->fd < 0 && timeout_ms > DIR_WATCH_POLL_MS)
		timeout_ms = DIR_WATCH_POLL_MS;
	/* a negative fd is ignored: then this is a sleep */
	if (poll(&readable, 1, timeout_ms) <= 0)
		return;
	/* what happened is no matter: the caller looks for itself */
	while (read(watch->fd, events, sizeof(events)) > 0)
		continue;
}
