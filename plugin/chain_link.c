#include "plugin/chain_link.h"

#include <linux/if_addr.h>
#include <net/if.h>

#include "core/mem.h"
#include "node/advertised.h"
#include "node/announce.h"
#include "node/ipv6_conf.h"
#include "node/kernel.h"
#include "node/probe.h"
#include "plugin/cni_error.h"
#include "plugin/hold.h"
#include "plugin/host_file.h"
#include "plugin/pod_netns.h"
#include "table/json.h"

/* What is in the pod. */
struct site {
	int netns;
	struct kernel *kernel;
	const char *ifname;
	unsigned index;
	struct kernel_link *links;
	size_t link_count;
	struct kernel_address *addresses;
	size_t address_count;
};

static void
site_release(struct site *site)
{
	kernel_close(site->kernel);
	mem_free(site->links);
	mem_free(site->addresses);
	mem_cleanup_fd(&site->netns);
}
#define scoped_site __attribute__((cleanup(site_release))) struct site

int
chain_link_decode(struct json_object *config, struct chain_link *ret_link, struct err *err)
{
	const char *where = "network configuration";
	struct chain_link link = {.announce = true};
	int rc = json_get_bool(config, "announce", where, &link.announce, err);

	if (!rc)
		rc = json_get_bool(config, "probe", where, &link.probe, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	rc = chain_ipv6_decode(config, &link.ipv6, err);
	if (!rc)
		*ret_link = link;
	return rc;
}

static int
site_open(const char *netns, const char *ifname, struct site *site, struct err *err)
{
	int rc = pod_netns_open(netns, &site->netns, err);

	if (rc)
		return rc;
	site->ifname = ifname;
	rc = kernel_open(site->netns, &site->kernel, err);
	if (!rc)
		rc = kernel_link_index(site->kernel, site->ifname, &site->index, err);
	if (!rc)
		return 0;
	(void)err_wrap(err, "pod namespace %.200s", netns);
	return cni_error_as(err, CNI_ERROR_ROUTE);
}

/* Lists what is there now. */
static int
site_look(struct site *site, struct err *err)
{
	int rc = kernel_links(site->kernel, &site->links, &site->link_count, err);

	if (!rc)
		rc = kernel_addresses(
		    site->kernel, &site->addresses, &site->address_count, err);
	return rc ? cni_error_as(err, CNI_ERROR_IO) : 0;
}

/* The link, where addresses are resolved on it; else NULL (an ipvlan in mode l3). */
static const struct kernel_link *
resolving_link(const struct site *site)
{
	for (size_t i = 0; i < site->link_count; i++) {
		const struct kernel_link *link = &site->links[i];
		if (link->index == site->index)
			return link->is_ethernet && !(link->flags & IFF_NOARP) ? link : NULL;
	}
	return NULL;
}

static unsigned
addresses_of(const struct prev_result *prev, const char *ifname, struct ip *list)
{
	unsigned count = 0;

	for (unsigned i = 0; i < prev->ip_count; i++)
		if (prev_result_is_on(prev, i, ifname))
			list[count++] = prev->ips[i].cidr.ip;
	return count;
}

/* ---- before use ------------------------------------------------------------- */

/* An advertisement may have come before the switch was off: with a main plugin that waits
 * for duplicate address detection a second or two have passed. */
static int
forget_advertised(const struct site *site, const struct chain_ipv6 *ipv6,
    const struct ip *ips, unsigned count, struct err *err)
{
	bool no_routes = chain_ipv6_is_off(ipv6, CHAIN_IPV6_ACCEPT_RA);
	bool no_addresses = no_routes || chain_ipv6_is_off(ipv6, CHAIN_IPV6_AUTOCONF);
	int rc = 0;

	if (no_addresses)
		rc = advertised_forget_addresses(site->kernel, site->index, site->addresses,
		    site->address_count, ips, count, err);
	if (!rc && no_routes)
		rc = advertised_forget_routes(site->kernel, site->index, err);
	return rc ? cni_error_as(err, CNI_ERROR_ROUTE) : 0;
}

/* Those with a lifetime are not a plugin's: to come again they would need it, too. */
static int
end_detection(const struct site *site, const struct chain_ipv6 *ipv6, struct err *err)
{
	const uint32_t wanted = IFA_F_TENTATIVE | IFA_F_PERMANENT;
	int rc = 0;

	for (size_t i = 0; !rc && i < site->address_count; i++) {
		const struct kernel_address *address = &site->addresses[i];
		if (address->index == site->index && (address->flags & wanted) == wanted &&
		    chain_ipv6_skips_dad(ipv6, &address->cidr.ip))
			rc = kernel_address_skip_dad(site->kernel, address, err);
	}
	return rc ? cni_error_as(err, CNI_ERROR_ROUTE) : 0;
}

static int
refuse_taken(const struct frame_claim *claim, const char *ifname, struct err *err)
{
	char ip[ADDRESS_TEXT_MAX];
	char mac[MAC_TEXT_MAX];

	return err_set(err, CNI_ERROR_ON_WIRE,
	    "address %s is already on the wire: %s answers for it on interface %s; take the "
	    "address away from that machine or give the pod another one",
	    ip_print(&claim->ip, ip), mac_print(&claim->mac, mac), ifname);
}

/* Any link of the pod may answer for the pod's address, and so may its earlier sandbox. */
static struct mac *
our_macs(const struct site *site, const struct former *former, unsigned *ret_count)
{
	struct mac *ours = mem_new(site->link_count + FORMER_MACS_MAX, sizeof(*ours));
	unsigned count = 0;

	for (size_t i = 0; i < site->link_count; i++)
		ours[count++] = site->links[i].mac;
	for (unsigned i = 0; i < former->count; i++)
		ours[count++] = former->list[i];
	*ret_count = count;
	return ours;
}

static int
probe_addresses(const struct site *site, const struct former *former,
    const struct ip *ips, unsigned count, struct err *err)
{
	const struct kernel_link *link = resolving_link(site);
	scoped_free struct mac *ours = NULL;
	struct frame_claim claim = {0};
	unsigned our_count = 0;
	bool taken = false;

	if (!link)
		return err_set(err, CNI_ERROR_CONFIG,
		    "probe: nobody can be asked for an address on interface %s, which is no "
		    "Ethernet link or resolves no addresses; remove probe from the network "
		    "configuration",
		    site->ifname);
	ours = our_macs(site, former, &our_count);
	const struct probe probe = {.netns = site->netns,
	    .index = site->index,
	    .mac = link->mac,
	    .ips = ips,
	    .count = count,
	    .ours = ours,
	    .our_count = our_count};
	if (probe_run(&probe, &taken, &claim, err)) {
		(void)err_wrap(err, "cannot probe interface %s", site->ifname);
		return cni_error_as(err, CNI_ERROR_IO);
	}
	return taken ? refuse_taken(&claim, site->ifname, err) : 0;
}

/* The IPAM role was another process, under another plugin: what it knows is in the lease. */
static int
probe_for(const struct cni_request *request, const struct site *site, const struct ip *ips,
    unsigned count, struct err *err)
{
	const struct cni_environment *at = request->environment;
	scoped_free char *root = NULL;
	struct former former;
	int rc = host_file_root(request->host_file, &root, err);

	if (rc)
		return rc;
	hold_former(root, request->config.name, at->container, at->ifname, &former);
	return probe_addresses(site, &former, ips, count, err);
}

int
chain_link_settle(const struct cni_request *request, const struct prev_result *prev,
    const struct chain_link *link, struct err *err)
{
	const struct cni_environment *at = request->environment;
	scoped_site site = {.netns = -1};
	struct ip ips[PREV_IPS_MAX];
	unsigned count = addresses_of(prev, at->ifname, ips);
	bool probe = link->probe && count > 0;

	if (!probe && !chain_ipv6_is_written(&link->ipv6))
		return 0;
	int rc = site_open(at->netns, at->ifname, &site, err);
	if (!rc)
		rc = chain_ipv6_apply(&link->ipv6, site.netns, site.ifname, err);
	if (!rc)
		rc = site_look(&site, err);
	if (!rc)
		rc = forget_advertised(&site, &link->ipv6, ips, count, err);
	if (!rc)
		rc = end_detection(&site, &link->ipv6, err);
	if (!rc && probe)
		rc = probe_for(request, &site, ips, count, err);
	return rc;
}

/* ---- afterwards ------------------------------------------------------------- */

enum use { USE_NONE, USE_TENTATIVE, USE_FULL };

static enum use
use_of(const struct site *site, const struct ip *ip)
{
	for (size_t i = 0; i < site->address_count; i++) {
		const struct kernel_address *address = &site->addresses[i];
		if (address->index != site->index || !ip_equal(&address->cidr.ip, ip))
			continue;
		return address->flags & IFA_F_TENTATIVE ? USE_TENTATIVE : USE_FULL;
	}
	return USE_NONE;
}

void
chain_link_announce(const char *netns, const char *ifname, const struct prev_result *prev,
    const struct chain_link *link)
{
	scoped_site site = {.netns = -1};
	struct ip ips[PREV_IPS_MAX];
	unsigned count = link->announce ? addresses_of(prev, ifname, ips) : 0;
	unsigned used = 0;
	bool tentative = false;

	if (count == 0 || site_open(netns, ifname, &site, NULL) || site_look(&site, NULL))
		return;
	const struct kernel_link *where = resolving_link(&site);
	for (unsigned i = 0; i < count; i++) {
		enum use use = use_of(&site, &ips[i]);
		tentative = tentative || use == USE_TENTATIVE;
		if (use == USE_FULL)
			ips[used++] = ips[i];
	}
	/* best effort, see the header; of a tentative address the kernel says so itself, as
	 * soon as it knows that nobody else has it */
	if (tentative)
		(void)ipv6_conf_set(site.netns, site.ifname, "ndisc_notify", true, NULL);
	if (where && used > 0)
		(void)announce_send(site.netns, site.index, &where->mac, ips, used, NULL);
}

/* ---- CHECK ------------------------------------------------------------------ */

/* On the interface, or on any where prevResult does not say. Its prefix, flags and
 * lifetime are the main plugin's, and who comes later may have changed them. */
static bool
is_there(const struct site *site, const struct prev_address *wanted)
{
	for (size_t i = 0; i < site->address_count; i++) {
		const struct kernel_address *address = &site->addresses[i];
		bool here = address->index == site->index || wanted->interface < 0;
		if (here && ip_equal(&address->cidr.ip, &wanted->cidr.ip))
			return true;
	}
	return false;
}

static int
verify_addresses(const struct site *site, const struct prev_result *prev, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < prev->ip_count; i++)
		if (prev_result_is_on(prev, i, site->ifname) && !is_there(site, &prev->ips[i]))
			return err_set(err, CNI_ERROR_ROUTE,
			    "address %s is not on interface %s of the pod any more; delete the "
			    "pod to have it again",
			    cidr_print(&prev->ips[i].cidr, text), site->ifname);
	return 0;
}

int
chain_link_verify(const char *netns, const char *ifname, const struct prev_result *prev,
    const struct chain_link *link, struct err *err)
{
	scoped_site site = {.netns = -1};
	struct ip ips[PREV_IPS_MAX];
	bool addresses = addresses_of(prev, ifname, ips) > 0;

	if (!addresses && !chain_ipv6_is_written(&link->ipv6))
		return 0;
	int rc = site_open(netns, ifname, &site, err);
	if (!rc && addresses)
		rc = site_look(&site, err);
	if (!rc && addresses)
		rc = verify_addresses(&site, prev, err);
	return rc ? rc : chain_ipv6_verify(&link->ipv6, site.netns, ifname, err);
}
