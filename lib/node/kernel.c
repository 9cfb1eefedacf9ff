#include "node/kernel.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "core/mem.h"
#include "node/kernel_message.h"
#include "node/netns.h"

struct kernel {
	struct nl_sock *socket;
	int code;         /* errno of the last refusal; 0 = none */
	bool unsure;      /* the last exchange failed without one */
	char reason[128]; /* the kernel's words about it */
};

/* The kernel puts its words behind the errno (NETLINK_EXT_ACK, Linux 4.12); they
 * follow the request's header only, as NETLINK_CAP_ACK leaves out its payload. */
static int
on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *cookie)
{
	struct kernel *kernel = cookie;
	struct nlmsghdr *header = (void *)((char *)refusal - NLMSG_HDRLEN);
	int rest = nlmsg_datalen(header) - (int)sizeof(*refusal);

	(void)from;
	kernel->code = -refusal->error;
	kernel->reason[0] = '\0';
	if (!(header->nlmsg_flags & NLM_F_ACK_TLVS) || !(header->nlmsg_flags & NLM_F_CAPPED) ||
	    rest <= 0)
		return NL_STOP;
	struct nlattr *words = nla_find((void *)(refusal + 1), rest, NLMSGERR_ATTR_MSG);
	if (words && nla_len(words) > 0)
		(void)snprintf(kernel->reason, sizeof(kernel->reason), "%.*s", nla_len(words),
		    nla_get_string(words));
	return NL_STOP;
}

static void
set_options(struct kernel *kernel)
{
	struct timeval limit = {.tv_sec = KERNEL_ANSWER_SECONDS};
	int on = 1;
	int fd = nl_socket_get_fd(kernel->socket);

	/* without them errors are less clear, and that is all */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	/* 32 KiB is the most that the kernel puts into one answer of a dump
	 * (netlink_dump, net/netlink/af_netlink.c): no second look at its size */
	(void)nl_socket_set_msg_buf_size(kernel->socket, 32 * 1024);
	nl_socket_disable_msg_peek(kernel->socket);
	/* libnl counts a request that was not sent, and then takes no answer for its own
	 * any more; instead forget_last leaves none unread */
	nl_socket_disable_seq_check(kernel->socket);
	(void)nl_socket_modify_err_cb(kernel->socket, NL_CB_CUSTOM, on_refusal, kernel);
}

static int
connect_here(struct kernel **ret_kernel, struct err *err)
{
	scoped_kernel *kernel = mem_new(1, sizeof(*kernel));

	kernel->socket = nl_socket_alloc();
	if (!kernel->socket)
		mem_exhausted();
	errno = 0;
	if (nl_connect(kernel->socket, NETLINK_ROUTE) < 0)
		return err_errno(err, errno ? errno : EIO, "cannot open a netlink socket");
	set_options(kernel);
	*ret_kernel = mem_take(&kernel);
	return 0;
}

int
kernel_open(int netns, struct kernel **ret_kernel, struct err *err)
{
	int own = -1;

	if (netns < 0)
		return connect_here(ret_kernel, err);
	int rc = netns_enter(netns, &own, err);
	if (rc)
		return rc;
	rc = connect_here(ret_kernel, err);
	netns_leave(own);
	return rc;
}

void
kernel_close(struct kernel *kernel)
{
	if (!kernel)
		return;
	nl_socket_free(kernel->socket);
	mem_free(kernel);
}

void
kernel_cleanup(struct kernel **kernel)
{
	kernel_close(*kernel);
}

const char *
kernel_refusal(const struct kernel *kernel)
{
	return kernel->reason;
}

/* libnl's result as an errno: the kernel's own where it gave one. */
static int
errno_of(struct kernel *kernel, int rc)
{
	if (rc >= 0)
		return 0;
	if (kernel->code)
		return kernel->code;
	kernel->unsure = true;
	if (rc == -NLE_DUMP_INTR)
		return EAGAIN;
	return rc == -NLE_AGAIN ? ETIMEDOUT : EIO;
}

/* Before a request: what is still unread of one that failed would be taken for its
 * answer. */
