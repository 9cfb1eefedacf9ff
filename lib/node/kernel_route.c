#include "node/kernel.h"

#include <errno.h>
#include <inttypes.h>
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
enum { IPV6_DEFAULT_PRIORITY = 1024, MTU_KEPT_MAX = 65535 - 15 };

static uint32_t
table_of(const struct route *route)
{
	/* fib_get_table and fib6_get_table take 0 for the main one too */
	return route->has_table && route->table ? route->table : RT_TABLE_MAIN;
}

uint32_t
kernel_route_table(const struct kernel_route *route)
{
	return table_of(&route->route);
}

static uint32_t
priority_of(const struct route *route)
{
	uint32_t priority = route->has_priority ? route->priority : 0;

	return priority == 0 && route->dst.ip.family == 6 ? IPV6_DEFAULT_PRIORITY : priority;
}

/* As iproute2 has it: what needs no gateway is on the link. */
static uint8_t
scope_of(const struct kernel_route *wanted)
{
	bool gateway = wanted->route.gw.family || wanted->extra.hop_count;

	if (wanted->route.has_scope)
		return (uint8_t)wanted->route.scope;
	return gateway || wanted->extra.type != ROUTE_UNICAST ? RT_SCOPE_UNIVERSE
	                                                      : RT_SCOPE_LINK;
}

static int
put_ip(struct nl_msg *message, int type, const struct ip *ip)
{
	return nla_put(message, type, (int)ip_size(ip), ip->bytes);
}

/* An IPv4 route over an IPv6 neighbour says so by RTA_VIA (RFC 5549). */
static int
put_gateway(struct nl_msg *message, const struct ip *gw, uint8_t family)
{
	const struct rtvia over = {.rtvia_family = AF_INET6};

	if (gw->family == family)
		return put_ip(message, RTA_GATEWAY, gw);
	struct nlattr *via =
	    nla_reserve(message, RTA_VIA, (int)(sizeof(over) + ip_size(gw)));
	if (!via)
		return -1;
	memcpy(nla_data(via), &over, sizeof(over));
	memcpy((char *)nla_data(via) + sizeof(over), gw->bytes, ip_size(gw));
	return 0;
}

/* As the kernel keeps them (ip_metrics_convert, net/ipv4/metrics.c): 0 is none, and a
 * large mtu is cut. A route is deleted by what it has, not by what was asked. */
static uint32_t
mtu_of(const struct route *route)
{
	uint32_t mtu = route->has_mtu ? route->mtu : 0;

	return mtu > MTU_KEPT_MAX ? MTU_KEPT_MAX : mtu;
}

static uint32_t
advmss_of(const struct route *route)
{
	return route->has_advmss ? route->advmss : 0;
}

static int
put_metrics(struct nl_msg *message, const struct route *route)
{
	uint32_t mtu = mtu_of(route);
	uint32_t advmss = advmss_of(route);

	if (!mtu && !advmss)
		return 0;
	struct nlattr *nested = nla_nest_start(message, RTA_METRICS);
	if (!nested)
		return -1;
	if (mtu && nla_put_u32(message, RTAX_MTU, mtu) < 0)
		return -1;
	if (advmss && nla_put_u32(message, RTAX_ADVMSS, advmss) < 0)
		return -1;
	return nla_nest_end(message, nested);
}

static int
put_hops(struct nl_msg *message, const struct kernel_route *wanted)
{
	struct nlattr *nested = nla_nest_start(message, RTA_MULTIPATH);

	for (unsigned i = 0; nested && i < wanted->extra.hop_count; i++) {
		const struct route_hop *hop = &wanted->extra.hops[i];
		struct rtnexthop *header =
		    nlmsg_reserve(message, sizeof(*header), NLMSG_ALIGNTO);
		if (!header || put_gateway(message, &hop->gw, wanted->route.dst.ip.family) < 0)
			return -1;
		char *end = nlmsg_tail(nlmsg_hdr(message));
		*header = (struct rtnexthop){
		    .rtnh_len = (unsigned short)(end - (char *)header),
		    .rtnh_flags = hop->onlink ? RTNH_F_ONLINK : 0,
		    .rtnh_hops = (unsigned char)(hop->weight - 1),
		    .rtnh_ifindex = (int)wanted->hop_indexes[i],
		};
	}
	return nested ? nla_nest_end(message, nested) : -1;
}

/* Where the route leads to. */
static int
put_way(struct nl_msg *message, const struct kernel_route *wanted)
{
	const struct ip *gw = &wanted->route.gw;

	if (wanted->extra.type != ROUTE_UNICAST)
		return 0;
	if (wanted->extra.hop_count)
		return put_hops(message, wanted);
	if (nla_put_u32(message, RTA_OIF, wanted->index) < 0)
		return -1;
	return gw->family ? put_gateway(message, gw, wanted->route.dst.ip.family) : 0;
}

static struct rtmsg
header_of(const struct kernel_route *wanted)
{
	static const unsigned char types[ROUTE_TYPES] = {
	    [ROUTE_UNICAST] = RTN_UNICAST,
	    [ROUTE_BLACKHOLE] = RTN_BLACKHOLE,
	    [ROUTE_UNREACHABLE] = RTN_UNREACHABLE,
	    [ROUTE_PROHIBIT] = RTN_PROHIBIT,
	};
	bool one_hop = wanted->extra.hop_count == 0;

	return (struct rtmsg){
	    .rtm_family = (unsigned char)ip_kernel_family(&wanted->route.dst.ip),
	    .rtm_dst_len = wanted->route.dst.length,
	    .rtm_src_len = wanted->from.length,
	    .rtm_tos = wanted->tos,
	    .rtm_protocol = wanted->protocol ? wanted->protocol : RTPROT_STATIC,
	    .rtm_scope = scope_of(wanted),
	    .rtm_type = types[wanted->extra.type],
	    .rtm_flags = one_hop && wanted->extra.onlink ? RTNH_F_ONLINK : 0,
	};
}

