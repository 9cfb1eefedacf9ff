#include "node/netns_each.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/num.h"
#include "node/mountinfo.h"
#include "node/netns.h"

/* Inode numbers. */
struct inodes {
	uint64_t *list;
	size_t count;
};

struct walk {
	void (*visit)(void *cookie, const struct netns_place *place);
	void *cookie;
	struct inodes seen;   /* visited, or our own */
	struct inodes hidden; /* of mounts that lead elsewhere */
};

static void
walk_release(struct walk *walk)
{
	mem_free(walk->seen.list);
	mem_free(walk->hidden.list);
}
#define scoped_walk __attribute__((cleanup(walk_release))) struct walk

static bool
has(const struct inodes *inodes, uint64_t inode)
{
	for (size_t i = 0; i < inodes->count; i++)
		if (inodes->list[i] == inode)
			return true;
	return false;
}

static void
add(struct inodes *inodes, uint64_t inode)
{
	size_t count = inodes->count;

	/* room doubles at each power of two */
	if ((count & (count - 1)) == 0)
		inodes->list = mem_resize(
		    inodes->list, count ? count * 2 : 1, sizeof(*inodes->list));
	inodes->list[inodes->count++] = inode;
}

/* The number in "net:[4026531840]"; 0: it is no network namespace. */
static uint64_t
inode_of(const char *name, size_t length)
{
	uint64_t inode = 0;

	if (length < 7 || strncmp(name, "net:[", 5) != 0 || name[length - 1] != ']' ||
	    num_parse(name + 5, length - 6, UINT64_MAX, "inode", &inode, NULL))
		return 0;
	return inode;
}

/* false: the path does not lead to the namespace with this inode. */
static bool
visit_path(struct walk *walk, const char *path, uint64_t inode)
{
	scoped_fd int netns = -1;
	struct netns_place place = {.path = path};

	if (netns_open(path, &netns, NULL) || netns_id_read(netns, &place.id, NULL))
		return false;
	/* our own has no id; of another one the inode tells */
	if (place.id.inode != 0 && place.id.inode != inode)
		return false;
	add(&walk->seen, inode);
	place.netns = netns;
	if (place.id.inode != 0)
		walk->visit(walk->cookie, &place);
	return true;
}

static int
walk_mounts(struct walk *walk, struct err *err)
{
	scoped_buf text = buf_make(MOUNTINFO_MAX);
	struct mount_line line;
	int rc = file_read(AT_FDCWD, "/proc/self/mountinfo", &text, err);

	if (rc)
		return rc;
	scoped_free char *lines = buf_take(&text);
	char *rest = lines;
	while (mountinfo_next(&rest, &line)) {
		uint64_t inode = inode_of(line.root, strlen(line.root));
		if (inode && !has(&walk->seen, inode) && !visit_path(walk, line.point, inode))
			add(&walk->hidden, inode);
	}
	return 0;
}

/* 0: looked at, or it has ended; else it cannot be looked at. */
static int
walk_process(struct walk *walk, const char *pid, struct err *err)
{
	scoped_free char *path = mem_format("/proc/%s/ns/net", pid);
	char target[32];
	ssize_t length = readlink(path, target, sizeof(target));

	if (length < 0 && errno != ENOENT && errno != ESRCH)
		return err_errno(
		    err, errno, "cannot see which network namespace process %s is in", pid);
	uint64_t inode = length < 0 ? 0 : inode_of(target, (size_t)length);
	if (inode && !has(&walk->seen, inode))
		(void)visit_path(walk, path, inode); /* else it has ended, or left */
	return 0;
}

static struct dirent *
next_entry(DIR *listing)
{
	errno = 0;
	return readdir(listing);
}

static int
walk_processes(struct walk *walk, struct err *err)
{
	scoped_listing *listing = opendir("/proc");
	struct dirent *entry;
	int unseen = 0;

	if (!listing)
		return err_errno(err, errno, "cannot list /proc");
	while ((entry = next_entry(listing))) {
		/* init is in no pod, and some machines let nobody look at it */
		if (!isdigit((unsigned char)entry->d_name[0]) || strcmp(entry->d_name, "1") == 0)
			continue;
		int rc = walk_process(walk, entry->d_name, err);
		unseen = rc ? rc : unseen;
	}
	return errno ? err_errno(err, errno, "cannot list /proc") : unseen;
}

int
netns_each(void (*visit)(void *cookie, const struct netns_place *place), void *cookie,
    struct err *err)
{
	scoped_walk walk = {.visit = visit, .cookie = cookie};
	int rc = walk_mounts(&walk, err);

	if (!rc)
		rc = walk_processes(&walk, err);
	for (size_t i = 0; !rc && i < walk.hidden.count; i++)
		if (!has(&walk.seen, walk.hidden.list[i]))
			rc = err_set(err, EBUSY,
			    "something else is mounted over the mount of network namespace "
			    "net:[%llu]; unmount that",
			    (unsigned long long)walk.hidden.list[i]);
	return rc;
}
