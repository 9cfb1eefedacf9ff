#include "node/netns_id.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "node/netns.h"

/* "net:[4026531840]", what the links in /proc/PID/ns and the roots of nsfs mounts
 * say (namespaces(7)). */
enum { NSFS_NAME_MAX = 32 };

/* Any socket will do, and this kind needs no protocol of the namespace's. */
static uint64_t
cookie_here(void)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);
	scoped_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) < 0)
		return 0; /* before Linux 5.14: the inode must do */
	return cookie;
}

int
netns_id_read(int netns, struct netns_id *ret_id, struct err *err)
{
	struct stat status;
	int own = -1;

	if (fstat(netns, &status) < 0)
		return err_errno(err, errno, "cannot look at a network namespace");
	int rc = netns_enter(netns, &own, err);
	if (rc)
		return rc;
	*ret_id = (struct netns_id){.inode = status.st_ino, .cookie = cookie_here()};
	netns_leave(own);
	return 0;
}

bool
netns_id_equal(const struct netns_id *a, const struct netns_id *b)
{
	return a->inode != 0 && a->inode == b->inode && a->cookie == b->cookie;
}

/* 1 and the fd when path leads to the namespace of this id. */
static int
try_path(const char *path, const struct netns_id *id, int *ret_netns)
{
	scoped_fd int netns = -1;
	struct netns_id found = {0};

	if (!path[0] || netns_open(path, &netns, NULL) || netns_id_read(netns, &found, NULL) ||
	    !netns_id_equal(&found, id))
		return 0;
	*ret_netns = mem_take_fd(&netns);
	return 1;
}

/* ---- mounts ----------------------------------------------------------------- */

static bool
is_octal(const char *text)
{
	return text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
	    text[2] <= '7' && text[3] >= '0' && text[3] <= '7';
}

/* /proc/self/mountinfo writes space, tab, newline and '\' as \ooo (proc(5)). */
static void
unescape(char *text)
{
	char *out = text;

	for (const char *at = text; *at; at++) {
		if (is_octal(at)) {
			*out++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 3;
		} else {
			*out++ = *at;
		}
	}
	*out = '\0';
}

/* The fourth and the fifth word of a line: root and mount point. */
static bool
split_mount(char *line, char **ret_root, char **ret_point)
{
	char *words[5] = {NULL};
	char *rest = line;

	for (unsigned i = 0; i < 5; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			return false;
	}
	*ret_root = words[3];
	*ret_point = words[4];
	return true;
}

static int
try_mounts(const char *name, const struct netns_id *id, int *ret_netns, struct err *err)
{
	scoped_buf text = buf_make(MOUNTINFO_MAX);
	int rc = file_read(AT_FDCWD, "/proc/self/mountinfo", &text, err);

	if (rc)
		return rc;
	scoped_free char *lines = buf_take(&text);
	char *rest = lines;
	for (char *line; rest && (line = strsep(&rest, "\n"));) {
		char *root;
		char *point;
		if (!strstr(line, name) || !split_mount(line, &root, &point) ||
		    strcmp(root, name) != 0)
			continue;
		unescape(point);
		if (try_path(point, id, ret_netns))
			return 1;
	}
	return 0;
}

/* ---- processes -------------------------------------------------------------- */

static int
try_process(int proc, const char *pid, const char *name, const struct netns_id *id,
    int *ret_netns)
{
	char link[NAME_MAX + 16];
	char path[NAME_MAX + 32];
	char target[NSFS_NAME_MAX];

	(void)snprintf(link, sizeof(link), "%s/ns/net", pid);
	ssize_t length = readlinkat(proc, link, target, sizeof(target));
	/* it ended meanwhile, is a zombie, or is in another namespace */
	if (length < 0 || (size_t)length != strlen(name) ||
	    memcmp(target, name, (size_t)length) != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%s", link);
	return try_path(path, id, ret_netns);
}

static void
close_listing(DIR **listing)
{
	if (*listing)
		(void)closedir(*listing); /* read only */
}

static int
try_processes(const char *name, const struct netns_id *id, int *ret_netns, struct err *err)
{
	__attribute__((cleanup(close_listing))) DIR *listing = opendir("/proc");
	struct dirent *entry;

	if (!listing)
		return err_errno(err, errno, "cannot list /proc");
	errno = 0;
	while ((entry = readdir(listing))) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    try_process(dirfd(listing), entry->d_name, name, id, ret_netns))
			return 1;
		errno = 0;
	}
	/* half a list is no proof that nobody is there */
	return errno ? err_errno(err, errno, "cannot list /proc") : 0;
}

int
netns_id_find(const char *path, const struct netns_id *id, int *ret_netns, struct err *err)
{
	char name[NSFS_NAME_MAX];

	if (id->inode == 0)
		return err_set(err, ENODATA, "no network namespace was recorded");
	if (try_path(path, id, ret_netns))
		return 1;
	(void)snprintf(name, sizeof(name), "net:[%llu]", (unsigned long long)id->inode);
	int rc = try_mounts(name, id, ret_netns, err);
	return rc ? rc : try_processes(name, id, ret_netns, err);
}