static struct nl_msg *
build(int type, int flags, const struct kernel_route *wanted)
{
	const struct route *route = &wanted->route;
	struct ip dst = cidr_first(&route->dst);
	struct rtmsg header = header_of(wanted);
	struct nl_msg *message = kernel_message_new(type, flags, &header, sizeof(header));

	bool fits = nla_put_u32(message, RTA_TABLE, table_of(route)) == 0 &&
	    (route->dst.length == 0 || put_ip(message, RTA_DST, &dst) == 0) &&
	    (!wanted->from.ip.family || put_ip(message, RTA_SRC, &wanted->from.ip) == 0) &&
	    (!wanted->extra.src.family ||
	        put_ip(message, RTA_PREFSRC, &wanted->extra.src) == 0) &&
	    (!route->has_priority ||
	        nla_put_u32(message, RTA_PRIORITY, route->priority) == 0) &&
	    put_way(message, wanted) == 0 && put_metrics(message, route) == 0;
	if (!fits) /* it is small and the room a page: only memory can be short */
		mem_exhausted();
	return message;
}

const char *
kernel_route_print(const struct kernel_route *route, char *out)
{
	enum route_type type = route->extra.type;
	char dst[ADDRESS_TEXT_MAX];
	char gw[ADDRESS_TEXT_MAX];
	char more[24] = "";
	char table[24] = "";
	bool via = route->route.gw.family != 0;

	if (route->extra.hop_count > 1)
		(void)snprintf(
		    more, sizeof(more), " and %u more", route->extra.hop_count - 1);
	if (table_of(&route->route) != RT_TABLE_MAIN)
		(void)snprintf(
		    table, sizeof(table), " table %" PRIu32, table_of(&route->route));
	(void)snprintf(out, KERNEL_ROUTE_TEXT_MAX, "%s%s%s%s%s%s%s",
	    type == ROUTE_UNICAST ? "" : route_type_name(type),
	    type == ROUTE_UNICAST ? "" : " ", cidr_print(&route->route.dst, dst),
	    via ? " via " : "", via ? ip_print(&route->route.gw, gw) : "", more, table);
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

	return a->dst.length == b->dst.length && cidr_contains(&b->dst, &a->dst.ip) &&
	    found->tos == wanted->tos && cidr_equal(&found->from, &wanted->from) &&
	    table_of(a) == table_of(b) && priority_of(a) == priority_of(b);
}

bool
kernel_route_is_over(const struct kernel_route *route, unsigned index)
{
	if (route->extra.type != ROUTE_UNICAST || route->more_hops)
		return false;
	for (unsigned i = 0; i < route->extra.hop_count; i++)
		if (route->hop_indexes[i] != index)
			return false;
	return route->index == index;
}

/* One next hop, or the only one. */
struct way {
	const struct ip *gw;
	unsigned index;
	bool onlink;
	uint16_t weight;
};

static struct way
way_of(const struct kernel_route *route, unsigned i)
{
	const struct route_hop *hop = &route->extra.hops[i];

	if (route->extra.hop_count == 0)
		return (struct way){&route->route.gw, route->index, route->extra.onlink, 1};
	return (struct way){&hop->gw, route->hop_indexes[i], hop->onlink, hop->weight};
}

static unsigned
way_count(const struct kernel_route *route)
{
	return route->extra.hop_count ? route->extra.hop_count : 1;
}

static bool
has_way(const struct kernel_route *found, const struct way *wanted)
{
	for (unsigned i = 0; i < way_count(found); i++) {
		struct way way = way_of(found, i);
		if (ip_equal(way.gw, wanted->gw) && way.index == wanted->index &&
		    way.weight == wanted->weight && (way.onlink || !wanted->onlink))
			return true;
	}
	return false;
}

/* Each next hop of wanted is once among the found ones: those of wanted differ. */
static bool
ways_match(const struct kernel_route *found, const struct kernel_route *wanted)
{
	if (wanted->extra.type != ROUTE_UNICAST)
		return true; /* IPv6 says that these leave by lo */
	if (found->more_hops ||
	    (found->route.dst.ip.family == 4 && way_count(found) != way_count(wanted)))
		return false;
	for (unsigned i = 0; i < way_count(wanted); i++) {
		struct way way = way_of(wanted, i);
		if (!has_way(found, &way))
			return false;
	}
	return true;
}

bool
kernel_route_matches(const struct kernel_route *found, const struct kernel_route *wanted)
{
	const struct route *a = &found->route;
	const struct route *b = &wanted->route;
	const struct ip *src = &wanted->extra.src;

	return kernel_route_rivals(found, wanted) &&
	    found->extra.type == wanted->extra.type && ways_match(found, wanted) &&
	    (!src->family || ip_equal(&found->extra.src, src)) &&
	    /* IPv6 has no scopes: the kernel answers 0 whatever was asked */
	    (!b->has_scope || a->dst.ip.family == 6 || a->scope == b->scope) &&
	    (!b->has_mtu || mtu_of(a) == mtu_of(b)) &&
	    (!b->has_advmss || advmss_of(a) == advmss_of(b));
}
