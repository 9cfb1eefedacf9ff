#include "plugin/chain_ipv6.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "node/ipv6_conf.h"
#include "plugin/cni_error.h"
#include "table/json.h"

enum { SWITCHES = 2 };

/* Each key and the kernel's switches for it. */
static const struct {
	const char *key;
	const char *switches[SWITCHES];
} settings[CHAIN_IPV6_KEYS] = {
    [CHAIN_IPV6_ACCEPT_RA] = {"acceptRA", {"accept_ra"}},
    [CHAIN_IPV6_AUTOCONF] = {"autoconf", {"autoconf"}},
    [CHAIN_IPV6_DAD] = {"dad", {"accept_dad", "dad_transmits"}},
};

static int
refuse_unknown(struct json_object *object, struct err *err)
{
	json_object_object_foreach(object, key, value)
	{
		bool known = strcmp(key, "nodad") == 0;
		(void)value;
		for (int i = 0; i < CHAIN_IPV6_KEYS; i++)
			known = known || strcmp(key, settings[i].key) == 0;
		if (!known)
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipv6.%.64s is not known; the keys are acceptRA, autoconf, dad and "
			    "nodad",
			    key);
	}
	return 0;
}

static int
read_prefix(struct json_object *value, struct cidr *ret_prefix, struct err *err)
{
	const char *text = value ? json_object_get_string(value) : "null";
	int rc = cidr_parse(text, strlen(text), ret_prefix, err);

	if (rc)
		return err_wrap(err, "ipv6.nodad");
	struct ip first = cidr_first(ret_prefix);
	if (ret_prefix->ip.family == 6 && ip_equal(&ret_prefix->ip, &first))
		return 0;
	/* of an address with its prefix nobody could tell which of the two is meant */
	return err_set(err, EINVAL,
	    "ipv6.nodad has %s; it takes IPv6 prefixes without host bits, and /128 for one "
	    "address",
	    text);
}

static int
read_nodad(struct json_object *object, struct chain_ipv6 *ipv6, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(object, "nodad", "ipv6", false, NODAD_MAX, &array, err);
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; !rc && i < count; i++)
		rc = read_prefix(
		    json_object_array_get_idx(array, i), &ipv6->nodad[i], err);
	ipv6->nodad_count = (unsigned)count;
	return rc;
}

int
chain_ipv6_decode(struct json_object *config, struct chain_ipv6 *ret_ipv6, struct err *err)
{
	struct json_object *object = NULL;
	struct chain_ipv6 ipv6 = {0};
	int rc =
	    json_get_object(config, "ipv6", "network configuration", false, &object, err);

	for (int i = 0; !rc && object && i < CHAIN_IPV6_KEYS; i++) {
		rc = json_get_bool(object, settings[i].key, "ipv6", &ipv6.on[i], err);
		ipv6.written[i] = json_path(object, settings[i].key) != NULL;
	}
	if (!rc && object)
		rc = read_nodad(object, &ipv6, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	*ret_ipv6 = ipv6;
	return object ? refuse_unknown(object, err) : 0;
}

bool
chain_ipv6_is_written(const struct chain_ipv6 *ipv6)
{
	for (int i = 0; i < CHAIN_IPV6_KEYS; i++)
		if (ipv6->written[i])
			return true;
	return ipv6->nodad_count > 0;
}

bool
chain_ipv6_skips_dad(const struct chain_ipv6 *ipv6, const struct ip *ip)
{
	bool skips = chain_ipv6_is_off(ipv6, CHAIN_IPV6_DAD);

	for (unsigned i = 0; i < ipv6->nodad_count; i++)
		skips = skips || cidr_contains(&ipv6->nodad[i], ip);
	return skips;
}

bool
chain_ipv6_is_off(const struct chain_ipv6 *ipv6, enum chain_ipv6_key key)
{
	return ipv6->written[key] && !ipv6->on[key];
}

/* What one switch should be, and is. */
static int
settle_switch(int netns, const char *link, const char *name, bool wanted, struct err *err)
{
	bool on = false;
	int rc = ipv6_conf_get(netns, link, name, &on, err);

	if (rc == -ENOENT && !wanted)
		return 0;
	if (!rc && on != wanted)
		rc = ipv6_conf_set(netns, link, name, wanted, err);
	return rc ? cni_error_as(err, CNI_ERROR_ROUTE) : 0;
}

static int
verify_switch(int netns, const char *link, const char *name, bool wanted, struct err *err)
{
	bool on = false;
	int rc = ipv6_conf_get(netns, link, name, &on, err);

	if (rc == -ENOENT && !wanted)
		return 0;
	if (rc)
		return cni_error_as(err, CNI_ERROR_ROUTE);
	if (on == wanted)
		return 0;
	return err_set(err, CNI_ERROR_ROUTE,
	    "net.ipv6.conf.%s.%s in the pod is not %s any more; delete the pod to have it again",
	    link, name, wanted ? "on" : "0");
}

static int
each_switch(const struct chain_ipv6 *ipv6, int netns, const char *link,
    int (*act)(int, const char *, const char *, bool, struct err *), struct err *err)
{
	int rc = 0;

	for (int i = 0; i < CHAIN_IPV6_KEYS; i++)
		for (int j = 0; !rc && ipv6->written[i] && j < SWITCHES; j++)
			if (settings[i].switches[j])
				rc = act(netns, link, settings[i].switches[j], ipv6->on[i], err);
	return rc;
}

int
chain_ipv6_apply(const struct chain_ipv6 *ipv6, int netns, const char *link, struct err *err)
{
	return each_switch(ipv6, netns, link, settle_switch, err);
}

int
chain_ipv6_verify(const struct chain_ipv6 *ipv6, int netns, const char *link, struct err *err)
{
	return each_switch(ipv6, netns, link, verify_switch, err);
}
