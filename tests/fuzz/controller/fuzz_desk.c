/* Whatever the API server has as a StaticIPNode: the controller reads it, and what it would
 * write instead grants and revokes no UID at once, is longer than no limit, and is stable:
 * written and read, it changes nothing any more. */
#include <assert.h>
#include <stdint.h>

#include "tests/unit/controller/one_desk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EPOCH "1-a-b"

static size_t
length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool
is_revoked(struct json_object *object, const char *uid)
{
	struct json_object *revoked = json_path(object, "spec.revoked");

	for (size_t i = 0; i < length_of(revoked); i++)
		if (strcmp(json_path_text(json_object_array_get_idx(revoked, i), "uid"), uid) == 0)
			return true;
	return false;
}

static void
check(struct json_object *object)
{
	struct json_object *rows = json_path(object, "spec.rows");

	assert(length_of(rows) <= GRANTS_MAX);
	assert(length_of(json_path(object, "spec.revoked")) <= GRANTS_MAX);
	for (size_t i = 0; i < length_of(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *uid = json_path_text(row, "uid");
		assert(uid && json_path_text(row, "key") && !is_revoked(object, uid));
	}
}

/* Every pod is unknown: those that were revoked, or whose UID begins with an r, are over. */
static void
decide(struct one_desk *one)
{
	size_t count = one->desk->claimants.count;
	scoped_free void **claimants = tree_items(&one->desk->claimants);

	for (size_t i = 0; i < count; i++) {
		struct claimant *claimant = claimants[i];
		if (claimant->revoked || claimant->uid[0] == 'r')
			claimant->word = WORD_REVOKE;
	}
}

/* The first plan changes what was odd, the second may still drop a revocation that the
 * first one's rows made. */
static void
settle(struct one_desk *one, struct json_object *object)
{
	bool changing = true;

	one_desk_see(one, json_object_get(object), 1);
	for (int i = 0; changing && i < 3; i++) {
		decide(one);
		scoped_json *next = one_desk_plan(one, EPOCH, true);
		changing = next != NULL;
		if (!next)
			continue;
		check(next);
		struct json_object *written = json_tokener_parse(json_print(next));
		one_desk_see(one, written, 1);
	}
	assert(!changing);
}

/* That much the API server checks of every object. */
static void
keep_metadata(struct json_object *object)
{
	struct json_object *metadata = json_path(object, "metadata");

	if (!json_object_is_type(metadata, json_type_object)) {
		metadata = json_object_new_object();
		json_object_object_add(object, "metadata", metadata);
	}
	if (!json_object_is_type(json_path(metadata, "annotations"), json_type_object))
		json_object_object_del(metadata, "annotations");
	if (!json_path_text(metadata, "uid"))
		json_object_object_add(metadata, "uid", json_object_new_string("o1"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_json *object = NULL;

	if (json_parse((const char *)data, size, "object", &object, NULL) ||
	    !json_object_is_type(object, json_type_object))
		return 0;
	keep_metadata(object);
	struct one_desk *one = one_desk_new();
	settle(one, object);
	one_desk_see(one, NULL, 2);
	one_desk_free(one);
	return 0;
}
