#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	LINKS_MAX = 256, /* of one namespace; a pod has two to ten */
	REPLY_MAX =
	    32 * 1024, /* what the kernel puts into one message of a dump at most */
	ANSWER_DEADLINE_S = 2,
};

struct reader {
	int links[LINKS_MAX]; /* those that are up, by index */
	size_t link_count;
	void (*each)(void *cookie, const struct address *address);
	void *cookie;
};

static int home = -1;

int
netns_home(void)
{
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return home < 0 ? -errno : 0;
}

/* A socket stays in the namespace in which it was made. */
static int
socket_in(int netns_fd)
{
	const struct timeval deadline = {.tv_sec = ANSWER_DEADLINE_S};

	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return -errno;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int code = fd < 0 ? -errno : 0;
	/* Lost in another's namespace, nothing that we would see is worth anything. */
	if (setns(home, CLONE_NEWNET) < 0)
		_exit(70);
	if (!code)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	return code ? code : fd;
}

static int
on_link(struct reader *reader, struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWLINK || !(link->ifi_flags & IFF_UP) ||
	    (link->ifi_flags & IFF_LOOPBACK))
		return 0;
	if (reader->link_count == LINKS_MAX)
		return -EOVERFLOW;
	reader->links[reader->link_count++] = link->ifi_index;
	return 0;
}

static bool
is_up(const struct reader *reader, int index)
{
	for (size_t i = 0; i < reader->link_count; i++)
		if (reader->links[i] == index)
			return true;
	return false;
}

static bool
is_ready(const struct ifaddrmsg *head)
{
	bool waits =
	    (head->ifa_flags & IFA_F_TENTATIVE) && !(head->ifa_flags & IFA_F_OPTIMISTIC);

	return !waits && !(head->ifa_flags & IFA_F_DADFAILED);
}

static int
on_address(struct reader *reader, struct nlmsghdr *message)
{
	struct ifaddrmsg *head = NLMSG_DATA(message);
	size_t left = IFA_PAYLOAD(message);
	struct address address = {0};

	if (message->nlmsg_type != RTM_NEWADDR || !is_up(reader, (int)head->ifa_index) ||
	    !is_ready(head))
		return 0;
	for (struct rtattr *a = IFA_RTA(head); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		/* With a peer IFA_ADDRESS is the peer's; IFA_LOCAL is always our own. */
		bool own = a->rta_type == IFA_LOCAL ||
			   (a->rta_type == IFA_ADDRESS && address.length == 0);
		if (!own || RTA_PAYLOAD(a) > sizeof(address.bytes))
			continue;
		address.length = (unsigned char)RTA_PAYLOAD(a);
		memcpy(address.bytes, RTA_DATA(a), address.length);
	}
	if (address.length == 4 || address.length == 16)
		reader->each(reader->cookie, &address);
	return 0;
}

static int
ask(int fd, unsigned short type)
{
	struct {
		struct nlmsghdr head;
		struct rtgenmsg family;
	} request = {
	    .head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = type},
	    .family = {.rtgen_family = AF_UNSPEC},
	};

	return send(fd, &request, request.head.nlmsg_len, 0) < 0 ? -errno : 0;
}

/* One datagram of a dump. Returns 1 when it was the last one. */
static int
take(struct nlmsghdr *message, size_t length,
    int (*on)(struct reader *, struct nlmsghdr *), struct reader *reader)
{
	for (; NLMSG_OK(message, length); message = NLMSG_NEXT(message, length)) {
		if (message->nlmsg_type == NLMSG_DONE)
			return 1;
		if (message->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		/* Something changed meanwhile: this is no moment's picture. */
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		int code = on(reader, message);
		if (code)
			return code;
	}
	return 0;
}

static int
dump(int fd, unsigned short type, int (*on)(struct reader *, struct nlmsghdr *),
    struct reader *reader)
{
	union {
		struct nlmsghdr head;
		char bytes[REPLY_MAX];
	} reply;
	int code = ask(fd, type);

	while (code == 0) {
		ssize_t length = recv(fd, &reply, sizeof(reply), 0);
		code =
		    length < 0 ? -errno : take(&reply.head, (size_t)length, on, reader);
	}
	return code < 0 ? code : 0;
}

int
netns_addresses(
    int netns_fd, void (*each)(void *cookie, const struct address *address), void *cookie)
{
	struct reader reader = {.each = each, .cookie = cookie};
	int fd = socket_in(netns_fd);

	if (fd < 0)
		return fd;
	int code = dump(fd, RTM_GETLINK, on_link, &reader);
	if (!code)
		code = dump(fd, RTM_GETADDR, on_address, &reader);
	(void)close(fd);
	return code;
}
