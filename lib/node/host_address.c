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

static const struct kernel_route *
best_default(const struct host_facts *facts, uint8_t family)
{
	const struct kernel_route *best = NULL;

	for (size_t i = 0; i < facts->default_count; i++) {
		const struct kernel_route *route = &facts->defaults[i];
		if (route->route.dst.ip.family == family &&
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
		if (!(link->flags & IFF_UP) || (link->flags & IFF_LOOPBACK) || link->master)
			continue;
		const struct kernel_address *address =
		    address_of_link(facts, link->index, family, &no_gateway);
		if (address)
			return address;
	}
	return NULL;
}

bool
host_address_choose(const struct host_facts *facts, uint8_t family, struct ip *ret_address)
{
	const struct kernel_route *route = best_default(facts, family);
	const struct kernel_address *address = NULL;

	/* rule 1 */
	if (route && route->source.family) {
		*ret_address = route->source;
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

int
host_address_read(struct ip ret_addresses[2], struct err *err)
{
	const struct kernel_filter defaults = {.default_only = true};
	scoped_kernel *kernel = NULL;
	scoped_free struct kernel_route *routes = NULL;
	scoped_free struct kernel_address *addresses = NULL;
	scoped_free struct kernel_link *links = NULL;
	struct host_facts facts = {0};
	int rc = kernel_open(-1, &kernel, err);

	if (!rc)
		rc = kernel_routes(kernel, &defaults, &routes, &facts.default_count, err);
	if (!rc)
		rc = kernel_addresses(kernel, &addresses, &facts.address_count, err);
	if (!rc)
		rc = kernel_links(kernel, &links, &facts.link_count, err);
	if (rc)
		return err_wrap(err, "cannot find this node's own address");
	facts.defaults = routes;
	facts.addresses = addresses;
	facts.links = links;
	for (unsigned i = 0; i < 2; i++) {
		struct ip address = {0};
		(void)host_address_choose(&facts, i ? 6 : 4, &address); /* none is an answer */
		ret_addresses[i] = address;
	}
	return 0;
}
