#include "node/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/mem.h"

#define OWN_NETNS "/proc/self/ns/net"

/* The file system is asked first: only on nsfs does the ioctl number mean this. */
static bool
is_netns(int fd)
{
	struct statfs system;

	return fstatfs(fd, &system) == 0 && system.f_type == NSFS_MAGIC &&
	    ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

int
netns_open(const char *path, int *ret_fd, struct err *err)
{
	/* O_NONBLOCK: a FIFO in the place of a namespace must not hold us */
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return err_errno(err, errno, "cannot open network namespace '%.200s'", path);
	if (!is_netns(fd))
		return err_set(err, EINVAL, "'%.200s' is not a network namespace", path);
	*ret_fd = mem_take_fd(&fd);
	return 0;
}

/* Two fds are one namespace when device and inode agree (namespaces(7)). */
int
netns_is_own(int netns, bool *ret_own, struct err *err)
{
	struct stat ours;
	struct stat theirs;

	if (stat(OWN_NETNS, &ours) < 0)
		return err_errno(err, errno, "cannot look at " OWN_NETNS);
	if (fstat(netns, &theirs) < 0)
		return err_errno(err, errno, "cannot look at a network namespace");
	*ret_own = ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
	return 0;
}

int
netns_enter(int netns, int *ret_own, struct err *err)
{
	scoped_fd int own = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	if (own < 0)
		return err_errno(err, errno, "cannot open " OWN_NETNS);
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_errno(err, errno, "cannot enter a network namespace");
	*ret_own = mem_take_fd(&own);
	return 0;
}

void
netns_leave(int own)
{
	if (setns(own, CLONE_NEWNET) < 0)
		abort();
	(void)close(own); /* opened for reading only: nothing can be lost */
}
