#include "node/advertised.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "node/kernel_message.h"

/* As the kernel said it, which is what it wants to hear again. */
struct advertised_route {
	struct rtmsg header;
	struct ip dst;
	struct ip gw;
	uint32_t table;
	uint32_t metric;
};

static bool
expires(struct nlattr *cache)
{
	struct rta_cacheinfo info;

	return cache && nla_memcpy(&info, cache, sizeof(info)) == (int)sizeof(info) &&
	    info.rta_expires != 0;
}

static void
take_route(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct nlattr *attributes[RTA_MAX + 1];
	struct rtmsg *header = nlmsg_data(message);

	if (header->rtm_family != AF_INET6 || (header->rtm_flags & RTM_F_CLONED) ||
	    (header->rtm_protocol != RTPROT_RA && header->rtm_protocol != RTPROT_KERNEL) ||
	    nlmsg_parse(message, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
		return;
	struct nlattr *link = attributes[RTA_OIF];
	struct nlattr *metric = attributes[RTA_PRIORITY];
	struct nlattr *table = attributes[RTA_TABLE];
	if (!link || nla_get_u32(link) != dump->filter->index ||
	    (header->rtm_protocol == RTPROT_KERNEL && !expires(attributes[RTA_CACHEINFO])))
		return;
	struct advertised_route *route = kernel_dump_add(dump);
	if (!route)
		return;
	route->header = *header;
	route->dst = kernel_read_ip(AF_INET6, attributes[RTA_DST]);
	route->gw = kernel_read_ip(AF_INET6, attributes[RTA_GATEWAY]);
	route->table = table ? nla_get_u32(table) : header->rtm_table;
	route->metric = metric ? nla_get_u32(metric) : 0;
}

static bool
put_ip(struct nl_msg *message, int type, const struct ip *ip)
{
	return !ip->family || nla_put(message, type, (int)ip_size(ip), ip->bytes) == 0;
}

static int
remove_route(struct kernel *kernel, unsigned index, const struct advertised_route *route)
{
	struct rtmsg header = {.rtm_family = AF_INET6,
	    .rtm_dst_len = route->header.rtm_dst_len,
	    .rtm_protocol = route->header.rtm_protocol,
	    .rtm_scope = RT_SCOPE_NOWHERE,
	    .rtm_type = route->header.rtm_type};
	struct nl_msg *message =
	    kernel_message_new(RTM_DELROUTE, 0, &header, sizeof(header));

	bool fits = nla_put_u32(message, RTA_TABLE, route->table) == 0 &&
	    nla_put_u32(message, RTA_OIF, index) == 0 &&
	    nla_put_u32(message, RTA_PRIORITY, route->metric) == 0 &&
	    put_ip(message, RTA_DST, &route->dst) && put_ip(message, RTA_GATEWAY, &route->gw);
	if (!fits) /* it is small and the room a page: only memory can be short */
		mem_exhausted();
	int code = kernel_message_send(kernel, message);
	return code == ESRCH ? 0 : code; /* expired meanwhile */
}

int
advertised_forget_routes(struct kernel *kernel, unsigned index, struct err *err)
{
	const struct kernel_filter filter = {.index = index};
	struct kernel_dump dump = {.type = RTM_GETROUTE,
	    .item_size = sizeof(struct advertised_route),
	    .take = take_route,
	    .filter = &filter};
	int rc = kernel_dump_run(kernel, &dump, "routes", err);

	if (rc)
		return rc;
	scoped_free struct advertised_route *list = (void *)dump.items;
	for (size_t i = 0; i < dump.count; i++) {
		int code = remove_route(kernel, index, &list[i]);
		if (code)
			return err_errno(err, code, "cannot remove a router's route");
	}
	return 0;
}

static bool
is_kept(const struct ip *keep, unsigned count, const struct ip *ip)
{
	for (unsigned i = 0; i < count; i++)
		if (ip_equal(&keep[i], ip))
			return true;
	return false;
}

int
advertised_forget_addresses(struct kernel *kernel, unsigned index,
    const struct kernel_address *list, size_t count, const struct ip *keep,
    unsigned keep_count, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++) {
		const struct kernel_address *address = &list[i];
		if (address->index != index || address->cidr.ip.family != 6 ||
		    (address->flags & IFA_F_PERMANENT) ||
		    is_kept(keep, keep_count, &address->cidr.ip))
			continue;
		rc = kernel_address_delete(kernel, address, err);
		rc = rc == -EADDRNOTAVAIL ? 0 : rc; /* expired meanwhile */
	}
	return rc;
}
