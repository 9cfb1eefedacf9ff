#include "table/json_keys.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "table/json_escape.h"

void
json_keys_add(struct json_keys *keys, const struct json_string *key)
{
	if (keys->count == keys->room) {
		keys->room = keys->room ? keys->room * 2 : 16;
		keys->list = mem_resize(keys->list, keys->room, sizeof(*keys->list));
	}
	keys->list[keys->count++] = *key;
}

/* The plain comparison has the same order as the other: UTF-8 sorts by code point. */
static int
compare(const void *a, const void *b)
{
	const struct json_string *left = a;
	const struct json_string *right = b;
	size_t shorter = left->length < right->length ? left->length : right->length;

	if (left->escaped || right->escaped)
		return json_escaped_compare(
		    left->text, left->length, right->text, right->length);
	int order = memcmp(left->text, right->text, shorter);
	return order ? order : (left->length > right->length) - (left->length < right->length);
}

bool
json_keys_close(struct json_keys *keys, size_t first, const struct json_string *ret_twice[2])
{
	struct json_string *list = keys->list + first;
	size_t count = keys->count - first;

	keys->count = first;
	if (count < 2)
		return false;
	qsort(list, count, sizeof(*list), compare);
	for (size_t i = 1; i < count; i++) {
		if (compare(&list[i - 1], &list[i]) != 0)
			continue;
		bool in_order = list[i - 1].text < list[i].text;
		ret_twice[0] = &list[in_order ? i - 1 : i];
		ret_twice[1] = &list[in_order ? i : i - 1];
		return true;
	}
	return false;
}

void
json_keys_release(struct json_keys *keys)
{
	mem_free(keys->list);
	*keys = (struct json_keys){0};
}
