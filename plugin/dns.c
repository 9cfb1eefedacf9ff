#include "plugin/dns.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/utf8.h"
#include "plugin/cni_error.h"
#include "table/json.h"

/* The lists of a dns object, and the keyword of resolv.conf that fills each. */
static const struct list {
	const char *key;
	const char *keyword;
	bool one_value; /* what stands behind it is no value */
} lists[] = {
    {"nameservers", "nameserver", true},
    {"search", "search", false},
    {"options", "options", false},
};
enum { LIST_COUNT = sizeof(lists) / sizeof(lists[0]) };

static struct json_object *
list_of(struct json_object *dns, const char *key)
{
	struct json_object *array = NULL;

	if (json_object_object_get_ex(dns, key, &array))
		return array;
	array = json_object_new_array();
	json_object_object_add(dns, key, array);
	return array;
}

/* ---- the network configuration ------------------------------------------------ */

static int
copy_list(
    struct json_object *from, const char *key, struct json_object *dns, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(from, key, "ipam.dns", false, DNS_ITEMS_MAX, &array, err);

	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	for (size_t i = 0; array && i < json_object_array_length(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		if (!json_object_is_type(item, json_type_string) ||
		    json_object_get_string_len(item) > SUBDOMAIN_MAX)
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipam.dns.%s[%zu] is no text of at most %d bytes", key, i,
			    SUBDOMAIN_MAX);
		json_object_array_add(list_of(dns, key), json_object_get(item));
	}
	return 0;
}

int
dns_decode(struct json_object *ipam, struct json_object **ret_dns, struct err *err)
{
	scoped_json *dns = NULL;
	struct json_object *from = NULL;
	const char *domain = "";
	int rc = json_get_object(ipam, "dns", "ipam", false, &from, err);

	*ret_dns = NULL;
	if (rc || !from)
		return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
	if (json_get_text(from, "domain", "ipam.dns", false, SUBDOMAIN_MAX, &domain, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	dns = json_object_new_object();
	for (unsigned i = 0; i < LIST_COUNT; i++) {
		rc = copy_list(from, lists[i].key, dns, err);
		if (rc)
			return rc;
	}
	json_put_text(dns, "domain", domain[0] ? domain : NULL);
	*ret_dns = json_object_object_length(dns) ? json_object_get(dns) : NULL;
	return 0;
}

/* ---- resolv.conf --------------------------------------------------------------- */

/* The next word of the line: its length, 0 at the end. *text moves behind it. */
static size_t
next_word(const char **text, const char *end, const char **ret_word)
{
	while (*text < end && strchr(" \t\r\v\f", **text))
		(*text)++;
	*ret_word = *text;
	while (*text < end && !strchr(" \t\r\v\f", **text))
		(*text)++;
	return (size_t)(*text - *ret_word);
}

static bool
is_word(const char *word, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(word, wanted, length) == 0;
}

static int
add_values(const struct list *list, const char *text, const char *end, const char *where,
    struct json_object *dns, struct err *err)
{
	const char *word;

	for (size_t length; (length = next_word(&text, end, &word)) > 0;) {
		struct json_object *array = list_of(dns, list->key);
		if (length > SUBDOMAIN_MAX ||
		    json_object_array_length(array) == DNS_ITEMS_MAX)
			return err_set(err, CNI_ERROR_IO,
			    "%s has more than %d values for %s, or one of more than %d "
			    "bytes",
			    where, DNS_ITEMS_MAX, list->keyword, SUBDOMAIN_MAX);
		json_object_array_add(
		    array, json_object_new_string_len(word, (int)length));
		if (list->one_value)
			return 0;
	}
	return 0;
}

static int
parse_line(const char *text, const char *end, const char *where, struct json_object *dns,
    struct err *err)
{
	const char *keyword;
	const char *word;
	size_t length = next_word(&text, end, &keyword);

	if (is_word(keyword, length, "domain")) {
		size_t domain = next_word(&text, end, &word);
		if (domain > 0 && domain <= SUBDOMAIN_MAX)
			json_object_object_add(
			    dns, "domain", json_object_new_string_len(word, (int)domain));
		return 0;
	}
	for (unsigned i = 0; i < LIST_COUNT; i++)
		if (is_word(keyword, length, lists[i].keyword))
			return add_values(&lists[i], text, end, where, dns, err);
	return 0; /* a comment, an empty line, sortlist */
}

int
dns_parse_resolv_conf(const char *text, size_t length, const char *where,
    struct json_object **ret_dns, struct err *err)
{
	scoped_json *dns = json_object_new_object();
	scoped_buf clean = buf_make(3 * (size_t)RESOLV_CONF_MAX);

	if (length > RESOLV_CONF_MAX || memchr(text, '\0', length))
		return err_set(err, CNI_ERROR_IO, "%s is no text of at most %d bytes",
		    where, RESOLV_CONF_MAX);
	utf8_clean(text, length, &clean);
	const char *at = buf_string(&clean);
	const char *end = at + clean.length;
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		int rc = parse_line(at, newline ? newline : end, where, dns, err);
		if (rc)
			return rc;
		at = newline ? newline + 1 : end;
	}
	*ret_dns = json_object_object_length(dns) ? json_object_get(dns) : NULL;
	return 0;
}

struct json_object *
dns_of_nameservers(const struct ip *list, unsigned count)
{
	struct json_object *dns = count ? json_object_new_object() : NULL;
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++)
		json_object_array_add(list_of(dns, "nameservers"),
		    json_object_new_string(ip_print(&list[i], text)));
	return dns;
}
