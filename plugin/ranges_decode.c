#include "plugin/ranges_decode.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

static int
get_ip(struct json_object *object, const char *key, const char *where, struct ip *ret_ip,
    struct err *err)
{
	const char *text = NULL;
	int rc = json_get_text(object, key, where, false, ADDRESS_TEXT_MAX, &text, err);

	if (!rc && text && ip_parse_lax(text, strlen(text), ret_ip, err))
		rc = err_wrap(err, "%s.%s", where, key);
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

static int
get_subnet(struct json_object *object, const char *where, struct cidr *ret_subnet,
    struct err *err)
{
	const char *text = NULL;
	int rc =
	    json_get_text(object, "subnet", where, true, ADDRESS_TEXT_MAX, &text, err);

	if (!rc && cidr_parse_lax(text, strlen(text), ret_subnet, err))
		rc = err_wrap(err, "%s.subnet", where);
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

static int
check_subnet(const struct cidr *subnet, unsigned set, struct err *err)
{
	struct ip network = cidr_first(subnet);
	char text[ADDRESS_TEXT_MAX];

	if (subnet->length + 2 > ip_bits(&subnet->ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "invalid range set %u: Network %s too small to allocate from", set,
		    cidr_print(subnet, text));
	if (!ip_equal(&network, &subnet->ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "invalid range set %u: Network has host bits set. For a subnet mask "
		    "of length "
		    "%u the network address is %s",
		    set, subnet->length, ip_print(&network, text));
	return 0;
}

static int
check_inside(const struct range *range, const char *what, const struct ip *ip,
    unsigned set, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	char subnet[ADDRESS_TEXT_MAX];

	if (cidr_contains(&range->subnet, ip))
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "invalid range set %u: %s %s not in network %s", set, what,
	    ip_print(ip, text), cidr_print(&range->subnet, subnet));
}

/* The last address; for IPv4 the one before the broadcast address. */
static struct ip
default_end(const struct cidr *subnet)
{
	struct ip last = cidr_last(subnet);

	if (last.family == 4)
		last.bytes[3]--; /* a subnet of at least four addresses: it ends with 1 */
	return last;
}

static int
check_range(struct range *range, unsigned set, struct err *err)
{
	char first[ADDRESS_TEXT_MAX];
	char last[ADDRESS_TEXT_MAX];
	int rc = check_subnet(&range->subnet, set, err);

	if (rc)
		return rc;
	struct ip second = range->subnet.ip;
	(void)ip_add(&second, 1, &second); /* there are at least four addresses */
	if (!range->gateway.family)
		range->gateway = second;
	if (!range->span.first.family)
		range->span.first = second;
	if (!range->span.last.family)
		range->span.last = default_end(&range->subnet);
	rc = check_inside(range, "RangeStart", &range->span.first, set, err);
	if (!rc)
		rc = check_inside(range, "RangeEnd", &range->span.last, set, err);
	if (!rc)
		rc = check_inside(range, "gateway", &range->gateway, set, err);
	if (!rc && ip_compare(&range->span.first, &range->span.last) > 0)
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "invalid range set %u: RangeStart %s is behind RangeEnd %s", set,
		    ip_print(&range->span.first, first),
		    ip_print(&range->span.last, last));
	return rc;
}

static int
decode_range(struct json_object *object, const char *where, unsigned set,
    struct range *ret_range, struct err *err)
{
	struct range range = {0};
	int rc = get_subnet(object, where, &range.subnet, err);

	if (!rc)
		rc = get_ip(object, "rangeStart", where, &range.span.first, err);
	if (!rc)
		rc = get_ip(object, "rangeEnd", where, &range.span.last, err);
	if (!rc)
		rc = get_ip(object, "gateway", where, &range.gateway, err);
	if (!rc)
		rc = check_range(&range, set, err);
	if (!rc)
		*ret_range = range;
	return rc;
}

static int
overlap_in_set(
    const struct range *a, const struct range *b, unsigned set, struct err *err)
{
	char text[4][ADDRESS_TEXT_MAX];

	return err_set(err, CNI_ERROR_CONFIG,
	    "invalid range set %u: subnets %s-%s and %s-%s overlap", set,
	    ip_print(&a->span.first, text[0]), ip_print(&a->span.last, text[1]),
	    ip_print(&b->span.first, text[2]), ip_print(&b->span.last, text[3]));
}

static int
check_set(const struct range_set *set, unsigned number, struct err *err)
{
	for (unsigned i = 1; i < set->count; i++)
		if (set->list[i].subnet.ip.family != set->list[0].subnet.ip.family)
			return err_set(err, CNI_ERROR_CONFIG,
			    "invalid range set %u: mixed address families; a set gives "
			    "one address, "
			    "use a set of its own for each family",
			    number);
	for (unsigned i = 0; i < set->count; i++)
		for (unsigned j = i + 1; j < set->count; j++)
			if (ip_ranges_overlap(&set->list[i].span, &set->list[j].span))
				return overlap_in_set(
				    &set->list[i], &set->list[j], number, err);
	return 0;
}

/* One more set, if there is room. */
static int
add_set(struct range_sets *sets, struct range_set **ret_set, struct err *err)
{
	if (sets->count == ENTRY_IPS_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "more than %d range sets; a pod gets an address of each",
		    ENTRY_IPS_MAX);
	*ret_set = &sets->list[sets->count++];
	(*ret_set)->count = 0;
	(*ret_set)->fixed = (struct ip_range){0};
	(*ret_set)->requested = (struct ip){0};
	return 0;
}

static int
decode_set(struct json_object *array, const char *where, struct range_sets *sets,
    struct err *err)
{
	struct range_set *set;
	unsigned number = sets->count;
	int rc = add_set(sets, &set, err);

