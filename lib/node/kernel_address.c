#include "node/kernel.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "node/kernel_message.h"

/* What of an address's flags is asked for; the others are the kernel's own notes. */
enum { WANTED_FLAGS = IFA_F_HOMEADDRESS | IFA_F_NOPREFIXROUTE | IFA_F_MANAGETEMPADDR };

static struct nl_msg *
build(int type, int flags, const struct kernel_address *address, uint32_t address_flags)
{
	const struct ip *ip = &address->cidr.ip;
	const struct ip *end = address->peer.family ? &address->peer : ip;
	struct ifaddrmsg header = {
	    .ifa_family = (uint8_t)ip_kernel_family(ip),
	    .ifa_prefixlen = address->cidr.length,
	    .ifa_scope = address->scope,
	    .ifa_index = address->index,
	};
	struct nl_msg *message = kernel_message_new(type, flags, &header, sizeof(header));

	bool fits = nla_put(message, IFA_LOCAL, (int)ip_size(ip), ip->bytes) == 0 &&
	    nla_put(message, IFA_ADDRESS, (int)ip_size(end), end->bytes) == 0 &&
	    nla_put_u32(message, IFA_FLAGS, address_flags) == 0 &&
	    (!address->metric || nla_put_u32(message, IFA_RT_PRIORITY, address->metric) == 0);
	if (!fits) /* it is small and the room a page: only memory can be short */
		mem_exhausted();
	return message;
}

int
kernel_address_delete(struct kernel *kernel, const struct kernel_address *address,
    struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	int code = kernel_message_send(kernel, build(RTM_DELADDR, 0, address, 0));

	if (code)
		return err_errno(
		    err, code, "cannot remove address %s", cidr_print(&address->cidr, text));
	return 0;
}

static int
add(struct kernel *kernel, const struct kernel_address *address, uint32_t flags)
{
	return kernel_message_send(
	    kernel, build(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address, flags));
}

int
kernel_address_skip_dad(struct kernel *kernel, const struct kernel_address *address,
    struct err *err)
{
	uint32_t flags = address->flags & WANTED_FLAGS;
	char text[ADDRESS_TEXT_MAX];
	int code = kernel_message_send(kernel, build(RTM_DELADDR, 0, address, 0));
	bool gone = !code || kernel_is_unsure(kernel);

	if (!code)
		code = add(kernel, address, flags | IFA_F_NODAD);
	if (code && gone) /* a second ADD would find none, and call that a success */
		(void)add(kernel, address, flags);
	if (code)
		return err_errno(err, code, "cannot make address %s usable at once",
		    cidr_print(&address->cidr, text));
	return 0;
}
