#include "node/netns_id.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "node/mountinfo.h"
#include "node/netns.h"

/* "net:[4026531840]", what the links in /proc/PID/ns and the roots of nsfs mounts
 * say (namespaces(7)). */
enum { NSFS_NAME_MAX = 32 };

/* NS_GET_ID of linux/nsfs.h, which is newer than the headers that we build with. */
#define NSFS_GET_ID _IOR(NSIO, 13, uint64_t)

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

/* Reads from inside, which every kernel allows. */
static int
read_inside(int netns, struct netns_id *ret_id, struct err *err)
{
	struct stat theirs;
	struct stat ours;
	int own = -1;
	int rc = netns_enter(netns, &own, err);

	if (rc)
		return rc;
	if (fstat(netns, &theirs) < 0 || fstat(own, &ours) < 0)
		rc = err_errno(err, errno, "cannot look at a network namespace");
	else if (theirs.st_dev == ours.st_dev && theirs.st_ino == ours.st_ino)
		*ret_id = (struct netns_id){.inode = 0};
	else
		*ret_id = (struct netns_id){.inode = theirs.st_ino, .cookie = cookie_here()};
	netns_leave(own);
	return rc;
}

/* From Linux 6.18 on a namespace's file tells its number, which is the cookie:
 * nobody has to go in, and that is seven calls less in an ADD. */
int
netns_id_read(int netns, struct netns_id *ret_id, struct err *err)
{
	struct stat status;
	uint64_t theirs = 0;
	uint64_t ours = ioctl(netns, NSFS_GET_ID, &theirs) < 0 ? 0 : cookie_here();

	if (ours == 0 || theirs == 0)
		return read_inside(netns, ret_id, err);
	if (fstat(netns, &status) < 0)
		return err_errno(err, errno, "cannot look at a network namespace");
	*ret_id = (struct netns_id){.inode = 0};
	if (theirs != ours)
		*ret_id = (struct netns_id){.inode = status.st_ino, .cookie = theirs};
	return 0;
}

bool
netns_id_equal(const struct netns_id *a, const struct netns_id *b)
{
	return a->inode != 0 && a->inode == b->inode && a->cookie == b->cookie;
}

/* What a path leads to. */
enum leads {
	LEADS_ELSEWHERE,   /* or nowhere */
	LEADS_TO_NAMESAKE, /* another namespace, which has its inode's number now */
	LEADS_TO_IT,
};

/* *ret_netns is written for LEADS_TO_IT only. */
static enum leads
follow(const char *path, const struct netns_id *id, int *ret_netns)
{
	scoped_fd int netns = -1;
	struct netns_id found = {0};

	if (!path[0] || netns_open(path, &netns, NULL) || netns_id_read(netns, &found, NULL) ||
	    found.inode != id->inode)
		return LEADS_ELSEWHERE;
	if (!netns_id_equal(&found, id))
		return LEADS_TO_NAMESAKE;
	*ret_netns = mem_take_fd(&netns);
	return LEADS_TO_IT;
}

/* ---- mounts ----------------------------------------------------------------- */

/* 1 and the fd; 0; or -EBUSY: some mount has it, and cannot be reached. */
static int
try_mount_lines(char *lines, const char *name, const struct netns_id *id, int *ret_netns,
    struct err *err)
{
	char *rest = lines;
	struct mount_line line;
	int rc = 0;

	while (mountinfo_next(&rest, &line)) {
		if (strcmp(line.root, name) != 0)
			continue;
		enum leads leads = follow(line.point, id, ret_netns);
		if (leads == LEADS_TO_IT)
			return 1;
		if (leads == LEADS_ELSEWHERE)
			rc = err_set(err, EBUSY,
			    "a network namespace is mounted at %.200s, and something else is "
			    "mounted over it; unmount that",
			    line.point);
	}
	return rc;
}

