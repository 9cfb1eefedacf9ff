#include "plugin/index.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/num.h"
#include "plugin/address.h"
#include "plugin/cni_error.h"
#include "table/json.h"
#include "table/key.h"

/* ---- the configuration ----------------------------------------------------------- */

/* The first "index[0-9]+" of a name. */
static const char *
find_number(const char *name, size_t *ret_length)
{
	for (const char *at = name; (at = strstr(at, "index")); at++) {
		size_t digits = strspn(at + 5, "0123456789");
		if (digits == 0)
			continue;
		*ret_length = digits;
		return at + 5;
	}
	return NULL;
}

static int
number_of_name(const char *name, uint64_t *ret_number, struct err *err)
{
	size_t length = 0;
	const char *digits = name ? find_number(name, &length) : NULL;

	if (!name || !name[0])
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "CNI_ARGS has no K8S_POD_NAME; ipam.index is \"pod-name\", so that "
		    "the number "
		    "stands in the pod's name");
	if (!digits)
		return err_set(err, CNI_ERROR_CONFIG,
		    "pod name %.253s has no number; ipam.index is \"pod-name\": the name "
		    "must have "
		    "\"index\" and a number in it",
		    name);
	while (length > 1 && digits[0] == '0') {
		digits++;
		length--;
	}
	if (num_parse(digits, length, INDEX_MAX, "K8S_POD_NAME", ret_number, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	return 0;
}

static int
decode_number(struct json_object *ipam, const struct cni_args *args,
    struct index_rule *rule, struct err *err)
{
	const char *word = json_path_text(ipam, "index");
	uint64_t number = 0;
	int rc = 0;

	if (word && strcmp(word, "pod-name") == 0)
		rc = number_of_name(args->pod, &number, err);
	else if (word)
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "ipam.index '%.40s' is neither a number nor \"pod-name\"", word);
	else if (json_get_number(ipam, "index", "ipam", true, INDEX_MAX, &number, err))
		rc = cni_error_as(err, CNI_ERROR_CONFIG);
	if (!rc && number == 0)
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "index 0 is out of range; 0 would be this node's own address, the "
		    "first is 1");
	rule->number = (unsigned)number;
	return rc;
}

