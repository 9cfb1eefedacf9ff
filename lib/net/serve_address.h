/* Where a server of ours listens: the value of an option. */
#ifndef NET_SERVE_ADDRESS_H
#define NET_SERVE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "core/err.h"

struct serve_address {
	bool off; /* "" or "0": nobody listens */
	/* AF_INET; or AF_INET6, where the unspecified address stands for both families
	 * (":9000") when any is set */
	bool any;
	union {
		struct sockaddr base;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} socket;
};

/* ADDRESS:PORT, [ADDRESS]:PORT for IPv6, :PORT for all addresses of the machine; "" or
 * "0" is off. Port 0 is one that the kernel chooses. -EINVAL with option and value, and
 * what it may be. */
int serve_address_parse(const char *option, const char *text,
    struct serve_address *ret_address, struct err *err);

/* A listening socket (non-blocking, close-on-exec), or a negative errno with the way
 * out; not for an address that is off. option is named in the sentence. */
int serve_listen(const char *option, const struct serve_address *address, struct err *err);

/* The address and port of a socket as text, in the form that serve_address_parse
 * reads; "" when it has none. */
enum { SERVE_ADDRESS_TEXT_MAX = INET6_ADDRSTRLEN + 8 };
void serve_address_print(int fd, char ret_text[SERVE_ADDRESS_TEXT_MAX]);

#endif
