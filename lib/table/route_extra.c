#include "table/route_extra.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "table/json.h"

static const char *const keys[] = {"onlink", "src", "type", "nexthops"};

static const char *const type_names[ROUTE_TYPES] = {
    [ROUTE_UNICAST] = "unicast",
    [ROUTE_BLACKHOLE] = "blackhole",
    [ROUTE_UNREACHABLE] = "unreachable",
    [ROUTE_PROHIBIT] = "prohibit",
};

bool
route_extra_key(const char *key)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

const char *
route_type_name(enum route_type type)
{
	return type_names[type];
}

static bool
has(struct json_object *object, const char *key)
{
	return json_path(object, key) != NULL;
}

static int
decode_type(struct json_object *object, const char *where, enum route_type *type,
    struct err *err)
{
	const char *text = type_names[ROUTE_UNICAST];
	int rc = json_get_text(object, "type", where, false, 16, &text, err);

	if (rc)
		return rc;
	for (unsigned i = 0; i < ROUTE_TYPES; i++) {
		if (strcmp(text, type_names[i]) != 0)
			continue;
		*type = (enum route_type)i;
		return 0;
	}
	return err_set(err, EINVAL,
	    "%s.type '%s' is none of unicast, blackhole, unreachable, prohibit", where, text);
}

static int
decode_address(struct json_object *object, const char *key, const char *where,
    uint8_t family, struct ip *ret_ip, struct err *err)
{
	const char *text = NULL;
	struct ip ip;
	int rc = json_get_text(object, key, where, false, ADDRESS_TEXT_MAX, &text, err);

	if (rc || !text)
		return rc;
	if (ip_parse_lax(text, strlen(text), &ip, err))
		return err_wrap(err, "%s.%s", where, key);
	if (ip.family != family)
		return err_set(
		    err, EINVAL, "%s: %s %s and dst are of two families", where, key, text);
	*ret_ip = ip;
	return 0;
}

static int
decode_hop(struct json_object *object, const char *where, uint8_t family,
    struct route_hop *ret_hop, struct err *err)
{
	struct route_hop hop = {0};
	uint64_t weight = 1;

	if (!json_object_is_type(object, json_type_object) || !has(object, "gw"))
		return err_set(err, EINVAL, "%s is not an object with a gw", where);
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		if (strcmp(key, "gw") != 0 && strcmp(key, "weight") != 0 &&
		    strcmp(key, "onlink") != 0)
			return err_set(err, EINVAL,
			    "%s.%.40s is not a known key of a next hop (gw, weight, onlink)", where,
			    key);
	}
	int rc = decode_address(object, "gw", where, family, &hop.gw, err);
	if (!rc)
		rc = json_get_number(object, "weight", where, false, 256, &weight, err);
	if (!rc)
		rc = json_get_bool(object, "onlink", where, &hop.onlink, err);
	if (rc)
		return rc;
	if (weight == 0) /* the kernel counts from 0 what people count from 1 */
		return err_set(err, EINVAL, "%s.weight is not a number from 1 to 256", where);
	hop.weight = (uint16_t)weight;
	*ret_hop = hop;
	return 0;
}

static int
refuse_twice(const struct route_extra *extra, const char *where, struct err *err)
{
	const struct route_hop *last = &extra->hops[extra->hop_count - 1];
	char text[ADDRESS_TEXT_MAX];

	for (const struct route_hop *hop = extra->hops; hop < last; hop++)
		if (ip_equal(&hop->gw, &last->gw))
			return err_set(err, EINVAL,
			    "%s.nexthops has %s twice; give it a weight instead", where,
			    ip_print(&hop->gw, text));
	return 0;
}

static int
decode_hops(struct json_object *object, const char *where, uint8_t family,
    struct route_extra *extra, struct err *err)
{
	struct json_object *list = NULL;
	int rc =
	    json_get_array(object, "nexthops", where, false, ROUTE_HOPS_MAX, &list, err);
	size_t count = list ? json_object_array_length(list) : 0;

	if (!rc && list && count == 0)
		return err_set(err, EINVAL, "%s.nexthops is empty", where);
	for (size_t i = 0; !rc && i < count; i++) {
		char place[120];
		(void)snprintf(place, sizeof(place), "%.80s.nexthops[%zu]", where, i);
		rc = decode_hop(json_object_array_get_idx(list, i), place, family,
		    &extra->hops[i], err);
		extra->hop_count = (unsigned)i + 1;
		if (!rc)
			rc = refuse_twice(extra, where, err);
	}
	return rc;
}

static int
refuse_contradiction(struct json_object *object, const char *where,
    const struct route_extra *extra, struct err *err)
{
	bool hops = has(object, "nexthops");
	bool gw = has(object, "gw");

	if (extra->type != ROUTE_UNICAST && (gw || hops || extra->onlink || extra->src.family))
		return err_set(err, EINVAL,
		    "%s: type %s leads nowhere; it takes no gw, nexthops, onlink or src", where,
		    type_names[extra->type]);
	if (hops && gw)
		return err_set(err, EINVAL, "%s has gw and nexthops; write one of them", where);
	if (hops && has(object, "onlink"))
		return err_set(
		    err, EINVAL, "%s has onlink and nexthops; write it in each next hop", where);
	if (extra->onlink && !gw)
		return err_set(err, EINVAL, "%s: onlink is about a gw, and there is none", where);
	return 0;
}

int
route_extra_decode(struct json_object *object, const char *where, uint8_t family,
    struct ip *gw, struct route_extra *ret_extra, struct err *err)
{
	struct route_extra extra = {0};
	int rc = decode_type(object, where, &extra.type, err);

	if (!rc)
		rc = decode_address(object, "src", where, family, &extra.src, err);
	if (!rc)
		rc = json_get_bool(object, "onlink", where, &extra.onlink, err);
	if (!rc)
		rc = decode_hops(object, where, family, &extra, err);
	if (!rc)
		rc = refuse_contradiction(object, where, &extra, err);
	if (rc)
		return rc;
	if (extra.hop_count == 1) {
		*gw = extra.hops[0].gw;
		extra.onlink = extra.hops[0].onlink;
		extra.hops[0] = (struct route_hop){0};
		extra.hop_count = 0;
	}
	*ret_extra = extra;
	return 0;
}

bool
route_extra_equal(const struct route_extra *a, const struct route_extra *b)
{
	if (a->type != b->type || a->onlink != b->onlink || !ip_equal(&a->src, &b->src) ||
	    a->hop_count != b->hop_count)
		return false;
	for (unsigned i = 0; i < a->hop_count; i++)
		if (!ip_equal(&a->hops[i].gw, &b->hops[i].gw) ||
		    a->hops[i].onlink != b->hops[i].onlink ||
		    a->hops[i].weight != b->hops[i].weight)
			return false;
	return true;
}