static int
decode_interface(struct json_object *host, struct index_rule *rule, struct err *err)
{
	if (json_get_text(host, "name", "ipam.hostAddress", true, IFNAME_LEN_MAX,
		&rule->interface, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (!key_interface_valid(rule->interface))
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.hostAddress.name '%s' is no name of an interface",
		    rule->interface);
	return 0;
}

static int
decode_key(struct json_object *host, struct index_rule *rule, struct err *err)
{
	if (json_get_text(
		host, "key", "ipam.hostAddress", false, LABEL_MAX, &rule->key, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (!rule->key[0] || strpbrk(rule->key, " =\t\n\""))
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.hostAddress.key '%s' cannot be the start of a kernel parameter",
		    rule->key);
	return 0;
}

static int
decode_host(struct json_object *ipam, struct index_rule *rule, struct err *err)
{
	struct json_object *host = NULL;
	const char *from = "cmdline";

	if (json_get_object(ipam, "hostAddress", "ipam", false, &host, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (!host)
		return 0;
	if (json_get_text(host, "from", "ipam.hostAddress", false, LABEL_MAX, &from, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (strcmp(from, "cmdline") == 0)
		return decode_key(host, rule, err);
	if (strcmp(from, "interface") == 0) {
		rule->from = INDEX_FROM_INTERFACE;
		return decode_interface(host, rule, err);
	}
	if (strcmp(from, "default-route") != 0)
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.hostAddress.from '%s' is none of cmdline, interface, "
		    "default-route",
		    from);
	rule->from = INDEX_FROM_DEFAULT_ROUTE;
	return 0;
}

int
index_decode(struct json_object *ipam, const struct cni_args *args,
    struct index_rule *ret_rule, struct err *err)
{
	struct index_rule rule = {.from = INDEX_FROM_CMDLINE, .key = "epoxy"};
	const char *mapping = "plain";
	int rc = decode_number(ipam, args, &rule, err);

	if (!rc)
		rc = decode_host(ipam, &rule, err);
	if (rc)
		return rc;
	if (json_get_text(ipam, "ipv6Mapping", "ipam", false, LABEL_MAX, &mapping, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	rule.decimal = strcmp(mapping, "decimal") == 0;
	if (!rule.decimal && strcmp(mapping, "plain") != 0)
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.ipv6Mapping '%s' is neither plain nor decimal", mapping);
	*ret_rule = rule;
	return 0;
}

/* ---- the kernel's command line ----------------------------------------------------- */

/* The value of a parameter, up to the next white space; NULL: it is not there. */
static const char *
find_parameter(const char *text, const char *name, size_t *ret_length)
{
	size_t name_length = strlen(name);

	for (const char *at = text; at[0]; at += strspn(at, " \t\n")) {
		size_t length = strcspn(at, " \t\n");
		if (length > name_length && memcmp(at, name, name_length) == 0) {
			*ret_length = length - name_length;
			return at + name_length;
		}
		at += length;
	}
	return NULL;
}

static int
bad_parameter(const char *name, const char *why, struct err *err)
{
	return err_set(err, CNI_ERROR_CONFIG,
	    "kernel parameter %s is not ADDRESS/PREFIX,GATEWAY,DNS1,DNS2; %s", name, why);
}

/* One of the parts behind the first; empty is none. */
static int
parse_part(
    const char *text, size_t length, const char *name, struct ip *ret_ip, struct err *err)
{
	struct err why = {0};

	if (length > 0 && ip_parse_lax(text, length, ret_ip, &why))
		return bad_parameter(name, why.text, err);
	return 0;
}

static int
parse_parameter(const char *value, size_t length, const char *name, uint8_t family,
    struct index_host *ret_host, struct err *err)
{
	struct index_host host = {0};
	struct ip others[3] = {{0}};
	const char *end = value + length;
	const char *comma = memchr(value, ',', length);
	struct err why = {0};

	if (cidr_parse_lax(
		value, comma ? (size_t)(comma - value) : length, &host.cidr, &why))
		return bad_parameter(name, why.text, err);
	if (host.cidr.ip.family != family)
		return bad_parameter(name, "its address is of the other family", err);
	for (unsigned i = 0; i < 3; i++) {
		if (!comma)
			return bad_parameter(name, "it has fewer than four parts", err);
		const char *part = comma + 1;
		comma = memchr(part, ',', (size_t)(end - part));
		int rc = parse_part(
		    part, (size_t)((comma ? comma : end) - part), name, &others[i], err);
		if (rc)
			return rc;
	}
	if (comma)
		return bad_parameter(name, "it has more than four parts", err);
	if (others[0].family && others[0].family != family)
		return bad_parameter(name, "its gateway is of the other family", err);
	host.gateway = others[0];
	for (unsigned i = 1; i < 3; i++)
		if (others[i].family)
			host.dns[host.dns_count++] = others[i];
	*ret_host = host;
	return 0;
}

int
index_parse_cmdline(
    const char *text, const char *key, struct index_host ret_hosts[2], struct err *err)
{
	struct index_host hosts[2] = {{.dns_count = 0}};

	for (unsigned i = 0; i < 2; i++) {
		char name[LABEL_MAX + 8];
		size_t length = 0;
		(void)snprintf(name, sizeof(name), "%s.ipv%d=", key, i == 0 ? 4 : 6);
		const char *value = find_parameter(text, name, &length);
		int rc = value ? parse_parameter(
				     value, length, name, i == 0 ? 4 : 6, &hosts[i], err)
			       : 0;
		if (rc)
			return rc;
	}
	if (!hosts[0].cidr.ip.family && !hosts[1].cidr.ip.family)
		return err_set(err, CNI_ERROR_CONFIG,
		    "the kernel's command line has no %s.ipv4= and no %s.ipv6=; "
		    "ipam.index takes "
		    "this node's address from there unless ipam.hostAddress says "
		    "otherwise",
		    key, key);
	ret_hosts[0] = hosts[0];
	ret_hosts[1] = hosts[1];
	return 0;
}

/* ---- the sum ------------------------------------------------------------------------
 */

/* The last group of an IPv6 address: its four hexadecimal digits are read as a decimal
 * number, and written so again. */
static bool
add_decimal(const struct ip *ip, unsigned count, struct ip *ret_ip)
{
	unsigned value = 0;
	struct ip sum = *ip;

	for (unsigned i = 0; i < 4; i++) {
		unsigned byte = ip->bytes[14 + i / 2];
		unsigned digit = i % 2 ? byte & 0x0f : byte >> 4;
		if (digit > 9)
			return false;
		value = value * 10 + digit;
	}
	value += count;
	if (value > 7999)
		return false;
	sum.bytes[14] = (uint8_t)(value / 1000 * 16 + value / 100 % 10);
	sum.bytes[15] = (uint8_t)(value / 10 % 10 * 16 + value % 10);
	*ret_ip = sum;
	return true;
}

int
index_add(const struct index_rule *rule, const struct index_host *host,
    struct cni_address *ret_address, struct err *err)
{
	struct cni_address address = {.cidr = host->cidr, .gateway = host->gateway};
	char own[ADDRESS_TEXT_MAX];
	bool decimal = rule->decimal && host->cidr.ip.family == 6;
	bool summed = decimal
			  ? add_decimal(&host->cidr.ip, rule->number, &address.cidr.ip)
			  : ip_add(&host->cidr.ip, rule->number, &address.cidr.ip);

	if (!summed && decimal)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s plus index %u has no decimal form; with ipv6Mapping \"decimal\" "
		    "the last "
		    "group has digits only and stays at 7999 or less",
		    cidr_print(&host->cidr, own), rule->number);
	if (!summed || !cidr_contains(&host->cidr, &address.cidr.ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s plus index %u is outside its subnet; the node needs a larger "
		    "one, or the pod "
		    "a smaller index",
		    cidr_print(&host->cidr, own), rule->number);
	if (ip_equal(&address.cidr.ip, &host->gateway))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s plus index %u is the gateway; use another index",
		    cidr_print(&host->cidr, own), rule->number);
	int rc = address_check(&address.cidr, "ipam.index", err);
	if (!rc)
		*ret_address = address;
	return rc;
}
