#include "node/kernel.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "node/kernel_message.h"

/* IP6_RT_PRIO_USER (linux/ipv6_route.h): the metric of an IPv6 route that was
 * added with none. */
enum { IPV6_DEFAULT_PRIORITY = 1024 };

static uint32_t
table_of(const struct route *route)
{
	return route->has_table ? route->table : RT_TABLE_MAIN;
}

static uint32_t
priority_of(const struct route *route)
{
	uint32_t priority = route->has_priority ? route->priority : 0;

	return priority == 0 && route->dst.ip.family == 6 ? IPV6_DEFAULT_PRIORITY : priority;
}

/* As iproute2 has it: what needs no gateway is on the link. */
static uint8_t
scope_of(const struct route *route)
{
	if (route->has_scope)
		return (uint8_t)route->scope;
	return route->gw.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

/* ---- dumps ------------------------------------------------------------------ */

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

static void
add_route(struct kernel_dump *dump, const struct kernel_route *route)
{
	const struct kernel_filter *filter = dump->filter;

	if (filter->index && filter->index != route->index)
		return;
	struct kernel_route *item = kernel_dump_add(dump);
	if (item)
		*item = *route;
}

/* Each next hop of RTA_MULTIPATH as a route of its own (rtnetlink(7)). */
static void
add_next_hops(struct kernel_dump *dump, struct kernel_route *route, int kernel_family,
    struct nlattr *nested)
{
	struct rtnexthop *hop = nla_data(nested);
	int rest = nla_len(nested);

	/* RTNH_OK looks into the header before it knows that there is one */
	while (rest >= (int)sizeof(*hop) && RTNH_OK(hop, rest)) {
		struct nlattr *attributes[RTA_MAX + 1];
		int length = hop->rtnh_len - (int)sizeof(*hop);
		if (nla_parse(attributes, RTA_MAX, (void *)(hop + 1), length, NULL) < 0)
			return;
		route->index = (unsigned)hop->rtnh_ifindex;
		route->route.gw = read_gateway(kernel_family, attributes);
		add_route(dump, route);
		rest -= RTNH_ALIGN(hop->rtnh_len);
		hop = RTNH_NEXT(hop);
	}
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
	found->source = kernel_read_ip(header->rtm_family, attributes[RTA_PREFSRC]);
}

static void
take_route(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct nlattr *attributes[RTA_MAX + 1];
	struct rtmsg *header = nlmsg_data(message);
	struct kernel_route found = {0};

	/* judged by the header first: a host may have very many routes */
	if (dump->filter->default_only &&
	    (header->rtm_dst_len != 0 || header->rtm_table != RT_TABLE_MAIN))
		return;
	if ((header->rtm_family != AF_INET && header->rtm_family != AF_INET6) ||
	    header->rtm_type != RTN_UNICAST || (header->rtm_flags & RTM_F_CLONED))
		return;
	if (nlmsg_parse(message, sizeof(*header), attributes, RTA_MAX, NULL) < 0)
		return;
	read_route(header, attributes, &found);
	if (attributes[RTA_MULTIPATH])
		add_next_hops(dump, &found, header->rtm_family, attributes[RTA_MULTIPATH]);
	else
		add_route(dump, &found);
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

/* ---- changes ---------------------------------------------------------------- */

static int
put_ip(struct nl_msg *message, int type, const struct ip *ip)
{
	return nla_put(message, type, (int)ip_size(ip), ip->bytes);
}

static int
put_metrics(struct nl_msg *message, const struct route *route)
{
	if (!route->has_mtu && !route->has_advmss)
		return 0;
	struct nlattr *nested = nla_nest_start(message, RTA_METRICS);
	if (!nested)
		return -1;
	if (route->has_mtu && nla_put_u32(message, RTAX_MTU, route->mtu) < 0)
		return -1;
	if (route->has_advmss && nla_put_u32(message, RTAX_ADVMSS, route->advmss) < 0)
		return -1;
	return nla_nest_end(message, nested);
}

static struct nl_msg *
build(int type, int flags, const struct kernel_route *wanted)
{
	const struct route *route = &wanted->route;
	struct ip dst = cidr_first(&route->dst);
	struct rtmsg header = {
	    .rtm_family = (unsigned char)ip_kernel_family(&dst),
	    .rtm_dst_len = route->dst.length,
	    .rtm_protocol = RTPROT_STATIC,
	    .rtm_scope = scope_of(route),
	    .rtm_type = RTN_UNICAST,
	};
	struct nl_msg *message = kernel_message_new(type, flags, &header, sizeof(header));

	bool fits = nla_put_u32(message, RTA_TABLE, table_of(route)) == 0 &&
	    nla_put_u32(message, RTA_OIF, wanted->index) == 0 &&
	    (route->dst.length == 0 || put_ip(message, RTA_DST, &dst) == 0) &&
	    (!route->gw.family || put_ip(message, RTA_GATEWAY, &route->gw) == 0) &&
	    (!route->has_priority ||
	        nla_put_u32(message, RTA_PRIORITY, route->priority) == 0) &&
	    put_metrics(message, route) == 0;
	if (!fits) /* it is small and the room a page: only memory can be short */
		mem_exhausted();
	return message;
}

const char *
kernel_route_print(const struct kernel_route *route, char *out)
{
	char dst[ADDRESS_TEXT_MAX];
	char gw[ADDRESS_TEXT_MAX];
	bool via = route->route.gw.family != 0;

	(void)snprintf(out, KERNEL_ROUTE_TEXT_MAX, "%s%s%s",
	    cidr_print(&route->route.dst, dst), via ? " via " : "",
	    via ? ip_print(&route->route.gw, gw) : "");
	return out;
}

static int
change(struct kernel *kernel, struct nl_msg *message, const char *act,
    const struct kernel_route *route, struct err *err)
{
	char text[KERNEL_ROUTE_TEXT_MAX];
	int code = kernel_message_send(kernel, message);
	const char *words = kernel_refusal(kernel);

	if (!code)
		return 0;
	(void)err_errno(err, code, "cannot %s route %s", act, kernel_route_print(route, text));
	if (err && words[0]) {
		struct err said = *err;
		(void)err_set(err, code, "%s (%s)", said.text, words);
	}
	return -code;
}

int
kernel_route_add(struct kernel *kernel, const struct kernel_route *route, struct err *err)
{
	return change(
	    kernel, build(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route), "add", route, err);
}

int
kernel_route_delete(struct kernel *kernel, const struct kernel_route *route,
    struct err *err)
{
	return change(kernel, build(RTM_DELROUTE, 0, route), "remove", route, err);
}

bool
kernel_route_rivals(const struct kernel_route *found, const struct kernel_route *wanted)
{
	const struct route *a = &found->route;
	const struct route *b = &wanted->route;
	struct cidr dst = {.ip = cidr_first(&b->dst), .length = b->dst.length};

	return cidr_equal(&a->dst, &dst) && table_of(a) == table_of(b) &&
	    priority_of(a) == priority_of(b);
}

bool
kernel_route_matches(const struct kernel_route *found, const struct kernel_route *wanted)
{
	const struct route *a = &found->route;
	const struct route *b = &wanted->route;

	return kernel_route_rivals(found, wanted) && ip_equal(&a->gw, &b->gw) &&
	    found->index == wanted->index &&
	    (!b->has_mtu || (a->has_mtu && a->mtu == b->mtu)) &&
	    (!b->has_advmss || (a->has_advmss && a->advmss == b->advmss));
}
