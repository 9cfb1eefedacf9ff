#include "agent/regain.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "node/kernel.h"
#include "node/lease_store.h"
#include "node/netns.h"
#include "node/netns_each.h"

/* Whose lease a container's name goes to: its DEL silences what that lease names, which must
 * not be another pod's that has the same address on another network. */
enum turn {
	TURN_SAME, /* namespaces that the lease had */
	TURN_UP,   /* those with the address on a link that is up */
	TURN_ANY,
	TURNS
};

struct regain {
	const char *root;
	const struct regain_known *known;
	struct lease *there; /* leases that were not lost */
	size_t there_count;
	enum turn turn;
	size_t made;
	int rc; /* of the first namespace that failed */
	struct err *err;
};

/* What one namespace has. */
struct inside {
	const struct netns_place *place;
	struct kernel_address *addresses;
	size_t address_count;
	struct kernel_link *links;
	size_t link_count;
};

static void
inside_release(struct inside *inside)
{
	mem_free(inside->addresses);
	mem_free(inside->links);
}
#define scoped_inside __attribute__((cleanup(inside_release))) struct inside

static bool
is_up(const struct inside *inside, unsigned index)
{
	for (size_t i = 0; i < inside->link_count; i++)
		if (inside->links[i].index == index)
			return inside->links[i].flags & IFF_UP;
	return false;
}

/* The address of the namespace that is one of the lease's; NULL. */
static const struct kernel_address *
find_address(const struct regain *regain, const struct inside *inside,
    const struct lease *lease)
{
	if (regain->turn == TURN_SAME &&
	    !netns_id_equal(&lease->holder.netns_id, &inside->place->id))
		return NULL;
	for (size_t i = 0; i < inside->address_count; i++) {
		const struct kernel_address *address = &inside->addresses[i];
		if (lease_has(lease, &address->cidr.ip) &&
		    (regain->turn != TURN_UP || is_up(inside, address->index)))
			return address;
	}
	return NULL;
}

static bool
share_address(const struct lease *a, const struct lease *b)
{
	for (unsigned i = 0; i < a->ip_count; i++)
		if (lease_has(b, &a->ips[i].ip))
			return true;
	return false;
}

/* Whether the pod has a lease there for one of these addresses. */
static bool
is_there(const struct regain *regain, const struct lease *wanted, const struct netns_id *id)
{
	for (size_t i = 0; i < regain->there_count; i++) {
		const struct lease *lease = &regain->there[i];
		if (strcmp(lease->holder.uid, wanted->holder.uid) == 0 &&
		    strcmp(lease->domain, wanted->domain) == 0 &&
		    netns_id_equal(&lease->holder.netns_id, id) &&
		    share_address(lease, wanted))
			return true;
	}
	return false;
}

static void
remember(struct regain *regain, const struct lease *lease)
{
	regain->there = mem_resize(
	    regain->there, regain->there_count + 1, sizeof(*regain->there));
	regain->there[regain->there_count++] = *lease;
	regain->made++;
}

/* ---- making one ------------------------------------------------------------- */

/* The name of a link in another namespace; "" when it is gone meanwhile. */
static int
name_link(int netns, unsigned index, char *out, struct err *err)
{
	char name[IF_NAMESIZE] = "";
	int own = -1;
	int rc = netns_enter(netns, &own, err);

	if (rc)
		return rc;
	if (!if_indextoname(index, name))
		name[0] = '\0';
	netns_leave(own);
	(void)snprintf(out, IFNAME_LEN_MAX + 1, "%s", name);
	return 0;
}

/* Names nobody else has, for who has no container or whose container has a lease in
 * another namespace. */
static void
name_container(struct lease *lease)
{
	(void)snprintf(lease->holder.container, sizeof(lease->holder.container),
	    "regained-%llu", (unsigned long long)lease->holder.netns_id.inode);
}

static int
link_addresses(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	scoped_fd int directory = -1;
	int rc = lease_domain_open(store, lease->domain, true, &directory, err);

	rc = rc < 0 ? rc : 0;
	for (unsigned i = 0; !rc && i < lease->ip_count; i++) {
		rc = lease_link(file, directory, ip_print(&lease->ips[i].ip, text), err);
		/* the other namespace's lease has it */
		rc = rc == -EEXIST ? 0 : rc;
	}
	return rc;
}

static int
make(const char *root, struct lease *lease, struct err *err)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_lease_file file = LEASE_FILE_NONE;
	int rc = lease_store_open(root, lease->holder.network, true, &store, err);

	if (rc < 0)
		return rc;
	if (!lease->holder.container[0])
		name_container(lease);
	rc = lease_create(&store, lease, &file, err);
	if (rc == -EEXIST) {
		name_container(lease);
		rc = lease_create(&store, lease, &file, err);
	}
	return rc ? rc : link_addresses(&store, &file, lease, err);
}

/* After a failure the name of a container goes by its former namespace only: the one that
 * could not be looked at may be whose name it is. */
static int
regain_one(struct regain *regain, const struct inside *inside, const struct lease *known,
    struct err *err)
{
	const struct kernel_address *address = find_address(regain, inside, known);
	const struct netns_place *place = inside->place;
	struct lease lease = *known;

	if (!address || is_there(regain, known, &place->id))
		return 0;
	lease.since = (uint64_t)time(NULL);
	lease.holder.netns_id = place->id;
	(void)snprintf(lease.holder.netns, sizeof(lease.holder.netns), "%s", place->path);
	if (regain->rc && regain->turn != TURN_SAME)
		lease.holder.container[0] = '\0';
	int rc = lease.holder.ifname[0]
	    ? 0
	    : name_link(place->netns, address->index, lease.holder.ifname, err);
	if (!rc)
		rc = make(regain->root, &lease, err);
	if (!rc)
		remember(regain, &lease);
	return rc;
}

/* ---- all namespaces --------------------------------------------------------- */

static int
look_inside(struct inside *inside, struct err *err)
{
	scoped_kernel *kernel = NULL;
	int rc = kernel_open(inside->place->netns, &kernel, err);

	if (!rc)
		rc = kernel_addresses(kernel, &inside->addresses, &inside->address_count, err);
	if (!rc)
		rc = kernel_links(kernel, &inside->links, &inside->link_count, err);
	return rc;
}

/* The others are looked at all the same: their leases are not to wait for it. */
static void
fail(struct regain *regain, const struct netns_place *place, const struct err *why)
{
	if (!regain->rc)
		regain->rc = err_set(regain->err, why->code, "%s; that is network namespace %s: end "
		    "its pod if it stays so", why->text, place->path);
}

static void
visit(void *cookie, const struct netns_place *place)
{
	struct regain *regain = cookie;
	scoped_inside inside = {.place = place};
	struct err why = {0};

	if (look_inside(&inside, &why)) {
		fail(regain, place, &why);
		return;
	}
	for (size_t i = 0; i < regain->known->count; i++)
		if (regain_one(regain, &inside, &regain->known->list[i], &why))
			fail(regain, place, &why);
}

int
regain_leases(const char *root, const struct regain_known *known, size_t *ret_made,
    struct err *err)
{
	struct regain regain = {.root = root, .known = known, .err = err};
	int rc = lease_list(root, &regain.there, &regain.there_count, err);

	for (; !rc && regain.turn < TURNS; regain.turn++) {
		struct err why = {0};
		if (netns_each(visit, &regain, &why) && !regain.rc)
			regain.rc = err_set(err, why.code, "%s", why.text);
	}
	mem_free(regain.there);
	*ret_made = regain.made;
	return rc ? rc : regain.rc;
}
