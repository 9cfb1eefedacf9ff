#include "controller/ledger_text.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/hash.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"

enum { BLOCK_BITS = 6, SUMMARY_HOLDERS = 3, SUMMARY_MAX = 2048 };

void
held_release(struct held *held)
{
	mem_free(held->uid);
	mem_free(held->pod);
	mem_free(held->node);
	mem_free(held->node_uid);
	mem_free(held->allocation);
	mem_free(held->since);
	*held = (struct held){0};
}

struct cidr
block_cidr(const struct ip *ip)
{
	struct cidr cidr = {.ip = *ip, .length = (uint8_t)(ip_bits(ip) - BLOCK_BITS)};

	cidr.ip = cidr_first(&cidr);
	return cidr;
}

/* What may stand in an object's name, as far as it is long. */
static char *
readable(const char *domain)
{
	const char *slash = strchr(domain, '/');
	char *text = mem_format("%.60s", slash ? slash + 1 : domain);

	for (char *c = text; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9')))
			*c = '-';
	}
	return text;
}

char *
block_name(const char *domain, const struct cidr *cidr)
{
	scoped_free char *words = readable(domain);
	char address[ADDRESS_TEXT_MAX];
	uint64_t hash = hash_bytes(HASH_START, domain, strlen(domain));

	(void)ip_print(&cidr->ip, address);
	for (char *c = address; *c; c++)
		if (*c == ':' || *c == '.')
			*c = '-';
	return mem_format("%s-%016" PRIx64 "-%s-%u", words, hash, address, cidr->length);
}

/* ---- reading ------------------------------------------------------------------------ */

static int
read_held(struct json_object *item, const struct block_text *text, struct held *held,
    struct err *err)
{
	const char *address = json_path_text(item, "address");
	const char *uid = json_path_text(item, "uid");
	const char *pod = json_path_text(item, "pod");

	if (!address || !uid || !uid[0] || !pod)
		return err_set(err, EINVAL, "an entry without address, uid or pod");
	int rc = ip_parse(address, strlen(address), &held->ip, err);
	if (rc)
		return rc;
	if (!cidr_contains(&text->cidr, &held->ip))
		return err_set(err, EINVAL, "%s lies outside of the block", address);
	held->uid = mem_text(uid);
	held->pod = mem_text(pod);
	held->node = mem_text(json_path_text(item, "node"));
	held->node_uid = mem_text(json_path_text(item, "nodeUID"));
	held->allocation = mem_text(json_path_text(item, "allocation"));
	held->since = mem_text(json_path_text(item, "since"));
	return 0;
}

static int
compare_held(const void *a, const void *b)
{
	return ip_compare(&((const struct held *)a)->ip, &((const struct held *)b)->ip);
}

static int
read_entries(struct json_object *array, struct block_text *text, struct err *err)
{
	size_t count = json_object_is_type(array, json_type_array)
	    ? json_object_array_length(array) : 0;
	char address[ADDRESS_TEXT_MAX];
	int rc = 0;

	if (array && !json_object_is_type(array, json_type_array))
		return err_set(err, EINVAL, "its entries are no list");
	text->entries = mem_new(count ? count : 1, sizeof(*text->entries));
	for (size_t i = 0; !rc && i < count; i++) {
		rc = read_held(json_object_array_get_idx(array, i), text,
		    &text->entries[text->count], err);
		text->count += rc == 0;
	}
	if (text->count)
		qsort(text->entries, text->count, sizeof(*text->entries), compare_held);
	for (unsigned i = 1; !rc && i < text->count; i++)
		if (ip_equal(&text->entries[i - 1].ip, &text->entries[i].ip))
			rc = err_set(err, EINVAL, "%s is there twice",
			    ip_print(&text->entries[i].ip, address));
	return rc;
}

static int
read_frame(const char *name, struct json_object *object, struct block_text *text, struct err *err)
{
	const char *domain = json_path_text(object, "spec.domain");
	const char *cidr = json_path_text(object, "spec.cidr");

	if (!domain || !key_domain_valid(domain) || !cidr)
		return err_set(err, EINVAL, "no domain or cidr");
	int rc = cidr_parse(cidr, strlen(cidr), &text->cidr, err);
	if (rc)
		return rc;
	struct cidr aligned = block_cidr(&text->cidr.ip);
	scoped_free char *right = block_name(domain, &text->cidr);
	if (!cidr_equal(&aligned, &text->cidr) || strcmp(right, name) != 0)
		return err_set(err, EINVAL, "its name is not that of domain %s and cidr %s", domain, cidr);
	text->domain = mem_text(domain);
	return 0;
}

int
block_decode(const char *name, struct json_object *object, struct block_text *ret_text,
    struct err *err)
{
	struct block_text text = {0};
	int rc = read_frame(name, object, &text, err);

	if (!rc)
		rc = read_entries(json_path(object, "spec.entries"), &text, err);
	if (!rc) {
		*ret_text = text;
		return 0;
	}
	for (unsigned i = 0; i < text.count; i++)
		held_release(&text.entries[i]);
	mem_free(text.entries);
	mem_free(text.domain);
	(void)err_wrap(err, "StaticIPBlock %s", name);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------ */

static struct json_object *
encode_held(const struct held *held)
{
	struct json_object *object = json_object_new_object();
	char address[ADDRESS_TEXT_MAX];

	json_put_text(object, "address", ip_print(&held->ip, address));
	json_put_text(object, "uid", held->uid);
	json_put_text(object, "pod", held->pod);
	json_put_text(object, "node", held->node);
	json_put_text(object, "nodeUID", held->node_uid);
	json_put_text(object, "allocation", held->allocation);
	json_put_text(object, "since", held->since);
	return object;
}

/* Columns show one value, never a list: so what people read of a block is a sentence, as
 * for a Service's endpoints. */
static void
put_summary(struct json_object *spec, const struct held *entries, unsigned count)
{
	scoped_buf text = buf_make(SUMMARY_MAX);
	char address[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count && i < SUMMARY_HOLDERS; i++)
		(void)buf_print(&text, "%s%s %s%s%s", i ? ", " : "",
		    ip_print(&entries[i].ip, address), entries[i].pod,
		    entries[i].node ? " on " : "", entries[i].node ? entries[i].node : "");
	if (count > SUMMARY_HOLDERS)
		(void)buf_print(&text, " + %u more", count - SUMMARY_HOLDERS);
	if (count)
		json_put_text(spec, "summary", buf_string(&text));
}

struct json_object *
block_encode(const struct block *block, const struct held *entries, unsigned count)
{
	struct json_object *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *spec = json_object_new_object();
	struct json_object *list = json_object_new_array();
	char cidr[ADDRESS_TEXT_MAX];

	json_put_text(object, "apiVersion", "staticip.dev/v1alpha1");
	json_put_text(object, "kind", "StaticIPBlock");
	json_put_text(metadata, "name", block->name);
	json_object_object_add(object, "metadata", metadata);
	json_put_text(spec, "domain", block->domain);
	json_put_text(spec, "cidr", cidr_print(&block->cidr, cidr));
	for (unsigned i = 0; i < count; i++)
		json_object_array_add(list, encode_held(&entries[i]));
	json_object_object_add(spec, "entries", list);
	put_summary(spec, entries, count);
	json_object_object_add(object, "spec", spec);
	return object;
}
