#include "node/lease.h"

#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "table/json.h"
#include "table/json_write.h"

/* The texts of a record: one line each for writing and reading. */
struct text_field {
	const char *key;
	size_t offset, size;
};
#define HOLDER(name)                                                                     \
	{                                                                                \
		#name, offsetof(struct lease, holder.name), sizeof(((struct lease *)0)->holder.name) \
	}
static const struct text_field fields[] = {
	HOLDER(network),
	HOLDER(container),
	HOLDER(ifname),
	HOLDER(namespace),
	HOLDER(pod),
	HOLDER(uid),
	HOLDER(netns),
	{"domain", offsetof(struct lease, domain), sizeof(((struct lease *)0)->domain)},
};
enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static void
write_former(const struct former *former, struct buf *out)
{
	char text[MAC_TEXT_MAX];

	if (!former->count)
		return;
	json_write_open(out, "former", '[');
	for (unsigned i = 0; i < former->count; i++) {
		json_write_text(out, mac_print(&former->list[i], text));
		(void)buf_text(out, ",");
	}
	json_write_close(out, ']');
}

static void
write_json(const struct lease *lease, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	/* what does not fit, lease_encode tells */
	json_write_open(out, NULL, '{');
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		json_write_member(out, fields[i].key, (const char *)lease + fields[i].offset);
	json_write_number(out, "inode", lease->holder.netns_id.inode);
	json_write_number(out, "cookie", lease->holder.netns_id.cookie);
	json_write_open(out, "ips", '[');
	for (unsigned i = 0; i < lease->ip_count; i++) {
		json_write_text(out, cidr_print(&lease->ips[i], text));
		(void)buf_text(out, ",");
	}
	json_write_close(out, ']');
	write_former(&lease->former, out);
	json_write_number(out, "since", lease->since);
	json_write_number(out, "adds", lease->adds);
	if (lease->closing)
		(void)buf_text(out, "\"closing\":true,");
	json_write_close(out, '}');
	json_write_end(out);
}

int
lease_encode(const struct lease *lease, struct buf *out, struct err *err)
{
	size_t begin = out->length;

	(void)buf_reserve(out, LEASE_BYTES); /* what does not fit shows below */
	write_json(lease, out);
	size_t length = out->length - begin;
	if (out->over || length >= LEASE_BYTES) {
		out->length = begin;
		return err_set(err, EFBIG,
		    "the lease of container %.64s would have more than %d bytes; its names are "
		    "too long",
		    lease->holder.container, LEASE_BYTES);
	}
	/* by printf this would be half of an ADD's instructions */
	if (buf_fill(out, ' ', LEASE_BYTES - length))
		out->data[out->length - 1] = '\n';
	return buf_whole(out, "a lease", err);
}

static int
read_texts(struct json_object *object, struct lease *lease, struct err *err)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		const char *text = NULL;
		int rc = json_get_text(
		    object, fields[i].key, "lease", true, fields[i].size - 1, &text, err);
		if (rc)
			return rc;
		(void)snprintf(
		    (char *)lease + fields[i].offset, fields[i].size, "%s", text);
	}
	return 0;
}

bool
lease_has(const struct lease *lease, const struct ip *ip)
{
	for (unsigned i = 0; i < lease->ip_count; i++)
		if (ip_equal(&lease->ips[i].ip, ip))
			return true;
	return false;
}

static int
read_ips(struct json_object *object, struct lease *lease, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(object, "ips", "lease", true, ENTRY_IPS_MAX, &array, err);
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));
		rc = cidr_parse(text ? text : "", text ? strlen(text) : 0, &lease->ips[i], err);
		if (!rc && lease_has(lease, &lease->ips[i].ip))
			rc = err_set(err, EINVAL, "lease.ips has %s twice", text);
		lease->ip_count = (unsigned)i + 1;
	}
	return rc;
}

/* Not written by a plugin that does not know it, nor where there are none. */
static int
read_former(struct json_object *object, struct former *former, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(
	    object, "former", "lease", false, FORMER_MACS_MAX, &array, err);
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));
		rc = mac_parse(text ? text : "", text ? strlen(text) : 0, &former->list[i], err);
		former->count = (unsigned)i + 1;
	}
	return rc ? err_wrap(err, "lease.former") : 0;
}

static int
read_numbers(struct json_object *object, struct lease *lease, struct err *err)
{
	const struct {
		const char *key;
		uint64_t *ret;
	} numbers[] = {
	    {"inode", &lease->holder.netns_id.inode},
	    {"cookie", &lease->holder.netns_id.cookie},
	    {"since", &lease->since},
	    {"adds", &lease->adds},
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int rc = json_get_number(
		    object, numbers[i].key, "lease", true, INT64_MAX, numbers[i].ret, err);
		if (rc)
			return rc;
	}
	return 0;
}

int
lease_decode(const char *text, size_t length, struct lease *ret_lease, struct err *err)
{
	scoped_json *object = NULL;
	struct lease lease = {0};
	int rc = json_parse(text, length, "lease", &object, err);

	if (!rc)
		rc = read_texts(object, &lease, err);
	if (!rc)
		rc = read_numbers(object, &lease, err);
	if (!rc)
		rc = read_ips(object, &lease, err);
	if (!rc)
		rc = read_former(object, &lease.former, err);
	if (!rc)
		rc = json_get_bool(object, "closing", "lease", &lease.closing, err);
	if (!rc)
		*ret_lease = lease;
	return rc;
}

bool
attachment_equal(const struct attachment *a, const struct attachment *b)
{
	return strcmp(a->network, b->network) == 0 &&
	    strcmp(a->container, b->container) == 0 && strcmp(a->ifname, b->ifname) == 0;
}

bool
attachment_same_pod(const struct attachment *a, const struct attachment *b)
{
	return a->uid[0] && strcmp(a->uid, b->uid) == 0 &&
	    strcmp(a->network, b->network) == 0 && strcmp(a->ifname, b->ifname) == 0;
}

void
attachment_print(const struct attachment *attachment, struct buf *out)
{
	if (attachment->pod[0])
		(void)buf_print(out, "pod %s/%s (UID %s, container %.12s, interface %s)",
		    attachment->namespace, attachment->pod,
		    attachment->uid[0] ? attachment->uid : "unknown", attachment->container,
		    attachment->ifname);
	else
		(void)buf_print(out, "container %.64s (interface %s)", attachment->container,
		    attachment->ifname);
}