static void
forget_last(struct kernel *kernel)
{
	int fd = nl_socket_get_fd(kernel->socket);
	char byte;

	for (int i = 0; kernel->unsure && i < KERNEL_ITEMS_MAX; i++)
		if (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno == EAGAIN)
			break;
	kernel->unsure = false;
	kernel->code = 0;
	kernel->reason[0] = '\0';
}

bool
kernel_is_unsure(const struct kernel *kernel)
{
	return kernel->unsure;
}

struct nl_msg *
kernel_message_new(int type, int flags, const void *header, size_t size)
{
	struct nl_msg *message = nlmsg_alloc_simple(type, flags);

	if (!message || nlmsg_append(message, (void *)(uintptr_t)header, size, NLMSG_ALIGNTO) < 0)
		mem_exhausted();
	return message;
}

int
kernel_message_send(struct kernel *kernel, struct nl_msg *message)
{
	forget_last(kernel);
	return errno_of(kernel, nl_send_sync(kernel->socket, message));
}

void *
kernel_dump_add(struct kernel_dump *dump)
{
	/* room doubles at each power of two */
	if (dump->count == KERNEL_ITEMS_MAX) {
		dump->over = true;
		return NULL;
	}
	if ((dump->count & (dump->count - 1)) == 0)
		dump->items = mem_resize(
		    dump->items, dump->count ? dump->count * 2 : 1, dump->item_size);
	char *item = dump->items + dump->count++ * dump->item_size;
	memset(item, 0, dump->item_size);
	return item;
}

static int
on_message(struct nl_msg *message, void *cookie)
{
	struct kernel_dump *dump = cookie;

	dump->take(nlmsg_hdr(message), dump);
	return NL_OK;
}

