#include "node/ipv6_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/mem.h"
#include "node/netns.h"

enum { PATH_MAX_BYTES = 96 };

static const char *
path_of(const char *link, const char *name, char *out)
{
	(void)snprintf(out, PATH_MAX_BYTES, "/proc/sys/net/ipv6/conf/%.*s/%s", IFNAME_LEN_MAX,
	    link, name);
	return out;
}

/* What is below /proc/sys/net are the settings of the namespace in which a thread opens
 * it; the fd stays theirs. */
static int
open_in(int netns, const char *path, int flags, int *ret_fd, struct err *err)
{
	int own = -1;
	int rc = netns_enter(netns, &own, err);

	if (rc)
		return rc;
	int fd = open(path, flags | O_CLOEXEC);
	int code = errno;
	netns_leave(own);
	if (fd < 0)
		return err_errno(err, code, "cannot open %s", path);
	*ret_fd = fd;
	return 0;
}

int
ipv6_conf_get(int netns, const char *link, const char *name, bool *ret_on, struct err *err)
{
	scoped_fd int fd = -1;
	char path[PATH_MAX_BYTES];
	char first = '\0';
	int rc = open_in(netns, path_of(link, name, path), O_RDONLY, &fd, err);

	if (rc)
		return rc;
	if (read(fd, &first, 1) != 1)
		return err_errno(err, errno ? errno : EIO, "cannot read %s", path);
	/* some have a 2, and accept_dad may be negative */
	*ret_on = first != '0' && first != '-';
	return 0;
}

int
ipv6_conf_set(int netns, const char *link, const char *name, bool on, struct err *err)
{
	scoped_fd int fd = -1;
	char path[PATH_MAX_BYTES];
	int rc = open_in(netns, path_of(link, name, path), O_WRONLY, &fd, err);

	if (rc)
		return rc;
	if (write(fd, on ? "1" : "0", 1) != 1)
		return err_errno(err, errno ? errno : EIO, "cannot write %s", path);
	return 0;
}
