#include "node/kernel.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/socket.h>

#include "node/kernel_message.h"

static struct ip
read_gateway(int kernel_family, struct nlattr **attributes)
{
	struct nlattr *via = attributes[RTA_VIA];
	struct ip ip = {.family = 6};

	/* an IPv4 route over an IPv6 neighbour (RFC 5549) */
	if (!via || (size_t)nla_len(via) != sizeof(struct rtvia) + ip_size(&ip))
		return kernel_read_ip(kernel_family, attributes[RTA_GATEWAY]);
	memcpy(ip.bytes, (char *)nla_data(via) + sizeof(struct rtvia), ip_size(&ip));
	return ip;
}

static void
read_metrics(struct nlattr *nested, struct route *route)
{
	struct nlattr *metrics[RTAX_MAX + 1];

	if (!nested || nla_parse_nested(metrics, RTAX_MAX, nested, NULL) < 0)
		return;
	route->has_mtu = metrics[RTAX_MTU] != NULL;
	route->mtu = route->has_mtu ? nla_get_u32(metrics[RTAX_MTU]) : 0;
	route->has_advmss = metrics[RTAX_ADVMSS] != NULL;
	route->advmss = route->has_advmss ? nla_get_u32(metrics[RTAX_ADVMSS]) : 0;
}

/* false: a kind that routes nothing of a pod (local, broadcast, anycast, ...). */
static bool
read_type(unsigned char type, enum route_type *ret_type)
{
	switch (type) {
	case RTN_UNICAST:
		*ret_type = ROUTE_UNICAST;
		return true;
	case RTN_BLACKHOLE:
		*ret_type = ROUTE_BLACKHOLE;
		return true;
	case RTN_UNREACHABLE:
		*ret_type = ROUTE_UNREACHABLE;
		return true;
	case RTN_PROHIBIT:
		*ret_type = ROUTE_PROHIBIT;
		return true;
	default:
		return false;
	}
}

/* The next hops of RTA_MULTIPATH (rtnetlink(7)). */
static void
read_hops(int kernel_family, struct nlattr *nested, struct kernel_route *found)
{
	struct rtnexthop *hop = nla_data(nested);
	int rest = nla_len(nested);
	unsigned count = 0;

	/* RTNH_OK looks into the header before it knows that there is one */
	while (rest >= (int)sizeof(*hop) && RTNH_OK(hop, rest)) {
		struct nlattr *attributes[RTA_MAX + 1];
		int length = hop->rtnh_len - (int)sizeof(*hop);
		found->more_hops = count == ROUTE_HOPS_MAX;
		if (found->more_hops ||
		    nla_parse(attributes, RTA_MAX, (void *)(hop + 1), length, NULL) < 0)
			break;
		found->hop_indexes[count] = (unsigned)hop->rtnh_ifindex;
		found->extra.hops[count++] = (struct route_hop){
		    .gw = read_gateway(kernel_family, attributes),
		    .onlink = hop->rtnh_flags & RTNH_F_ONLINK,
		    .weight = (uint16_t)(hop->rtnh_hops + 1)};
		rest -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
	found->extra.hop_count = count;
	found->index = found->hop_indexes[0];
	found->route.gw = found->extra.hops[0].gw;
	found->extra.onlink = found->extra.hops[0].onlink;
}

static void
read_route(const struct rtmsg *header, struct nlattr **attributes, struct kernel_route *found)
{
	struct route *route = &found->route;
	struct nlattr *table = attributes[RTA_TABLE];
	struct nlattr *priority = attributes[RTA_PRIORITY];

	route->dst.ip = kernel_read_ip(header->rtm_family, attributes[RTA_DST]);
	if (!route->dst.ip.family) /* a default route has none */
		route->dst.ip.family = header->rtm_family == AF_INET6 ? 6 : 4;
	route->dst.length = header->rtm_dst_len;
	route->gw = read_gateway(header->rtm_family, attributes);
	route->has_table = true;
	route->table = table ? nla_get_u32(table) : header->rtm_table;
	route->has_priority = priority != NULL;
	route->priority = priority ? nla_get_u32(priority) : 0;
	route->has_scope = true;
	route->scope = header->rtm_scope;
	read_metrics(attributes[RTA_METRICS], route);
	found->index = attributes[RTA_OIF] ? nla_get_u32(attributes[RTA_OIF]) : 0;
	found->protocol = header->rtm_protocol;
	found->tos = header->rtm_tos;
	if (attributes[RTA_SRC])
		found->from = (struct cidr){
		    .ip = kernel_read_ip(header->rtm_family, attributes[RTA_SRC]),
		    .length = header->rtm_src_len};
	found->extra.src = kernel_read_ip(header->rtm_family, attributes[RTA_PREFSRC]);
	found->extra.onlink = header->rtm_flags & RTNH_F_ONLINK;
	if (attributes[RTA_MULTIPATH])
		read_hops(header->rtm_family, attributes[RTA_MULTIPATH], found);
}

static bool
leaves_by(const struct kernel_route *route, unsigned index)
{
	for (unsigned i = 0; i < route->extra.hop_count; i++)
		if (route->hop_indexes[i] == index)
			return true;
	return route->index == index;
}

static void
take_route(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct nlattr *attributes[RTA_MAX + 1];
	struct rtmsg *header = nlmsg_data(message);
	enum route_type type;

	/* judged by the header first: a host may have very many routes */
	if ((header->rtm_family != AF_INET && header->rtm_family != AF_INET6) ||
	    (header->rtm_flags & RTM_F_CLONED) ||
	    !read_type(header->rtm_type, &type))
		return;
	if (dump->filter->default_only &&
	    (header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN ||
	        header->rtm_type != RTN_UNICAST))
		return;
	if (nlmsg_parse(message, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
		return;
	struct kernel_route *found = kernel_dump_add(dump);
	if (!found)
		return;
	found->extra.type = type;
	read_route(header, attributes, found);
	if (dump->filter->index && !leaves_by(found, dump->filter->index))
		dump->count--;
}

int
kernel_routes(struct kernel *kernel, const struct kernel_filter *filter,
    struct kernel_route **ret_list, size_t *ret_count, struct err *err)
{
	struct kernel_dump dump = {.type = RTM_GETROUTE,
	    .item_size = sizeof(**ret_list),
	    .take = take_route,
	    .filter = filter};
	int rc = kernel_dump_run(kernel, &dump, "routes", err);

	if (rc)
		return rc;
	*ret_list = (void *)dump.items;
	*ret_count = dump.count;
	return 0;
}
