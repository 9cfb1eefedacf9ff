#include "agent/lease_watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

/* Without inotify. */
static const double poll_s = 0.25;
/* A network may be new between a look at the directory and the watch on it. */
static const double look_s = 10;

struct lease_watch {
	struct ev_loop *loop;
	struct ev_io readable; /* fd -1: polling */
	struct ev_timer look;
	char *attachments; /* ROOT/leases/by-attachment */
	void (*changed)(void *cookie);
	void *cookie;
};

/* Watching a directory twice is watching it once (inotify_add_watch(2)). */
static void
watch_networks(const struct lease_watch *watch)
{
	scoped_listing *listing = opendir(watch->attachments);
	uint32_t events = IN_CREATE | IN_DELETE | IN_ONLYDIR;
	struct dirent *entry;

	if (watch->readable.fd < 0 || !listing)
		return;
	/* what cannot be watched is looked at from time to time */
	(void)inotify_add_watch(watch->readable.fd, watch->attachments, events);
	while ((entry = readdir(listing))) {
		scoped_free char *path = mem_format("%s/%s", watch->attachments, entry->d_name);
		if (entry->d_name[0] != '.')
			(void)inotify_add_watch(watch->readable.fd, path, events);
	}
}

static void
on_readable(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct lease_watch *watch = io->data;
	char events[4096];

	(void)loop;
	(void)revents;
	/* which it was is no matter: all leases are read again */
	while (read(io->fd, events, sizeof(events)) > 0)
		continue;
	watch_networks(watch);
	watch->changed(watch->cookie);
}

static void
on_look(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct lease_watch *watch = timer->data;

	(void)loop;
	(void)revents;
	watch_networks(watch);
	watch->changed(watch->cookie);
}

int
lease_watch_make(const char *root, struct err *err)
{
	scoped_fd int top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0)
		return err_errno(err, errno, "cannot open directory %s", root);
	scoped_fd int leases = file_directory(top, "leases", 0700, err);
	if (leases < 0)
		return leases;
	scoped_fd int attachments = file_directory(leases, "by-attachment", 0700, err);
	return attachments < 0 ? attachments : 0;
}

struct lease_watch *
lease_watch_new(struct ev_loop *loop, const char *root, void (*changed)(void *cookie),
    void *cookie, struct err *err)
{
	if (lease_watch_make(root, err))
		return NULL;
	struct lease_watch *watch = mem_new(1, sizeof(*watch));
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	double every_s = fd < 0 ? poll_s : look_s;

	watch->loop = loop;
	watch->changed = changed;
	watch->cookie = cookie;
	watch->attachments = mem_format("%s/leases/by-attachment", root);
	ev_io_init(&watch->readable, on_readable, fd, EV_READ);
	watch->readable.data = watch;
	ev_timer_init(&watch->look, on_look, every_s, every_s);
	watch->look.data = watch;
	ev_timer_start(loop, &watch->look);
	if (fd >= 0)
		ev_io_start(loop, &watch->readable);
	watch_networks(watch);
	return watch;
}

void
lease_watch_free(struct lease_watch *watch)
{
	if (!watch)
		return;
	int fd = watch->readable.fd;

	ev_timer_stop(watch->loop, &watch->look);
	if (fd >= 0) {
		ev_io_stop(watch->loop, &watch->readable);
		mem_cleanup_fd(&fd);
	}
	mem_free(watch->attachments);
	mem_free(watch);
}