static int
dump_once(struct kernel *kernel, struct kernel_dump *dump)
{
	struct rtgenmsg any_family = {.rtgen_family = AF_UNSPEC};

	forget_last(kernel);
	dump->count = 0;
	dump->over = false;
	(void)nl_socket_modify_cb(
	    kernel->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, dump);
	int rc = nl_send_simple(
	    kernel->socket, dump->type, NLM_F_DUMP, &any_family, sizeof(any_family));
	if (rc >= 0)
		rc = nl_recvmsgs_default(kernel->socket);
	(void)nl_socket_modify_cb(kernel->socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	return errno_of(kernel, rc);
}

int
kernel_dump_run(struct kernel *kernel, struct kernel_dump *dump, const char *what,
    struct err *err)
{
	int code = EAGAIN;

	for (int i = 0; i < KERNEL_DUMP_TRIES && code == EAGAIN; i++)
		code = dump_once(kernel, dump);
	if (!code && dump->over)
		code = E2BIG;
	if (!code)
		return 0;
	mem_free(dump->items);
	dump->items = NULL;
	return err_errno(err, code, "cannot list the %s of a network namespace", what);
}

struct ip
kernel_read_ip(int kernel_family, struct nlattr *attribute)
{
	struct ip ip = {.family = kernel_family == AF_INET6 ? 6 : 4};

	if (!attribute || (size_t)nla_len(attribute) != ip_size(&ip))
		return (struct ip){0};
	memcpy(ip.bytes, nla_data(attribute), ip_size(&ip));
	return ip;
}

static void
take_link(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct nlattr *attributes[IFLA_MAX + 1];
	struct ifinfomsg *header = nlmsg_data(message);

	if (nlmsg_parse(message, sizeof(*header), attributes, IFLA_MAX, NULL) < 0)
		return;
	struct kernel_link *link = kernel_dump_add(dump);
	if (!link)
		return;
	struct nlattr *master = attributes[IFLA_MASTER];
	struct nlattr *mac = attributes[IFLA_ADDRESS];
	link->index = (unsigned)header->ifi_index;
	link->flags = header->ifi_flags;
	link->master = master ? nla_get_u32(master) : 0;
	link->is_ethernet =
	    header->ifi_type == ARPHRD_ETHER && mac && nla_len(mac) == MAC_BYTES;
	if (link->is_ethernet)
		memcpy(link->mac.bytes, nla_data(mac), MAC_BYTES);
}

int
kernel_links(struct kernel *kernel, struct kernel_link **ret_list, size_t *ret_count,
    struct err *err)
{
	struct kernel_dump dump = {
	    .type = RTM_GETLINK, .item_size = sizeof(**ret_list), .take = take_link};
	int rc = kernel_dump_run(kernel, &dump, "links", err);

	if (rc)
		return rc;
	*ret_list = (void *)dump.items;
	*ret_count = dump.count;
	return 0;
}

static void
take_address(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct nlattr *attributes[IFA_MAX + 1];
	struct ifaddrmsg *header = nlmsg_data(message);

	if (nlmsg_parse(message, sizeof(*header), attributes, IFA_MAX, NULL) < 0)
		return;
	/* on a point-to-point link IFA_ADDRESS is the other end */
	struct nlattr *local = attributes[IFA_LOCAL];
	struct nlattr *own = local ? local : attributes[IFA_ADDRESS];
	struct ip ip = kernel_read_ip(header->ifa_family, own);
	struct kernel_address *address = ip.family ? kernel_dump_add(dump) : NULL;
	if (!address)
		return;
	struct nlattr *flags = attributes[IFA_FLAGS];
	struct nlattr *metric = attributes[IFA_RT_PRIORITY];
	address->index = header->ifa_index;
	address->cidr = (struct cidr){.ip = ip, .length = header->ifa_prefixlen};
	address->flags = flags ? nla_get_u32(flags) : header->ifa_flags;
	address->scope = header->ifa_scope;
	address->metric = metric ? nla_get_u32(metric) : 0;
	if (local && header->ifa_family == AF_INET6)
		address->peer = kernel_read_ip(AF_INET6, attributes[IFA_ADDRESS]);
}

int
kernel_addresses(struct kernel *kernel, struct kernel_address **ret_list,
    size_t *ret_count, struct err *err)
{
	struct kernel_dump dump = {
	    .type = RTM_GETADDR, .item_size = sizeof(**ret_list), .take = take_address};
	int rc = kernel_dump_run(kernel, &dump, "addresses", err);

	if (rc)
		return rc;
	*ret_list = (void *)dump.items;
	*ret_count = dump.count;
	return 0;
}

static int
on_link(struct nl_msg *message, void *cookie)
{
	struct ifinfomsg *header = nlmsg_data(nlmsg_hdr(message));

	*(unsigned *)cookie = (unsigned)header->ifi_index;
	return NL_OK;
}

/* The answer and, in a datagram of its own, the acknowledgement; a refusal comes
 * instead of both. What is left unread would be taken for the next answer. */
static int
ask_link(struct kernel *kernel, struct nl_msg *request, unsigned *index)
{
	forget_last(kernel);
	(void)nl_socket_modify_cb(kernel->socket, NL_CB_VALID, NL_CB_CUSTOM, on_link, index);
	int rc = nl_send_auto(kernel->socket, request);
	if (rc >= 0)
		rc = nl_recvmsgs_default(kernel->socket);
	if (rc >= 0)
		rc = nl_wait_for_ack(kernel->socket);
	(void)nl_socket_modify_cb(kernel->socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	nlmsg_free(request);
	return errno_of(kernel, rc);
}

int
kernel_link_index(struct kernel *kernel, const char *name, unsigned *ret_index,
    struct err *err)
{
	struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
	unsigned index = 0;

	if (strlen(name) > IFNAME_LEN_MAX) /* a longer one fits no message either */
		return err_errno(err, ENODEV, "cannot find interface %.40s", name);
	struct nl_msg *request = kernel_message_new(RTM_GETLINK, 0, &header, sizeof(header));

	if (nla_put_string(request, IFLA_IFNAME, name) < 0)
		mem_exhausted();
	int code = ask_link(kernel, request, &index);
	if (!code && !index)
		code = ENODEV;
	if (code)
		return err_errno(err, code, "cannot find interface %s", name);
	*ret_index = index;
	return 0;
}
