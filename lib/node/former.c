#include "node/former.h"

#include <string.h>

#include "core/mem.h"
#include "node/kernel.h"
#include "node/lease.h"
#include "node/netns.h"

static bool
has(const struct former *former, const struct mac *mac)
{
	for (unsigned i = 0; i < former->count; i++)
		if (mac_equal(&former->list[i], mac))
			return true;
	return false;
}

bool
former_equal(const struct former *a, const struct former *b)
{
	for (unsigned i = 0; i < a->count && a->count == b->count; i++)
		if (!mac_equal(&a->list[i], &b->list[i]))
			return false;
	return a->count == b->count;
}

void
former_append(struct former *former, const struct former *other)
{
	for (unsigned i = 0; i < other->count && former->count < FORMER_MACS_MAX; i++)
		if (!has(former, &other->list[i]))
			former->list[former->count++] = other->list[i];
}

void
former_add(struct former *former, const struct mac *mac)
{
	const struct former before = *former;

	former->list[0] = *mac;
	former->count = 1;
	former_append(former, &before);
}

/* What a namespace has. */
struct links {
	struct kernel_link *links;
	struct kernel_address *addresses;
	size_t link_count, address_count;
	unsigned named; /* the link that has the lease's name; 0: none */
};
#define scoped_links __attribute__((cleanup(links_release))) struct links

static void
links_release(struct links *links)
{
	mem_free(links->links);
	mem_free(links->addresses);
}

static bool
has_address(const struct links *links, unsigned index, const struct lease *lease)
{
	for (size_t i = 0; i < links->address_count; i++)
		if (links->addresses[i].index == index &&
		    lease_has(lease, &links->addresses[i].cidr.ip))
			return true;
	return false;
}

static void
add_links(const struct links *links, const struct lease *lease, struct former *former)
{
	for (size_t i = 0; i < links->link_count; i++) {
		const struct kernel_link *link = &links->links[i];
		bool ours = link->index == links->named ||
		    has_address(links, link->index, lease);
		if (ours && link->is_ethernet)
			former_add(former, &link->mac);
	}
}

static int
look(int netns, const struct lease *lease, struct links *links)
{
	scoped_kernel *kernel = NULL;
	bool own = false;
	int rc = netns_is_own(netns, &own, NULL);

	if (rc || own)
		return -1;
	rc = kernel_open(netns, &kernel, NULL);
	if (rc)
		return rc;
	(void)kernel_link_index(kernel, lease->holder.ifname, &links->named, NULL); /* renamed */
	rc = kernel_links(kernel, &links->links, &links->link_count, NULL);
	return rc ? rc
	          : kernel_addresses(
	                kernel, &links->addresses, &links->address_count, NULL);
}

void
former_read(const struct lease *lease, struct former *former)
{
	const struct attachment *holder = &lease->holder;
	const struct former newer = *former;
	scoped_links links = {0};
	scoped_fd int netns = -1;

	*former = lease->former;
	if (netns_id_find(holder->netns, &holder->netns_id, &netns, NULL) > 0 &&
	    look(netns, lease, &links) == 0)
		add_links(&links, lease, former);
	const struct former older = *former;
	*former = newer;
	former_append(former, &older);
}
