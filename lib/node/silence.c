#include "node/silence.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/mem.h"
#include "node/kernel.h"
#include "node/netns.h"

/* A setting of the namespace that we are in. A container has /proc/sys read-only; the
 * host's, which process 1 has, shows the same namespace: that of who opens it. */
static int
open_setting(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 || errno != EROFS)
		return fd;
	scoped_free char *of_host = mem_format("/proc/1/root%s", path);
	return open(of_host, O_WRONLY | O_CLOEXEC);
}

/* Where there is no IPv6, or no IPv4, there is no such file. */
static void
put_one(const char *path)
{
	int fd = open_setting(path);

	if (fd < 0)
		return;
	ssize_t put = write(fd, "1", 1);
	(void)put;
	(void)close(fd);
}

/* Settings of the namespace (ip-sysctl) that a link which goes down needs. Neither is
 * worth a failed DEL. */
static void
prepare_settings(int netns, const char *ifname)
{
	scoped_free char *keep =
	    mem_format("/proc/sys/net/ipv6/conf/%s/keep_addr_on_down", ifname);
	int own = -1;

	if (netns_enter(netns, &own, NULL))
		return;
	/* or the kernel takes IPv6 addresses off the link: ptp's clean-up would miss them */
	put_one(keep);
	/* or it tells the MAC of another link, on the same segment, for an IPv4 address of
	 * this one */
	put_one("/proc/sys/net/ipv4/conf/all/arp_ignore");
	netns_leave(own);
}

/* Every link that has one of the addresses, whatever its name is by now; one that is
 * down already stays so. */
static int
links_down_by_address(struct kernel *kernel, const struct lease *lease, struct err *err)
{
	scoped_free struct kernel_address *list = NULL;
	size_t count = 0;
	int rc = kernel_addresses(kernel, &list, &count, err);

	for (size_t i = 0; !rc && i < count; i++)
		if (lease_has(lease, &list[i].cidr.ip))
			rc = kernel_link_down(kernel, list[i].index, err);
	return rc;
}

static int
silence_in(int netns, const struct lease *lease, struct err *err)
{
	scoped_kernel *kernel = NULL;
	struct err reason = {0};
	unsigned index = 0;
	bool own = false;
	int rc = netns_is_own(netns, &own, err);

	if (rc || own)
		return rc;
	rc = kernel_open(netns, &kernel, err);
	if (rc)
		return rc;
	prepare_settings(netns, lease->holder.ifname);
	rc = kernel_link_index(kernel, lease->holder.ifname, &index, &reason);
	if (!rc)
		rc = kernel_link_down(kernel, index, &reason);
	if (rc && rc != -ENODEV)
		return err_set(err, reason.code, "%s", reason.text);
	/* the link may have been renamed, and another one may have its name by now */
	return links_down_by_address(kernel, lease, err);
}

int
silence_lease(const struct lease *lease, struct err *err)
{
	const struct attachment *holder = &lease->holder;
	scoped_fd int netns = -1;

	if (holder->netns_id.inode == 0)
		return 0;
	int rc = netns_id_find(holder->netns, &holder->netns_id, &netns, err);
	if (rc <= 0)
		return rc;
	rc = silence_in(netns, lease, err);
	return rc ? err_wrap(err, "network namespace %.200s", lease->holder.netns) : 0;
}
