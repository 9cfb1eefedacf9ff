/* Inside lib/node: one request or dump on the netlink socket. */
#ifndef NODE_KERNEL_MESSAGE_H
#define NODE_KERNEL_MESSAGE_H

#include <stddef.h>

#include "core/err.h"
#include "node/kernel.h"

struct nl_msg;
struct nl_sock;
struct nlattr;
struct nlmsghdr;

/* A dump: take is called for each message and adds items to the list. */
struct kernel_dump {
	/* what is asked */
	int type; /* RTM_GETROUTE, ... */
	size_t item_size;
	void (*take)(struct nlmsghdr *message, struct kernel_dump *dump);
	const struct kernel_filter *filter;
	/* what came */
	char *items;
	size_t count;
	bool over; /* more came than KERNEL_ITEMS_MAX */
};

enum {
	/* Times that a dump is made while the kernel's lists change under it;
	 * vishvananda/netlink, which the reference plugins use, does as many. */
	KERNEL_DUMP_TRIES = 5,
	/* The kernel answers from memory; a socket that is silent longer than
	 * this will not speak any more. */
	KERNEL_ANSWER_SECONDS = 5,
};

/* A new zeroed item of the list; NULL past the maximum. */
void *kernel_dump_add(struct kernel_dump *dump);
/* Runs it. The items are the caller's after 0. what: "routes", in errors. */
int kernel_dump_run(struct kernel *kernel, struct kernel_dump *dump, const char *what,
    struct err *err);

/* A message with its fixed header; never NULL. */
struct nl_msg *kernel_message_new(int type, int flags, const void *header, size_t size);
/* Sends it, frees it and waits for the kernel's word: 0 or a positive errno. */
int kernel_message_send(struct kernel *kernel, struct nl_msg *message);
/* What the kernel said beside the errno ("Nexthop has invalid gateway"); "". */
const char *kernel_refusal(const struct kernel *kernel);
/* The address in an attribute; family 0 when it is missing or misshapen. */
struct ip kernel_read_ip(int kernel_family, struct nlattr *attribute);

#endif
