#include "table/route.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/num.h"
#include "core/text.h"
#include "table/json.h"
#include "table/json_write.h"
#include "table/route_extra.h"

/* The optional numbers: one line each for decoding, encoding and comparing. */
struct number_field {
	const char *key;
	size_t offset, has_offset;
	uint64_t max;
};
#define FIELD(name, maximum)                                                             \
	{                                                                                \
		#name, offsetof(struct route, name), offsetof(struct route, has_##name), maximum \
	}
static const struct number_field fields[] = {
	FIELD(mtu, 65535 * 64),     /* the kernel caps at the device's */
	FIELD(advmss, 65535 - 40),  /* net/ipv4/metrics.c: 65535 - 40 */
	FIELD(priority, UINT32_MAX),
	FIELD(table, UINT32_MAX),
	FIELD(scope, 255),          /* linux/rtnetlink.h, enum rt_scope_t */
};
enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static uint32_t
field_number(const struct route *route, const struct number_field *field)
{
	uint32_t number;

	memcpy(&number, (const char *)route + field->offset, sizeof(number));
	return number;
}

static bool
field_present(const struct route *route, const struct number_field *field)
{
	return *((const char *)route + field->has_offset) != 0;
}

static int
decode_numbers(struct json_object *object, const char *where, struct route *route,
    struct err *err)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		uint64_t number = UINT64_MAX; /* stays when the field is absent */
		int rc = json_get_number(
		    object, fields[i].key, where, false, fields[i].max, &number, err);
		if (rc)
			return rc;
		if (number == UINT64_MAX)
			continue;
		uint32_t value = (uint32_t)number;
		memcpy((char *)route + fields[i].offset, &value, sizeof(value));
		*((char *)route + fields[i].has_offset) = true;
	}
	return 0;
}

static int
refuse_unknown(struct json_object *object, const char *where, enum route_dialect dialect,
    struct err *err)
{
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		bool extra = route_extra_key(key);
		bool known = strcmp(key, "dst") == 0 || strcmp(key, "gw") == 0 || extra;
		for (unsigned i = 0; !known && i < FIELD_COUNT; i++)
			known = strcmp(key, fields[i].key) == 0;
		if (extra && dialect != ROUTE_CHAINED)
			return err_set(err, EINVAL,
			    "%s.%.40s needs the chained role: no main plugin installs it; write the "
			    "route into the network configuration, in an object of type \"staticip\" "
			    "behind the main plugin",
			    where, key);
		if (!known)
			return err_set(err, EINVAL,
			    "%s.%.40s is not a known key of a route (dst, gw, priority, table, scope, mtu, advmss)",
			    where, key);
	}
	return 0;
}

static int
decode_addresses(struct json_object *object, const char *where,
    enum route_dialect dialect, struct route *route, struct err *err)
{
	bool lax = dialect != ROUTE_STRICT;
	const char *dst = NULL;
	const char *gw = NULL;
	int rc = json_get_text(object, "dst", where, true, ADDRESS_TEXT_MAX, &dst, err);

	if (!rc)
		rc = json_get_text(object, "gw", where, false, ADDRESS_TEXT_MAX, &gw, err);
	if (rc)
		return rc;
	rc = (lax ? cidr_parse_lax : cidr_parse)(dst, strlen(dst), &route->dst, err);
	if (rc)
		return err_wrap(err, "%s.dst", where);
	struct ip network = cidr_first(&route->dst);
	/* 10.2.3.4/0 is a slip of the pen, and not to become the default route */
	if ((!lax || route->dst.length == 0) && !ip_equal(&network, &route->dst.ip))
		return err_set(err, EINVAL, "%s.dst: '%s' has host bits set", where, dst);
	if (gw)
		rc = (lax ? ip_parse_lax : ip_parse)(gw, strlen(gw), &route->gw, err);
	if (rc)
		return err_wrap(err, "%s.gw", where);
	if (gw && route->gw.family != route->dst.ip.family)
		return err_set(err, EINVAL, "%s: gw %s and dst %s are of two families", where, gw, dst);
	return 0;
}

static int
decode_route(struct json_object *object, const char *where, enum route_dialect dialect,
    struct route *ret_route, struct err *err)
{
	struct route route = {0};

	if (!json_object_is_type(object, json_type_object))
		return err_set(err, EINVAL, "%s is not an object", where);
	int rc = decode_addresses(object, where, dialect, &route, err);
	if (!rc)
		rc = decode_numbers(object, where, &route, err);
	if (!rc)
		rc = refuse_unknown(object, where, dialect, err);
	if (!rc)
		*ret_route = route;
	return rc;
}

int
routes_decode(struct json_object *array, const char *where, enum route_dialect dialect,
    struct routes *ret_routes, struct err *err)
{
	ret_routes->count = 0;
	if (!array)
		return 0;
	if (!json_object_is_type(array, json_type_array))
		return err_set(err, EINVAL, "%s is not an array", where);
	size_t count = json_object_array_length(array);
	int max = dialect == ROUTE_STRICT ? ALLOCATION_ROUTES_MAX : ROUTES_MAX;
	if (count > (size_t)max)
		return err_set(err, EINVAL, "%s has %zu routes, at most %d are allowed", where,
		    count, max);
	for (size_t i = 0; i < count; i++) {
		char place[84];
		char digits[NUM_TEXT_MAX];
		(void)text_join(place, 61, where, NULL);
		(void)text_join(place + strlen(place), sizeof(place) - 60, "[", num_print(i, digits), "]", NULL);
		int rc = decode_route(json_object_array_get_idx(array, i), place, dialect,
		    &ret_routes->list[i], err);
		if (rc)
			return rc;
	}
	ret_routes->count = (unsigned)count;
	return 0;
}

struct json_object *
routes_encode(const struct route *list, unsigned count)
{
	struct json_object *array = json_object_new_array_ext((int)(count ? count : 1));
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();
		json_put_text(object, "dst", cidr_print(&list[i].dst, text));
		if (list[i].gw.family)
			json_put_text(object, "gw", ip_print(&list[i].gw, text));
		for (unsigned f = 0; f < FIELD_COUNT; f++)
			if (field_present(&list[i], &fields[f]))
				json_put_number(object, fields[f].key, field_number(&list[i], &fields[f]));
		json_object_array_add(array, object);
	}
	return array;
}

static void
write_route(const struct route *route, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	json_write_open(out, NULL, '{');
	json_write_member(out, "dst", cidr_print(&route->dst, text));
	if (route->gw.family)
		json_write_member(out, "gw", ip_print(&route->gw, text));
	for (unsigned f = 0; f < FIELD_COUNT; f++)
		if (field_present(route, &fields[f]))
			json_write_number(out, fields[f].key, field_number(route, &fields[f]));
	json_write_close(out, '}');
}

void
routes_write(const struct route *list, unsigned count, struct buf *out)
{
	json_write_open(out, "routes", '[');
	for (unsigned i = 0; i < count; i++)
		write_route(&list[i], out);
	json_write_close(out, ']');
}

bool
route_equal(const struct route *a, const struct route *b)
{
	if (!cidr_equal(&a->dst, &b->dst) || !ip_equal(&a->gw, &b->gw))
		return false;
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		if (field_present(a, &fields[i]) != field_present(b, &fields[i]) ||
		    field_number(a, &fields[i]) != field_number(b, &fields[i]))
			return false;
	return true;
}