static int
try_mounts(const char *name, const struct netns_id *id, int *ret_netns, struct err *err)
{
	int rc = 0;

	/* a mount may go between the listing and the look: twice is no coincidence */
	for (int turn = 0; turn < 2; turn++) {
		scoped_buf text = buf_make(MOUNTINFO_MAX);
		rc = file_read(AT_FDCWD, "/proc/self/mountinfo", &text, err);
		if (rc)
			return rc;
		scoped_free char *lines = buf_take(&text);
		rc = try_mount_lines(lines, name, id, ret_netns, err);
		if (rc >= 0)
			return rc;
	}
	return rc;
}

/* ---- processes -------------------------------------------------------------- */

/* PID, or PID/task/TID: 1 and the fd; 0: it is in another namespace; -ENOENT: it ended
 * meanwhile or is a zombie; else it cannot be looked at. */
static int
try_task(const char *task, const char *name, const struct netns_id *id, int *ret_netns,
    struct err *err)
{
	scoped_free char *path = mem_format("/proc/%s/ns/net", task);
	char target[NSFS_NAME_MAX];
	ssize_t length = readlink(path, target, sizeof(target));

	if (length < 0 && (errno == ENOENT || errno == ESRCH))
		return -ENOENT;
	if (length < 0)
		return err_errno(
		    err, errno, "cannot see which network namespace process %s is in", task);
	return (size_t)length == strlen(name) && memcmp(target, name, strlen(name)) == 0 &&
	    follow(path, id, ret_netns) == LEADS_TO_IT;
}

/* A process whose first thread has ended lives on in its others. */
static int
try_threads(const char *pid, const char *name, const struct netns_id *id, int *ret_netns,
    struct err *err)
{
	scoped_free char *folder = mem_format("/proc/%s/task", pid);
	scoped_listing *listing = opendir(folder);
	struct dirent *entry;

	/* without a listing it has ended */
	while (listing && (entry = readdir(listing))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		scoped_free char *task = mem_format("%s/task/%s", pid, entry->d_name);
		int rc = try_task(task, name, id, ret_netns, err);
		if (rc != 0 && rc != -ENOENT)
			return rc;
	}
	return 0;
}

/* errno stays 0 at the end of the list. */
static struct dirent *
next_entry(DIR *listing)
{
	errno = 0;
	return readdir(listing);
}

static int
try_processes(const char *name, const struct netns_id *id, int *ret_netns, struct err *err)
{
	scoped_listing *listing = opendir("/proc");
	struct dirent *entry;
	struct err reason = {0};
	int unseen = 0;

	if (!listing)
		return err_errno(err, errno, "cannot list /proc");
	while ((entry = next_entry(listing))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		int rc = try_task(entry->d_name, name, id, ret_netns, &reason);
		if (rc == -ENOENT)
			rc = try_threads(entry->d_name, name, id, ret_netns, &reason);
		if (rc > 0)
			return rc;
		/* it may be in there: no proof of the contrary; init never is, and some
		 * machines let nobody look at it */
		if (rc < 0 && strcmp(entry->d_name, "1") != 0)
			unseen = err_set(err, reason.code, "%s", reason.text);
	}
	/* nor is half a list */
	return errno ? err_errno(err, errno, "cannot list /proc") : unseen;
}

int
netns_id_find(const char *path, const struct netns_id *id, int *ret_netns, struct err *err)
{
	char name[NSFS_NAME_MAX];

	if (id->inode == 0)
		return err_set(err, ENODATA, "no network namespace was recorded");
	if (follow(path, id, ret_netns) == LEADS_TO_IT)
		return 1;
	(void)snprintf(name, sizeof(name), "net:[%llu]", (unsigned long long)id->inode);
	int rc = try_mounts(name, id, ret_netns, err);
	if (rc > 0)
		return rc;
	/* what mounts leave open, a process may settle */
	int found = try_processes(name, id, ret_netns, rc ? NULL : err);
	return found > 0 || !rc ? found : rc;
}
