#include "net/serve_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "core/num.h"

static int
bad(const char *option, const char *text, struct err *err)
{
	return err_set(err, EINVAL, "--%s=%.100s: give ADDRESS:PORT, [IPV6-ADDRESS]:PORT, :PORT "
	    "for all addresses, or 0 for none", option, text);
}

static bool
read_host(const char *text, size_t length, struct serve_address *address)
{
	char host[INET6_ADDRSTRLEN];
	bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';

	if (length == 0) {
		address->any = true;
		address->socket.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6};
		return true;
	}
	if (bracketed) {
		text++;
		length -= 2;
	}
	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	address->socket.base.sa_family = bracketed ? AF_INET6 : AF_INET;
	return bracketed ? inet_pton(AF_INET6, host, &address->socket.v6.sin6_addr) == 1
	    : inet_pton(AF_INET, host, &address->socket.v4.sin_addr) == 1;
}

int
serve_address_parse(const char *option, const char *text,
    struct serve_address *ret_address, struct err *err)
{
	struct serve_address address = {0};
	const char *colon = strrchr(text, ':');
	uint64_t port;

	if (text[0] == '\0' || strcmp(text, "0") == 0) {
		*ret_address = (struct serve_address){.off = true};
		return 0;
	}
	if (!colon || num_parse(colon + 1, strlen(colon + 1), UINT16_MAX, option, &port, NULL))
		return bad(option, text, err);
	if (!read_host(text, (size_t)(colon - text), &address))
		return bad(option, text, err);
	if (address.socket.base.sa_family == AF_INET)
		address.socket.v4.sin_port = htons((uint16_t)port);
	else
		address.socket.v6.sin6_port = htons((uint16_t)port);
	*ret_address = address;
	return 0;
}

static int
open_socket(const struct serve_address *address)
{
	int family = address->socket.base.sa_family;
	int on = 1;
	int off = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* a predecessor's connections that are still closing are no reason to fail */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->any ? &off : &on, sizeof(on));
	return fd;
}

static int
open_and_bind(const struct serve_address *address, int *ret_fd)
{
	scoped_fd int fd = open_socket(address);
	socklen_t length = address->socket.base.sa_family == AF_INET
	    ? sizeof(address->socket.v4) : sizeof(address->socket.v6);

	if (fd < 0)
		return mem_take_fd(&fd);
	if (bind(fd, &address->socket.base, length) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = mem_take_fd(&fd);
	return 0;
}

/* Where the kernel has no IPv6, all addresses are those of IPv4. */
static struct serve_address
without_ipv6(const struct serve_address *address)
{
	struct serve_address other = {.any = true};

	other.socket.v4 = (struct sockaddr_in){
	    .sin_family = AF_INET, .sin_port = address->socket.v6.sin6_port};
	return other;
}

static void
print(const struct sockaddr *address, char text[SERVE_ADDRESS_TEXT_MAX])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	char host[INET6_ADDRSTRLEN] = "";

	if (address->sa_family == AF_INET &&
	    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)))
		(void)snprintf(text, SERVE_ADDRESS_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
	else if (address->sa_family == AF_INET6 &&
	    inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)))
		(void)snprintf(text, SERVE_ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(v6->sin6_port));
	else
		text[0] = '\0';
}

void
serve_address_print(int fd, char ret_text[SERVE_ADDRESS_TEXT_MAX])
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		address.ss_family = AF_UNSPEC;
	print((const struct sockaddr *)&address, ret_text);
}

int
serve_listen(const char *option, const struct serve_address *address, struct err *err)
{
	char text[SERVE_ADDRESS_TEXT_MAX];
	int fd = -1;
	int rc = open_and_bind(address, &fd);

	if (rc == -EAFNOSUPPORT && address->any) {
		struct serve_address other = without_ipv6(address);
		rc = open_and_bind(&other, &fd);
	}
	if (!rc)
		return fd;
	print(&address->socket.base, text);
	if (rc == -EADDRINUSE)
		return err_set(err, EADDRINUSE, "--%s: another process listens on %s (ss -ltnp "
		    "names it); end it, or give another port", option, text);
	if (rc == -EADDRNOTAVAIL)
		return err_set(err, EADDRNOTAVAIL, "--%s: this machine has no address %s; give one "
		    "that it has, or :PORT for all", option, text);
	return err_errno(err, -rc, "--%s: cannot listen on %s", option, text);
}