	if (rc)
		return rc;
	size_t count = json_object_is_type(array, json_type_array)
			   ? json_object_array_length(array)
			   : 0;
	if (count == 0)
		return err_set(err, CNI_ERROR_CONFIG,
		    "invalid range set %u: empty range set; %s must be a list of ranges",
		    number, where);
	if (count > RANGE_SET_RANGES_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "invalid range set %u: more than %d ranges", number,
		    RANGE_SET_RANGES_MAX);
	for (size_t i = 0; !rc && i < count; i++) {
		char place[80];
		(void)snprintf(place, sizeof(place), "%s[%zu]", where, i);
		rc = decode_range(json_object_array_get_idx(array, i), place, number,
		    &set->list[set->count++], err);
	}
	return rc ? rc : check_set(set, number, err);
}

/* A list of sets: `ranges` or ipRanges. */
static int
decode_sets(struct json_object *owner, const char *key, const char *where,
    struct range_sets *sets, struct err *err)
{
	struct json_object *array = NULL;

	if (!owner)
		return 0;
	int rc = json_get_array(owner, key, where, false, ENTRY_IPS_MAX, &array, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	for (size_t i = 0; !rc && array && i < json_object_array_length(array); i++) {
		char place[48];
		(void)snprintf(place, sizeof(place), "%s.%s[%zu]", where, key, i);
		rc = decode_set(json_object_array_get_idx(array, i), place, sets, err);
	}
	return rc;
}

/* The range that stands in the ipam block itself. */
static int
decode_single(struct json_object *ipam, struct range_sets *sets, struct err *err)
{
	static const char *const parts[] = {"rangeStart", "rangeEnd", "gateway"};
	struct range_set *set;

	if (!json_path(ipam, "subnet")) {
		for (unsigned i = 0; i < 3; i++)
			if (json_path(ipam, parts[i]))
				return err_set(err, CNI_ERROR_CONFIG,
				    "ipam.%s needs ipam.subnet beside it; in `ranges` "
				    "each range has its own",
				    parts[i]);
		return 0;
	}
	unsigned number = sets->count;
	int rc = add_set(sets, &set, err);
	if (rc)
		return rc;
	set->count = 1;
	return decode_range(ipam, "ipam", number, &set->list[0], err);
}

static int
check_overlaps(const struct range_sets *sets, struct err *err)
{
	for (unsigned i = 0; i < sets->count; i++)
		for (unsigned j = i + 1; j < sets->count; j++)
			for (unsigned k = 0; k < sets->list[i].count; k++)
				for (unsigned l = 0; l < sets->list[j].count; l++)
					if (ip_ranges_overlap(&sets->list[i].list[k].span,
						&sets->list[j].list[l].span))
						return err_set(err, CNI_ERROR_CONFIG,
						    "range set %u overlaps with %u", i,
						    j);
	return 0;
}

static bool
lies_in_a_subnet(const struct range_sets *sets, const struct ip_range *fixed)
{
	for (unsigned i = 0; i < sets->count; i++)
		for (unsigned k = 0; k < sets->list[i].count; k++)
			if (cidr_contains(&sets->list[i].list[k].subnet, &fixed->first) &&
			    cidr_contains(&sets->list[i].list[k].subnet, &fixed->last))
				return true;
	return false;
}

static int
decode_fixed(struct json_object *ipam, struct range_sets *sets, struct err *err)
{
	struct ip_range fixed = {0};
	int rc = get_ip(ipam, "fixedStart", "ipam", &fixed.first, err);

	if (!rc)
		rc = get_ip(ipam, "fixedEnd", "ipam", &fixed.last, err);
	if (rc || (!fixed.first.family && !fixed.last.family))
		return rc;
	if (!fixed.first.family || !fixed.last.family)
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.fixedStart and ipam.fixedEnd go together; one is missing");
	if (ip_compare(&fixed.first, &fixed.last) > 0 || !lies_in_a_subnet(sets, &fixed))
		return err_set(err, CNI_ERROR_CONFIG,
		    "ipam.fixedStart to ipam.fixedEnd is no range in a subnet of this "
		    "ipam block");
	for (unsigned i = 0; i < sets->count; i++)
		sets->list[i].fixed = fixed;
	return 0;
}

int
range_sets_decode(
    const struct cni_config *config, struct range_sets *ret_sets, struct err *err)
{
	struct json_object *runtime = json_path(config->json, "runtimeConfig");

	ret_sets->count = 0;
	int rc = decode_sets(runtime, "ipRanges", "runtimeConfig", ret_sets, err);

	if (!rc)
		rc = decode_single(config->ipam, ret_sets, err);
	if (!rc)
		rc = decode_sets(config->ipam, "ranges", "ipam", ret_sets, err);
	if (!rc && ret_sets->count == 0)
		rc = err_set(err, CNI_ERROR_CONFIG,
		    "no IP ranges specified; ipam needs `subnet` or `ranges`");
	if (!rc)
		rc = check_overlaps(ret_sets, err);
	return rc ? rc : decode_fixed(config->ipam, ret_sets, err);
}
