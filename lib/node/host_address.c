#include "node/host_address.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "core/mem.h"

/* IFA_F_SECONDARY is IFA_F_TEMPORARY for IPv6 (linux/if_addr.h). */
static bool
is_usable(const struct kernel_address *address, uint8_t family)
{
	uint32_t passing =
	    IFA_F_SECONDARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;

	return address->cidr.ip.family == family && address->scope == RT_SCOPE_UNIVERSE &&
	       !(address->flags & passing);
}

/* The one with the lowest metric; over this link unless that is 0. */
static const struct kernel_route *
best_default(const struct host_facts *facts, unsigned link, uint8_t family)
{
	const struct kernel_route *best = NULL;

	for (size_t i = 0; i < facts->default_count; i++) {
		const struct kernel_route *route = &facts->defaults[i];
		if (route->route.dst.ip.family == family &&
		    (!link || route->index == link) &&
		    (!best || route->route.priority < best->route.priority))
			best = route;
	}
	return best;
}

static const struct kernel_address *
address_of_link(const struct host_facts *facts, unsigned index, uint8_t family,
    const struct ip *gateway)
{
	const struct kernel_address *first = NULL;

	for (size_t i = 0; i < facts->address_count; i++) {
		const struct kernel_address *address = &facts->addresses[i];
		if (address->index != index || !is_usable(address, family))
			continue;
		if (gateway->family && cidr_contains(&address->cidr, gateway))
			return address;
		if (!first)
			first = address;
	}
	return first;
}

static const struct kernel_address *
address_of_any_link(const struct host_facts *facts, uint8_t family)
{
	static const struct ip no_gateway;

	for (size_t i = 0; i < facts->link_count; i++) {
		const struct kernel_link *link = &facts->links[i];
		if (!(link->flags & IFF_UP) || (link->flags & IFF_LOOPBACK) ||
		    link->master)
			continue;
		const struct kernel_address *address =
		    address_of_link(facts, link->index, family, &no_gateway);
		if (address)
			return address;
	}
	return NULL;
}

bool
host_address_choose(
    const struct host_facts *facts, uint8_t family, struct ip *ret_address)
{
	const struct kernel_route *route = best_default(facts, 0, family);
	const struct kernel_address *address = NULL;

	/* rule 1 */
	if (route && route->extra.src.family) {
		*ret_address = route->extra.src;
		return true;
	}
	/* rule 2 */
	if (route)
		address = address_of_link(facts, route->index, family, &route->route.gw);
	/* rule 3 */
	if (!address)
		address = address_of_any_link(facts, family);
	if (!address)
		return false;
	*ret_address = address->cidr.ip;
	return true;
}

static const struct kernel_address *
address_with(const struct host_facts *facts, const struct ip *ip)
{
	for (size_t i = 0; i < facts->address_count; i++)
		if (ip_equal(&facts->addresses[i].cidr.ip, ip))
			return &facts->addresses[i];
	return NULL;
}

bool
host_subnet_choose(const struct host_facts *facts, unsigned link, uint8_t family,
    struct host_subnet *ret_subnet)
{
	const struct kernel_route *route = best_default(facts, link, family);
	static const struct ip no_gateway;
	const struct ip *gateway = route ? &route->route.gw : &no_gateway;
	const struct kernel_address *address = NULL;
	struct ip ip;

	if (link)
		address = address_of_link(facts, link, family, gateway);
	else if (host_address_choose(facts, family, &ip))
		address = address_with(facts, &ip);
	if (!address)
		return false;
	*ret_subnet = (struct host_subnet){.cidr = address->cidr};
	if (gateway->family && cidr_contains(&address->cidr, gateway))
		ret_subnet->gateway = *gateway;
	return true;
}

/* Facts of our own. */
struct read {
	struct kernel_route *defaults;
	struct kernel_address *addresses;
	struct kernel_link *links;
	struct host_facts facts;
};

static void
read_release(struct read *read)
{
	mem_free(read->defaults);
	mem_free(read->addresses);
	mem_free(read->links);
}
#define scoped_read __attribute__((cleanup(read_release))) struct read

static int
read_facts(struct kernel *kernel, struct read *read, struct err *err)
{
	const struct kernel_filter defaults = {.default_only = true};
	struct host_facts *facts = &read->facts;
	int rc =
	    kernel_routes(kernel, &defaults, &read->defaults, &facts->default_count, err);

	if (!rc)
		rc = kernel_addresses(
		    kernel, &read->addresses, &facts->address_count, err);
	if (!rc)
		rc = kernel_links(kernel, &read->links, &facts->link_count, err);
	facts->defaults = read->defaults;
	facts->addresses = read->addresses;
	facts->links = read->links;
	return rc;
}

int
host_address_read(struct ip ret_addresses[2], struct err *err)
{
	scoped_kernel *kernel = NULL;
	scoped_read read = {.defaults = NULL};
	int rc = kernel_open(-1, &kernel, err);

	if (!rc)
		rc = read_facts(kernel, &read, err);
	if (rc)
		return err_wrap(err, "cannot find this node's own address");
	for (unsigned i = 0; i < 2; i++) {
		struct ip address = {0};
		(void)host_address_choose(
		    &read.facts, i ? 6 : 4, &address); /* none is an answer */
		ret_addresses[i] = address;
	}
	return 0;
}

int
host_subnet_read(
    const char *interface, struct host_subnet ret_subnets[2], struct err *err)
{
	scoped_kernel *kernel = NULL;
	scoped_read read = {.defaults = NULL};
	unsigned link = 0;
	int rc = kernel_open(-1, &kernel, err);

	if (!rc && interface)
		rc = kernel_link_index(kernel, interface, &link, err);
	if (!rc)
		rc = read_facts(kernel, &read, err);
	if (rc)
		return err_wrap(err, "cannot find this node's own address");
	for (unsigned i = 0; i < 2; i++) {
		struct host_subnet subnet = {.gateway = {0}};
		(void)host_subnet_choose(
		    &read.facts, link, i ? 6 : 4, &subnet); /* likewise */
		ret_subnets[i] = subnet;
	}
	return 0;
}
