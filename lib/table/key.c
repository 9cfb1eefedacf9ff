#include "table/key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "core/text.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_lower_or_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool
is_alphanumeric(char c)
{
	return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

bool
key_network_valid(const char *network)
{
	size_t length = strlen(network);

	if (length == 0 || length > NETWORK_NAME_MAX || !is_alphanumeric(network[0]))
		return false;
	for (const char *c = network; *c; c++)
		if (!is_alphanumeric(*c) && *c != '_' && *c != '.' && *c != '-')
			return false;
	return true;
}

/* Lower-case letters, digits and '-', a letter or digit at both ends. */
static bool
label_valid(const char *text, size_t length)
{
	if (length == 0 || length > LABEL_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_lower_or_digit(text[i]) && text[i] != '-')
			return false;
	return text[0] != '-' && text[length - 1] != '-';
}

bool
key_label_valid(const char *text)
{
	return label_valid(text, strlen(text));
}

bool
key_subdomain_valid(const char *text)
{
	if (strlen(text) > SUBDOMAIN_MAX)
		return false;
	for (;;) {
		size_t length = strcspn(text, ".");
		/* a label of a subdomain may be longer than 63 in Kubernetes: only
		 * the whole is bounded */
		if (length == 0 || text[0] == '-' || text[length - 1] == '-')
			return false;
		for (size_t i = 0; i < length; i++)
			if (!is_lower_or_digit(text[i]) && text[i] != '-')
				return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

bool
key_domain_valid(const char *domain)
{
	if (strncmp(domain, "network/", 8) == 0)
		return key_network_valid(domain + 8);
	return strncmp(domain, "pool/", 5) == 0 && key_subdomain_valid(domain + 5);
}

bool
key_interface_valid(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > IFNAME_LEN_MAX)
		return false;
	if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	return strcspn(text, "/: \t\n\v\f\r") == length;
}

int
key_pod(char *out, const char *network, const char *namespace, const char *pod,
    const char *interface, struct err *err)
{
	if (!key_network_valid(network))
		return err_set(err, EINVAL, "'%.200s' is no CNI network name", network);
	if (!key_label_valid(namespace))
		return err_set(err, EINVAL, "'%.80s' is no namespace name", namespace);
	if (!key_subdomain_valid(pod))
		return err_set(err, EINVAL, "'%.260s' is no pod name", pod);
	if (interface && !key_interface_valid(interface))
		return err_set(err, EINVAL, "'%.20s' is no interface name", interface);
	(void)text_join(out, KEY_MAX + 1, network, "/", namespace, "/", pod, interface ? "/" : NULL,
	    interface, NULL);
	return 0;
}

bool
key_is_pod(const char *key)
{
	int parts = 0;

	for (;; key++) {
		size_t length = strcspn(key, "/");
		if (length == 0 || *key == '!')
			return false;
		parts++;
		key += length;
		if (!*key)
			return parts == 3 || parts == 4;
	}
}

/* The length of NETWORK or NETWORK/NAMESPACE/POD at the key's front. */
static size_t
pod_part(const char *key)
{
	const char *end = key;

	for (int slashes = 0; *end; end++)
		if (*end == '/' && ++slashes == 3)
			break;
	return (size_t)(end - key);
}

unsigned
key_bucket(const char *key, unsigned count)
{
	uint64_t hash = hash_bytes(HASH_START, key, pod_part(key));

	/* FNV-1a's low bits depend on the low bits of the input only; the high
	 * ones mix all */
	return (unsigned)((hash ^ hash >> 32) % count);
}

bool
key_bucket_count_valid(unsigned count)
{
	return count == 1 || count == 64 || count == TABLE_BUCKETS_MAX;
}

char *
key_pod_path(const char *key)
{
	if (!key_is_pod(key))
		return NULL;
	const char *namespace = strchr(key, '/') + 1;
	const char *pod = strchr(namespace, '/') + 1;
	size_t length = (size_t)(pod - namespace) + strcspn(pod, "/");

	return mem_format("%.*s", (int)length, namespace);
}
