#include "controller/places.h"

#include <string.h>

#include "core/mem.h"
#include "table/key.h"
#include "table/row.h"
#include "table/table.h"

struct user {
	char *key;
	unsigned bucket;
	unsigned times;
};

struct place {
	char *network;
	struct ip ip;
	struct user *users;
	size_t count;
};

static int
compare_place(const void *a, const void *b)
{
	const struct place *x = a;
	const struct place *y = b;
	int order = ip_compare(&x->ip, &y->ip);

	return order ? order : strcmp(x->network, y->network);
}

struct places
places_make(void)
{
	return (struct places){.tree = tree_make(compare_place)};
}

static void
free_place(void *item)
{
	struct place *place = item;

	for (size_t i = 0; i < place->count; i++)
		mem_free(place->users[i].key);
	mem_free(place->users);
	mem_free(place->network);
	mem_free(place);
}

void
places_release(struct places *places)
{
	tree_release(&places->tree, free_place);
}

/* The key's network, cut into out (KEY_MAX + 1). */
static char *
network_of(const char *key, char *out)
{
	size_t length = strcspn(key, "/");

	memcpy(out, key, length);
	out[length] = '\0';
	return out;
}

static struct place *
find(const struct places *places, const char *key, const struct ip *ip)
{
	char network[KEY_MAX + 1];
	struct place wanted = {.network = network_of(key, network), .ip = *ip};

	return tree_find(&places->tree, &wanted);
}

static void
add_one(struct places *places, unsigned bucket, const char *key, const struct ip *ip)
{
	struct place *place = find(places, key, ip);
	char network[KEY_MAX + 1];

	if (!place) {
		place = mem_new(1, sizeof(*place));
		place->network = mem_text(network_of(key, network));
		place->ip = *ip;
		(void)tree_add(&places->tree, place);
	}
	for (size_t i = 0; i < place->count; i++)
		if (place->users[i].bucket == bucket && strcmp(place->users[i].key, key) == 0) {
			place->users[i].times++;
			return;
		}
	place->users = mem_resize(place->users, place->count + 1, sizeof(*place->users));
	place->users[place->count++] = (struct user){mem_text(key), bucket, 1};
}

static void
remove_one(struct places *places, unsigned bucket, const char *key, const struct ip *ip)
{
	struct place *place = find(places, key, ip);

	for (size_t i = 0; place && i < place->count; i++) {
		struct user *user = &place->users[i];
		if (user->bucket != bucket || strcmp(user->key, key) != 0)
			continue;
		if (--user->times)
			return;
		mem_free(user->key);
		*user = place->users[--place->count];
		break;
	}
	if (place && place->count == 0)
		free_place(tree_remove(&places->tree, place));
}

/* Calls change for each address of each pod row. */
static void
each_address(struct places *places, unsigned bucket, const char *text, size_t length,
    void (*change)(struct places *, unsigned, const char *, const struct ip *))
{
	struct table_line line;
	size_t offset = 0;

	while (table_next(text, length, &offset, &line)) {
		char key[KEY_MAX + 1];
		struct row row;
		memcpy(key, line.key, line.key_length);
		key[line.key_length] = '\0';
		if (!key_is_pod(key) ||
		    row_decode(key, line.json, line.json_length, &row, NULL))
			continue; /* no pod row, or one that no plugin understands */
		for (unsigned i = 0; i < row.ip_count; i++)
			change(places, bucket, key, &row.ips[i].ip);
	}
}

void
places_add(struct places *places, unsigned bucket, const char *text, size_t length)
{
	each_address(places, bucket, text, length, add_one);
}

void
places_remove(struct places *places, unsigned bucket, const char *text, size_t length)
{
	each_address(places, bucket, text, length, remove_one);
}

bool
places_elsewhere(const struct places *places, const char *key, unsigned bucket,
    const struct ip *ip)
{
	const struct place *place = find(places, key, ip);

	for (size_t i = 0; place && i < place->count; i++)
		if (place->users[i].bucket != bucket)
			return true;
	return false;
}
