#include "controller/validate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static const struct ip *
gateway_of(const struct allocation *a, const struct entry *entry, uint8_t family)
{
	for (unsigned i = 0; i < entry->gateway_count; i++)
		if (entry->gateways[i].family == family)
			return &entry->gateways[i];
	for (unsigned i = 0; i < a->gateway_count; i++)
		if (a->gateways[i].family == family)
			return &a->gateways[i];
	return NULL;
}

static bool
is_link_local(const struct ip *ip)
{
	return ip->family == 6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

/* Whether the pod of this entry reaches the address without a router. */
static bool
on_link(const struct entry *entry, const struct ip *ip)
{
	if (is_link_local(ip))
		return true;
	for (unsigned i = 0; i < entry->ip_count; i++)
		if (cidr_contains(&entry->ips[i], ip))
			return true;
	return false;
}

static bool
has_family(const struct entry *entry, uint8_t family)
{
	for (unsigned i = 0; i < entry->ip_count; i++)
		if (entry->ips[i].ip.family == family)
			return true;
	return false;
}

/* V7: an address that a host on its prefix can have. */
static int
check_usable(const struct allocation *a, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	char room[96];

	for (unsigned i = 0; i < a->entry_count; i++)
		for (unsigned k = 0; k < a->entries[i].ip_count; k++) {
			const struct cidr *ip = &a->entries[i].ips[k];
			const char *reason = cidr_unusable(ip, room);
			if (reason)
				return err_set(err, EINVAL,
				    "%s: entry %u: %s %s: no pod can have it (rule V7)", a->field, i,
				    cidr_print(ip, text), reason);
		}
	return 0;
}

struct seen {
	const struct ip *ip;
	unsigned entry;
};

static int
compare_seen(const void *a, const void *b)
{
	return ip_compare(((const struct seen *)a)->ip, ((const struct seen *)b)->ip);
}

/* V8: no address twice in one object. */
static int
check_duplicates(const struct allocation *a, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	scoped_free struct seen *seen =
	    mem_new((size_t)a->entry_count * ENTRY_IPS_MAX, sizeof(*seen));
	size_t count = 0;

	for (unsigned i = 0; i < a->entry_count; i++)
		for (unsigned k = 0; k < a->entries[i].ip_count; k++)
			seen[count++] = (struct seen){&a->entries[i].ips[k].ip, i};
	qsort(seen, count, sizeof(*seen), compare_seen);
	for (size_t i = 1; i < count; i++)
		if (ip_equal(seen[i - 1].ip, seen[i].ip))
			return err_set(err, EINVAL,
			    "%s: %s is in entry %u and in entry %u (rule V8)", a->field,
			    ip_print(seen[i].ip, text), seen[i - 1].entry, seen[i].entry);
	return 0;
}

static bool
is_own(const struct entry *entry, const struct ip *ip)
{
	for (unsigned i = 0; i < entry->ip_count; i++)
		if (ip_equal(&entry->ips[i].ip, ip))
			return true;
	return false;
}

/* Why no router can have this address on the entry's subnets; NULL when one can. */
static const char *
unusable_on_link(const struct entry *entry, const struct ip *ip, char *room)
{
	for (unsigned i = 0; i < entry->ip_count; i++) {
		struct cidr there = {.ip = *ip, .length = entry->ips[i].length};
		if (cidr_contains(&entry->ips[i], ip))
			return cidr_unusable(&there, room);
	}
	return NULL;
}

/* Where it is written: an entry may have its own. */
static const char *
gateway_field(const struct entry *entry, const struct ip *gateway)
{
	for (unsigned i = 0; i < entry->gateway_count; i++)
		if (&entry->gateways[i] == gateway)
			return "spec.addresses";
	return "spec.gateways";
}

/* V9: a gateway lies in a subnet of the entry (or is link-local) and is an address
 * that a router can have. V10: it is not the pod's own address. */
static int
check_gateway(const struct entry *entry, unsigned index, const struct ip *gateway,
    struct err *err)
{
	const char *field = gateway_field(entry, gateway);
	char text[ADDRESS_TEXT_MAX];
	char room[96];
	const char *reason = unusable_on_link(entry, gateway, room);

	ip_print(gateway, text);
	if (!on_link(entry, gateway))
		return err_set(err, EINVAL,
		    "%s: gateway %s is in no subnet of entry %u's addresses (rule V9)", field, text, index);
	if (reason)
		return err_set(err, EINVAL, "%s: gateway %s of entry %u %s (rule V9)", field, text,
		    index, reason);
	if (is_own(entry, gateway))
		return err_set(err, EINVAL, "%s: gateway %s is entry %u's own address (rule V10)",
		    field, text, index);
	return 0;
}

/* The allocation's gateway of a family is for the entries that have the family; an
 * entry's own is for that entry. */
static int
check_entry_gateways(const struct allocation *a, unsigned index, struct err *err)
{
	const struct entry *entry = &a->entries[index];
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < entry->gateway_count; i++)
		if (!has_family(entry, entry->gateways[i].family))
			return err_set(err, EINVAL,
			    "spec.addresses: entry %u has gateway %s, but no address of its family (rule V9)",
			    index, ip_print(&entry->gateways[i], text));
	for (uint8_t family = 4; family <= 6; family += 2) {
		const struct ip *gateway = gateway_of(a, entry, family);
		int rc = gateway && has_family(entry, family)
		    ? check_gateway(entry, index, gateway, err) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int
check_gateways(const struct allocation *a, struct err *err)
{
	for (unsigned i = 0; i < a->entry_count; i++) {
		int rc = check_entry_gateways(a, i, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* V11: each pod can install the route: it has the family, and reaches the next hop
 * directly, which is another. Without gw the gateway of the family counts; without
 * that the destination is on the link. */
static int
check_route(const struct allocation *a, unsigned r, struct err *err)
{
	const struct route *route = &a->routes->list[r];
	uint8_t family = route->dst.ip.family;
	char text[ADDRESS_TEXT_MAX];
	char dst[ADDRESS_TEXT_MAX];

	cidr_print(&route->dst, dst);
	for (unsigned i = 0; i < a->entry_count; i++) {
		const struct entry *entry = &a->entries[i];
		if (!has_family(entry, family))
			return err_set(err, EINVAL,
			    "spec.routes[%u]: %s is IPv%u, but entry %u has no IPv%u address (rule V11)",
			    r, dst, family, i, family);
		if (route->gw.family && !on_link(entry, &route->gw))
			return err_set(err, EINVAL,
			    "spec.routes[%u]: gw %s is in no subnet of entry %u's addresses (rule V11)",
			    r, ip_print(&route->gw, text), i);
		if (route->gw.family && is_own(entry, &route->gw))
			return err_set(err, EINVAL,
			    "spec.routes[%u]: gw %s is entry %u's own address (rule V11)", r,
			    ip_print(&route->gw, text), i);
	}
	return 0;
}

/* The same to the kernel: what a main plugin does not install (mtu, advmss) does not
 * tell two routes apart, and an absent table or priority is main (254) or 0. Two
 * next hops for one destination are two routes. */
static bool
same_route(const struct route *a, const struct route *b)
{
	return cidr_equal(&a->dst, &b->dst) && ip_equal(&a->gw, &b->gw) &&
	    (a->has_table ? a->table : 254) == (b->has_table ? b->table : 254) &&
	    (a->has_priority ? a->priority : 0) == (b->has_priority ? b->priority : 0);
}

/* V12: no route twice: the kernel would refuse the second and the pod with it. */
static int
check_route_twice(const struct allocation *a, unsigned r, struct err *err)
{
	for (unsigned i = 0; i < r; i++)
		if (same_route(&a->routes->list[i], &a->routes->list[r]))
			return err_set(err, EINVAL,
			    "spec.routes[%u] and spec.routes[%u] are the same (rule V12)", i, r);
	return 0;
}

static int
check_routes(const struct allocation *a, struct err *err)
{
	for (unsigned r = 0; r < a->routes->count; r++) {
		int rc = check_route(a, r, err);
		if (!rc)
			rc = check_route_twice(a, r, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* V13: nobody gets the unsafe choice by half a word. */
static int
check_grace(const struct allocation *a, struct err *err)
{
	if (a->after_grace && !a->grace_s)
		return err_set(err, EINVAL,
		    "spec.onNodeFailure: AfterGrace needs spec.graceSeconds (rule V13)");
	if (!a->after_grace && a->grace_s)
		return err_set(err, EINVAL,
		    "spec.graceSeconds has a meaning only with spec.onNodeFailure AfterGrace (rule V13)");
	return 0;
}

int
validate(const struct allocation *allocation, struct err *err)
{
	int rc = check_usable(allocation, err);

	if (!rc)
		rc = check_duplicates(allocation, err);
	if (!rc)
		rc = check_gateways(allocation, err);
	if (!rc)
		rc = check_routes(allocation, err);
	if (!rc)
		rc = check_grace(allocation, err);
	return rc;
}
