/* The IPAM role's inline sources: the ipam block itself says which addresses. */
#include <stdio.h>

#include "core/mem.h"
#include "plugin/allocations.h"
#include "plugin/cni_error.h"
#include "plugin/dns.h"
#include "plugin/index_host.h"
#include "plugin/ipam_private.h"
#include "plugin/ranges_take.h"

/* Where the cluster's tables give a network's addresses, nobody else does (I10). */
static int
check_network(const struct asking *asking, struct err *err)
{
	const char *network = asking->request->config.name;
	int known = lookup_knows(asking->root, network, err);

	if (known <= 0)
		return known;
	return err_set(err, CNI_ERROR_NOT_PERMITTED,
	    "the addresses of network %s come from the cluster's StaticIPAllocations; "
	    "remove "
	    "the other source from its ipam block, or give the network another name",
	    network);
}

/* ---- index -------------------------------------------------------------------- */

/* As index2ip has it: the default route of each family, unless the block has routes. */
static void
add_default_routes(const struct cni_result *result, struct source *source)
{
	if (source->routes)
		return;
	source->routes = mem_new(1, sizeof(*source->routes));
	for (unsigned i = 0; i < result->ip_count; i++) {
		const struct ip *gateway = &result->ips[i].gateway;
		if (!gateway->family)
			continue;
		source->routes->list[source->routes->count++] =
		    (struct route){.dst.ip.family = gateway->family, .gw = *gateway};
	}
}

static void
add_nameservers(const struct index_host hosts[2], struct source *source)
{
	struct ip list[4];
	unsigned count = 0;

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < hosts[i].dns_count; k++)
			list[count++] = hosts[i].dns[k];
	if (!source->dns && !source->resolv_conf)
		source->dns = dns_of_nameservers(list, count);
}

static int
find_index(struct asking *asking, struct cni_result *result, struct err *err)
{
	struct source *source = &asking->source;
	struct index_host hosts[2];
	int rc = index_host_read(&source->index, asking->request->host_file, hosts, err);

	for (unsigned i = 0; !rc && i < 2; i++)
		if (hosts[i].cidr.ip.family)
			rc = index_add(&source->index, &hosts[i],
			    &result->ips[result->ip_count++], err);
	if (rc)
		return rc;
	add_default_routes(result, source);
	add_nameservers(hosts, source);
	return 0;
}

/* ---- all of them -------------------------------------------------------------- */

static int
find_addresses(struct asking *asking, struct answer *answer, struct err *err)
{
	const struct source *source = &asking->source;

	if (source->kind == SOURCE_INDEX)
		return find_index(asking, &answer->result, err);
	for (unsigned i = 0; i < source->ip_count; i++)
		answer->result.ips[i] = source->ips[i];
	answer->result.ip_count = source->ip_count;
	if (source->kind != SOURCE_ALLOCATIONS || !source->routes)
		return 0;
	ipam_drop_foreign_routes(&answer->result, source->routes);
	return allocations_check_routes(
	    source->routes, source->ips, source->ip_count, err);
}

static const char *
giver_of(enum source_kind kind)
{
	switch (kind) {
	case SOURCE_ALLOCATIONS:
		return "ipam.allocations";
	case SOURCE_ADDRESSES:
		return "ipam.addresses";
	case SOURCE_INDEX:
		return "ipam.index";
	case SOURCE_RANGES:
		return "its lease";
	case SOURCE_TABLES:
		break;
	}
	return "";
}

static void
begin(struct asking *asking, struct answer *answer)
{
	(void)snprintf(asking->domain, sizeof(asking->domain), "network/%s",
	    asking->request->config.name);
	asking->hold.domain = asking->domain;
	answer->result = (struct cni_result){.ip_count = 0};
	(void)snprintf(
	    answer->giver, sizeof(answer->giver), "%s", giver_of(asking->source.kind));
}

/* What goes with the addresses of any source. */
static void
finish(const struct asking *asking, struct cni_result *result)
{
	const struct source *source = &asking->source;

	result->routes = source->routes ? source->routes->list : NULL;
	result->route_count = source->routes ? source->routes->count : 0;
	result->dns = source->dns;
}

/* Addresses that the block itself names or yields, without a lease. */
static int
find_fixed(struct asking *asking, struct answer *answer, struct err *err)
{
	const struct source *source = &asking->source;
	int rc = find_addresses(asking, answer, err);

	/* `addresses` has chosen by what is asked for already */
	if (!rc && source->kind != SOURCE_ADDRESSES)
		rc = requested_check(
		    &source->requested, &answer->result, answer->giver, err);
	if (rc)
		return rc;
	finish(asking, &answer->result);
	return cni_result_fits(&answer->result, asking->request->config.version, err);
}

int
inline_find(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	int rc = check_network(asking, err);

	begin(asking, ret_answer);
	if (rc)
		return rc;
	if (asking->source.kind == SOURCE_RANGES)
		return ranges_find(&asking->hold, &ret_answer->result, err);
	return find_fixed(asking, ret_answer, err);
}

static int
take(struct asking *asking, struct answer *answer, struct err *err)
{
	int rc;

	if (asking->source.kind != SOURCE_RANGES) {
		rc = find_fixed(asking, answer, err);
		return rc ? rc : ipam_take_fixed(asking, answer, err);
	}
	rc = ranges_fit(asking->source.ranges, asking->request->config.version, err);
	if (!rc)
		rc = ranges_take(&asking->hold, asking->source.ranges, &answer->result, err);
	finish(asking, &answer->result);
	return rc;
}

/* As with the tables, the lease first, then the look once more: it may have been minutes
 * until the address was free. */
int
inline_take(struct asking *asking, struct answer *ret_answer, struct err *err)
{
	int rc = check_network(asking, err);

	begin(asking, ret_answer);
	if (!rc)
		rc = take(asking, ret_answer, err);
	if (rc)
		return rc;
	rc = check_network(asking, err);
	if (rc)
		ipam_give_back(asking);
	return rc;
}
