#include "node/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/mem.h"
#include "node/netns.h"

/* Without a protocol nothing is received: what comes before bind is of any link. */
static int
open_socket(int *ret_wire, struct err *err)
{
	int wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (wire < 0)
		return err_errno(err, errno, "cannot open a packet socket");
	*ret_wire = wire;
	return 0;
}

static int
open_in(int netns, int *ret_wire, struct err *err)
{
	int own = -1;

	if (netns < 0)
		return open_socket(ret_wire, err);
	int rc = netns_enter(netns, &own, err);
	if (rc)
		return rc;
	rc = open_socket(ret_wire, err);
	netns_leave(own);
	return rc;
}

int
wire_open(int netns, unsigned index, uint16_t type, int *ret_wire, struct err *err)
{
	scoped_wire wire = -1;
	const struct sockaddr_ll where = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(type),
	    .sll_ifindex = (int)index};
	int rc = open_in(netns, &wire, err);

	if (rc)
		return rc;
	if (bind(wire, (const struct sockaddr *)&where, sizeof(where)) < 0)
		return err_errno(err, errno, "cannot listen on interface number %u", index);
	*ret_wire = mem_take_fd(&wire);
	return 0;
}

/* Puts both fds into a message that waits in the queue of the second: closed, they are
 * a cycle that nobody can reach, and the kernel collects it at its leisure (unix(7),
 * SCM_RIGHTS). */
static void
send_into_itself(int way_in, int queue, int wire)
{
	const int fds[] = {queue, wire};
	char byte = 0;
	struct iovec content = {.iov_base = &byte, .iov_len = 1};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {0};
	struct msghdr message = {.msg_iov = &content,
	    .msg_iovlen = 1,
	    .msg_control = control,
	    .msg_controllen = sizeof(control)};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(rights), fds, sizeof(fds));
	/* where it fails, close() waits */
	(void)sendmsg(way_in, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The last close of a packet socket waits until every processor has left the network
 * code (packet_release, net/packet/af_packet.c: synchronize_net): 8 to 24 ms, in which a
 * pod would wait for its start. As rubbish it is closed by a thread of the kernel; one
 * that collects in the process that closes (before Linux 6.9) takes the time here. */
void
wire_close(int wire)
{
	int pair[2] = {-1, -1};

	if (wire < 0)
		return;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0)
		send_into_itself(pair[0], pair[1], wire);
	/* before the cycle is closed and may be collected: never the last close */
	(void)close(wire);
	mem_cleanup_fd(&pair[1]);
	mem_cleanup_fd(&pair[0]);
}

void
wire_cleanup(const int *wire)
{
	wire_close(*wire);
}

int
wire_send(int wire, const struct frame *frame, struct err *err)
{
	if (send(wire, frame->bytes, frame->length, MSG_NOSIGNAL) < 0)
		return err_errno(err, errno, "cannot send a frame");
	return 0;
}

size_t
wire_receive(int wire, uint8_t *frame)
{
	struct sockaddr_ll from = {0};
	socklen_t size = sizeof(from);
	ssize_t got =
	    recvfrom(wire, frame, WIRE_FRAME_MAX, 0, (struct sockaddr *)&from, &size);

	/* another host's, or of a VLAN that this link is not in */
	if (got <= 0 || from.sll_pkttype == PACKET_OTHERHOST)
		return 0;
	return (size_t)got;
}
