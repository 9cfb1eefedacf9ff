/* Who may have had a lease: from JSON, without I/O. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "agent/regain.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"

void
regain_known_release(struct regain_known *known)
{
	mem_free(known->list);
	*known = (struct regain_known){.count = 0};
}

static struct lease *
add(struct regain_known *known)
{
	size_t count = known->count++;

	/* room doubles at each power of two */
	if ((count & (count - 1)) == 0)
		known->list =
		    mem_resize(known->list, count ? count * 2 : 1, sizeof(*known->list));
	known->list[count] = (struct lease){.adds = 1};
	return &known->list[count];
}

static void
put(char *out, size_t size, const char *text)
{
	(void)snprintf(out, size, "%s", text ? text : "");
}
#define PUT(field, text) put((field), sizeof(field), (text))

static void
add_ip(struct lease *lease, const char *text)
{
	struct cidr cidr;

	if (!text || lease->ip_count == ENTRY_IPS_MAX)
		return;
	/* what was revoked has no prefix */
	scoped_free char *whole = strchr(text, '/')
	    ? mem_text(text)
	    : mem_format("%s/%s", text, strchr(text, ':') ? "128" : "32");
	if (cidr_parse(whole, strlen(whole), &cidr, NULL) == 0 && !lease_has(lease, &cidr.ip))
		lease->ips[lease->ip_count++] = cidr;
}

static size_t
length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static void
add_ips(struct lease *lease, struct json_object *array)
{
	for (size_t i = 0; i < length_of(array); i++)
		add_ip(lease, json_object_get_string(json_object_array_get_idx(array, i)));
}

/* It becomes file names: nothing that the tables would not have. */
static void
keep_valid(struct regain_known *known)
{
	const struct lease *lease = &known->list[known->count - 1];
	const struct attachment *holder = &lease->holder;

	if (lease->ip_count == 0 || !key_network_valid(holder->network) ||
	    !key_domain_valid(lease->domain) || strpbrk(holder->container, "/:") ||
	    strpbrk(holder->ifname, "/:") || holder->container[0] == '.')
		known->count--;
}

void
regain_add_leases(const struct lease *list, size_t count, struct regain_known *known)
{
	for (size_t i = 0; i < count; i++) {
		struct lease *lease = add(known);
		*lease = list[i];
		lease->adds = 1;
		lease->closing = false;
		keep_valid(known);
	}
}

void
regain_add_attachments(struct json_object *attachments, struct regain_known *known)
{
	for (size_t i = 0; i < length_of(attachments); i++) {
		struct json_object *item = json_object_array_get_idx(attachments, i);
		struct lease *lease = add(known);
		PUT(lease->holder.network, json_path_text(item, "network"));
		PUT(lease->holder.container, json_path_text(item, "container"));
		PUT(lease->holder.ifname, json_path_text(item, "interface"));
		PUT(lease->holder.namespace, json_path_text(item, "namespace"));
		PUT(lease->holder.pod, json_path_text(item, "pod"));
		PUT(lease->holder.uid, json_path_text(item, "uid"));
		PUT(lease->domain, json_path_text(item, "domain"));
		add_ips(lease, json_path(item, "ips"));
		keep_valid(known);
	}
}

/* NETWORK/NAMESPACE/POD or with /INTERFACE. */
static void
put_key(struct attachment *holder, const char *key)
{
	scoped_free char *copy = mem_text(key ? key : "");
	char *rest = copy;

	PUT(holder->network, strsep(&rest, "/"));
	PUT(holder->namespace, rest ? strsep(&rest, "/") : "");
	PUT(holder->pod, rest ? strsep(&rest, "/") : "");
	PUT(holder->ifname, rest);
}

static void
add_rows(struct json_object *rows, struct regain_known *known)
{
	for (size_t i = 0; i < length_of(rows); i++) {
		struct json_object *item = json_object_array_get_idx(rows, i);
		struct lease *lease = add(known);
		put_key(&lease->holder, json_path_text(item, "key"));
		PUT(lease->holder.uid, json_path_text(item, "uid"));
		PUT(lease->domain, json_path_text(item, "domain"));
		add_ips(lease, json_path(item, "ips"));
		keep_valid(known); /* only grants have a domain */
	}
}

/* "network/podnet 10.0.2.40": each a lease of its own, for they may be of several
 * networks. That of a pool is filed under the pool's name. */
static void
add_revoked(struct json_object *revoked, struct regain_known *known)
{
	struct json_object *addresses = json_path(revoked, "addresses");

	for (size_t i = 0; i < length_of(addresses); i++) {
		const char *text =
		    json_object_get_string(json_object_array_get_idx(addresses, i));
		const char *space = text ? strchr(text, ' ') : NULL;
		const char *slash = text ? strchr(text, '/') : NULL;
		if (!space || !slash || slash > space)
			continue;
		struct lease *lease = add(known);
		(void)snprintf(lease->domain, sizeof(lease->domain), "%.*s",
		    (int)(space - text), text);
		PUT(lease->holder.network, strchr(lease->domain, '/') + 1);
		PUT(lease->holder.uid, json_path_text(revoked, "uid"));
		add_ip(lease, space + 1);
		keep_valid(known);
	}
}

void
regain_add_node(struct json_object *node, struct regain_known *known)
{
	struct json_object *revoked = json_path(node, "spec.revoked");

	regain_add_attachments(json_path(node, "status.attachments"), known);
	add_rows(json_path(node, "spec.rows"), known);
	for (size_t i = 0; i < length_of(revoked); i++)
		add_revoked(json_object_array_get_idx(revoked, i), known);
}
