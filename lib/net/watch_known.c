#include <errno.h>
#include <string.h>

#include "core/mem.h"
#include "net/watch_private.h"
#include "table/json.h"

/* What the consumer was last told of one object. */
struct known {
	char *namespace;
	char *name;
	char *uid;
	char *version;
	uint64_t list; /* the last list it was in, or that it came after */
};

static int
by_name(const void *a, const void *b)
{
	const struct known *left = a;
	const struct known *right = b;
	int order = strcmp(left->namespace, right->namespace);

	return order ? order : strcmp(left->name, right->name);
}

static void
known_free(void *item)
{
	struct known *known = item;

	mem_free(known->namespace);
	mem_free(known->name);
	mem_free(known->uid);
	mem_free(known->version);
	mem_free(known);
}

struct tree
watch_known_make(void)
{
	return tree_make(by_name);
}

void
watch_known_release(struct tree *known)
{
	tree_release(known, known_free);
}

int
watch_known_identify(
    struct json_object *object, struct object_id *ret_id, struct err *err)
{
	struct object_id id = {
	    .namespace = json_path_text(object, "metadata.namespace"),
	    .name = json_path_text(object, "metadata.name"),
	    .uid = json_path_text(object, "metadata.uid"),
	    .version = json_path_text(object, "metadata.resourceVersion"),
	};

	if (!id.name || !id.version)
		return err_set(err, EBADMSG, "an object without name or resourceVersion");
	if (!id.namespace)
		id.namespace = "";
	if (!id.uid)
		id.uid = "";
	*ret_id = id;
	return 0;
}

static struct known *
find(const struct watch *watch, const struct object_id *id)
{
	struct known key = {0};

	memcpy(&key.namespace, &id->namespace, sizeof(key.namespace)); /* only compared */
	memcpy(&key.name, &id->name, sizeof(key.name));
	return tree_find(&watch->known, &key);
}

static struct known *
add(struct watch *watch, const struct object_id *id)
{
	struct known *known = mem_new(1, sizeof(*known));

	known->namespace = mem_text(id->namespace);
	known->name = mem_text(id->name);
	known->uid = mem_text(id->uid);
	known->version = mem_text(id->version);
	(void)tree_add(&watch->known, known);
	return known;
}

static void
tell_gone(struct watch *watch, const struct known *known)
{
	struct object_id id = {.namespace = known->namespace,
	    .name = known->name,
	    .uid = known->uid,
	    .version = known->version};

	if (!watch->freed)
		watch->events->gone(watch->cookie, &id);
}

/* Takes it out before the consumer hears of it: the callback may free the watch. */
static void
forget(struct watch *watch, struct known *known)
{
	(void)tree_remove(&watch->known, known);
	tell_gone(watch, known);
	known_free(known);
}

int
watch_known_check(const struct watch *watch, const struct object_id *id, struct err *err)
{
	const struct known *known = find(watch, id);

	if (!known || watch_version_compare(id->version, known->version) >= 0)
		return 0;
	return err_set(err, ENOTRECOVERABLE,
	    "the server has gone back from resourceVersion %s to %s of %s%s%s (etcd restored?)",
	    known->version, id->version, id->namespace, id->namespace[0] ? "/" : "", id->name);
}

int
watch_known_present(struct watch *watch, const struct object_id *id,
    struct json_object *object, struct err *err)
{
	struct known *known = find(watch, id);

	if (known)
		known->list = watch->list;
	/* a late event of a stream that overtook us, or a list of what we know */
	if (known && watch_version_compare(id->version, known->version) <= 0)
		return 0;
	if (known && strcmp(known->uid, id->uid) != 0) {
		forget(watch, known);
		known = NULL;
	}
	if (!known && watch->known.count >= WATCH_OBJECTS_MAX)
		return err_set(err, EFBIG, "there are more than %d objects", WATCH_OBJECTS_MAX);
	if (!known)
		known = add(watch, id);
	known->list = watch->list;
	mem_free(known->version);
	known->version = mem_text(id->version);
	if (!watch->freed)
		watch->events->changed(watch->cookie, id, object);
	return 0;
}

void
watch_known_mark(struct watch *watch, const struct object_id *id)
{
	struct known *known = find(watch, id);

	if (known)
		known->list = watch->list;
}

void
watch_known_deleted(struct watch *watch, const struct object_id *id)
{
	struct known *known = find(watch, id);

	/* a deletion has a version of its own, above the object's last: an older one
	 * is about a predecessor */
	if (known && watch_version_compare(id->version, known->version) >= 0)
		forget(watch, known);
}

void
watch_known_sweep(struct watch *watch)
{
	size_t count = watch->known.count;
	scoped_free void **items = tree_items(&watch->known);

	for (size_t i = 0; i < count; i++) {
		struct known *known = items[i];
		if (known->list != watch->list)
			forget(watch, known);
	}
}
