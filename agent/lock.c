#include "agent/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"

enum {
	LOCK_TRIES_PER_S = 5,
};

static const char lock_name[] = "agent";

/* The value of "NAME=" at a line's start into out, cut to size; "" when there is
 * none. */
static void
fact(const char *text, const char *name, char *out, size_t size)
{
	size_t length = strlen(name);

	out[0] = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == '=') {
			const char *value = line + length + 1;
			(void)snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
			return;
		}
	}
}

/* Of a holder that died while writing, or of nobody: then the answers are "". */
static void
read_facts(int fd, char *text, size_t size)
{
	ssize_t length = pread(fd, text, size - 1, 0);

	text[length < 0 ? 0 : length] = '\0';
}

bool
lock_held(const struct lock *lock)
{
	struct stat by_name;
	struct stat by_fd;

	return fstatat(lock->root, lock_name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(lock->fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
	       by_name.st_dev == by_fd.st_dev;
}

static int
refused_by_holder(const char *facts, struct err *err)
{
	char pid[24];
	char version[64];

	fact(facts, "pid", pid, sizeof(pid));
	fact(facts, "version", version, sizeof(version));
	return err_set(err, EWOULDBLOCK,
	    "another agent (pid %s, version %s) holds the lock on the file 'agent' in the root "
	    "directory; end that one, or give this one another --root",
	    pid[0] ? pid : "unknown", version[0] ? version : "unknown");
}

int
lock_try(int root, struct lock *ret_lock, struct err *err)
{
	char facts[LOCK_FILE_MAX];
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	scoped_fd int fd = openat(root, lock_name, flags, 0644);
	struct lock lock = {.root = root, .fd = fd};

	if (fd < 0)
		return err_errno(err, errno, "cannot open the file 'agent' in the root directory");
	int rc = flock(fd, LOCK_EX | LOCK_NB);
	if (rc < 0 && errno != EWOULDBLOCK)
		return err_errno(err, errno, "cannot lock the file 'agent'");
	read_facts(fd, facts, sizeof(facts));
	if (rc < 0)
		return refused_by_holder(facts, err);
	/* taken away and made anew between open and lock: ours is nobody's file */
	if (!lock_held(&lock))
		return err_set(err, EWOULDBLOCK, "the file 'agent' is being replaced");
	fact(facts, "boot_id", lock.last_boot_id, sizeof(lock.last_boot_id));
	lock.fd = mem_take_fd(&fd);
	*ret_lock = lock;
	return 0;
}

struct waiting {
	int root;
	int rc; /* of the last try */
	int tries_left;
	struct lock lock;
	struct err err;
};

static void
try_again(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct waiting *waiting = timer->data;

	(void)revents;
	waiting->rc = lock_try(waiting->root, &waiting->lock, &waiting->err);
	if (waiting->rc != -EWOULDBLOCK || --waiting->tries_left <= 0) {
		ev_timer_stop(loop, timer);
		ev_break(loop, EVBREAK_ONE);
	}
}

int
lock_wait(struct ev_loop *loop, int root, double deadline_s, struct lock *ret_lock,
    struct err *err)
{
	struct waiting waiting = {.root = root, .lock = {.fd = -1}};
	struct ev_timer timer;

	waiting.tries_left = (int)(deadline_s * LOCK_TRIES_PER_S) + 1;
	waiting.rc = lock_try(root, &waiting.lock, &waiting.err);
	if (waiting.rc == -EWOULDBLOCK) {
		log_line(LOG_LEVEL_INFO, "%s; waiting for it up to %.0f s, as in a rolling update",
		    waiting.err.text, deadline_s);
		ev_timer_init(&timer, try_again, 1.0 / LOCK_TRIES_PER_S, 1.0 / LOCK_TRIES_PER_S);
		timer.data = &waiting;
		ev_timer_start(loop, &timer);
		ev_run(loop, 0);
		if (ev_is_active(&timer)) {
			ev_timer_stop(loop, &timer);
			return err_set(err, ECANCELED, "ended while waiting for the lock");
		}
	}
	if (waiting.rc == 0)
		*ret_lock = waiting.lock;
	else if (err)
		*err = waiting.err;
	return waiting.rc;
}

void
lock_release(struct lock *lock)
{
	scoped_fd int fd = mem_take_fd(&lock->fd);

	(void)fd;
}

int
lock_write(const struct lock *lock, const struct lock_facts *facts, struct err *err)
{
	scoped_buf text = buf_make(LOCK_FILE_MAX);

	(void)buf_print(&text, "pid=%d\nversion=%s\nnode=%s\nboot_id=%s\nlast_contact=%" PRIu64 "\n",
	    (int)getpid(), facts->version, facts->node_name, facts->boot_id,
	    facts->last_contact);
	int rc = buf_whole(&text, "the file 'agent'", err);
	if (rc)
		return rc;
	if (pwrite(lock->fd, text.data, text.length, 0) != (ssize_t)text.length ||
	    ftruncate(lock->fd, (off_t)text.length) < 0)
		return err_errno(err, errno ? errno : EIO, "cannot write the file 'agent'");
	return 0;
}

int
lock_boot_id(char *out, struct err *err)
{
	scoped_buf text = buf_make(LOCK_BOOT_ID_MAX);

	int rc = file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &text, err);
	if (!rc)
		(void)snprintf(out, LOCK_BOOT_ID_MAX + 1, "%.*s",
		    (int)strcspn(buf_string(&text), "\n"), buf_string(&text));
	return rc;
}
