/* The keys of the objects that are open while JSON is read: which stands twice? */
#ifndef TABLE_JSON_KEYS_H
#define TABLE_JSON_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* A string's bytes between its quotes, as they stand in the text. */
struct json_string {
	const char *text;
	size_t length;
	bool escaped; /* there is a backslash in it */
	bool nul;     /* it stands for a text with a NUL in it */
};

/* Of all open objects, the innermost last. {0} is empty. */
struct json_keys {
	struct json_string *list;
	size_t count, room;
};

void json_keys_add(struct json_keys *keys, const struct json_string *key);
/* Drops the keys from the index first on, those of the innermost object. true: two of them
 * are the same, however they are escaped; *ret_twice has them in the order of the text, until
 * the next call. Sorts: O(n log n). */
bool json_keys_close(
    struct json_keys *keys, size_t first, const struct json_string *ret_twice[2]);
void json_keys_release(struct json_keys *keys);

#endif
