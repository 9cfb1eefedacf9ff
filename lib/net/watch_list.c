/* The list: pages from one snapshot (client-go tools/pager/pager.go). */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "net/watch_private.h"
#include "table/json.h"

static void on_page(void *cookie, const struct kube_answer *answer);

/* With list_in_order: an object that waits for the end of the list. */
struct ordered_item {
	const char *version; /* the object's */
	struct object_id id; /* likewise */
	struct json_object *object;
};

/* Versions of different objects may be equal: the same transaction wrote them. */
static int
by_version(const void *a, const void *b)
{
	const struct ordered_item *left = a;
	const struct ordered_item *right = b;
	int order = watch_version_compare(left->version, right->version);

	if (order == 0)
		order = strcmp(left->id.namespace, right->id.namespace);
	return order ? order : strcmp(left->id.name, right->id.name);
}

static void
item_free(void *cookie)
{
	struct ordered_item *item = cookie;

	json_object_put(item->object);
	mem_free(item);
}

void
watch_list_release(struct watch *watch)
{
	tree_release(&watch->ordered, item_free);
	mem_free(watch->page);
	watch->page = NULL;
}

/* No resourceVersion: the answer is consistent. "0" would be cheaper and may be
 * arbitrarily old (kubernetes#59848), which has cost others their data. */
static void
ask_page(struct watch *watch)
{
	scoped_free char *page = watch->page ? kube_escape(watch->page) : NULL;
	scoped_buf query = buf_make(OBJECT_BYTES_MAX);

	if (!watch->unpaged)
		(void)buf_print(&query, "limit=%u", watch->page_items);
	if (page)
		(void)buf_print(&query, "&continue=%s", page);
	(void)buf_text(&query, watch->selectors);
	if (query.length && query.data[0] == '&')
		buf_skip(&query, 1);
	watch->call = kube_call(watch->kube, "GET", watch->path, buf_string(&query), NULL, NULL,
	    watch->times->list, on_page, watch);
}

void
watch_list_begin(struct watch *watch, bool unpaged)
{
	watch_list_release(watch);
	watch->ordered = tree_make(by_version);
	watch->list++;
	watch->stats.lists++;
	watch->unpaged = unpaged;
	ask_page(watch);
}

static int
take_item(struct watch *watch, struct json_object *object, struct err *err)
{
	struct object_id id = {0};

	int rc = watch_known_identify(object, &id, err);
	if (rc == 0)
		rc = watch_known_check(watch, &id, err);
	if (rc < 0)
		return rc;
	if (!watch->list_in_order)
		return watch_known_present(watch, &id, object, err);
	if (watch->ordered.count >= WATCH_OBJECTS_MAX)
		return err_set(err, EFBIG, "there are more than %d objects", WATCH_OBJECTS_MAX);
	struct ordered_item *item = mem_new(1, sizeof(*item));
	*item = (struct ordered_item){
	    .version = id.version, .id = id, .object = json_object_get(object)};
	watch_known_mark(watch, &id);
	if (tree_add(&watch->ordered, item))
		item_free(item);
	return 0;
}

static int
take_items(struct watch *watch, struct json_object *body, struct err *err)
{
	struct json_object *items = json_path(body, "items");

	/* Go writes an empty list as null */
	if (!items)
		return 0;
	if (!json_object_is_type(items, json_type_array))
		return err_set(err, EBADMSG, "items is not an array");
	size_t count = json_object_array_length(items);
	for (size_t i = 0; i < count && !watch->freed; i++) {
		int rc = take_item(watch, json_object_array_get_idx(items, i), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What the list is a snapshot of. */
static int
read_version(
    const struct watch *watch, struct json_object *body, const char **ret_version, struct err *err)
{
	const char *version = body ? json_path_text(body, "metadata.resourceVersion") : NULL;

	if (!version || !version[0])
		return err_set(err, EBADMSG, "the answer is not a list with a resourceVersion");
	/* Consistent answers never do that, but an etcd restored from a copy does. To
	 * go on would mean "gone" for everything that is newer than the copy. */
	if (watch->version && watch_version_compare(version, watch->version) < 0)
		return err_set(err, ENOTRECOVERABLE,
		    "the server has gone back from resourceVersion %s to %s (etcd restored?)",
		    watch->version, version);
	*ret_version = version;
	return 0;
}

/* The first page says it of the whole list. */
static int
take_version(struct watch *watch, struct json_object *body, struct err *err)
{
	const char *version;
	int rc = read_version(watch, body, &version, err);

	if (rc == 0)
		watch_set_version(watch, version);
	return rc;
}

static void
tell_ordered(struct watch *watch)
{
	size_t count = watch->ordered.count;
	scoped_free void **items = tree_items(&watch->ordered);
	struct err err = {0};

	if (watch->events->listing)
		watch->events->listing(watch->cookie);
	watch_known_sweep(watch);
	for (size_t i = 0; i < count && !watch->freed; i++) {
		struct ordered_item *item = items[i];
		/* cannot be too many: take_item has counted */
		(void)watch_known_present(watch, &item->id, item->object, &err);
	}
}

static void
complete(struct watch *watch)
{
	if (watch->list_in_order)
		tell_ordered(watch);
	else
		watch_known_sweep(watch);
	if (watch->freed)
		return;
	watch_list_release(watch);
	watch->stats.synced = true;
	watch->events->synced(watch->cookie);
	if (!watch->freed)
		watch_stream_begin(watch);
}

static void
failed(struct watch *watch, const struct kube_answer *answer)
{
	/* the objects are larger than usual: fewer of them fit */
	if (answer->err.code == EFBIG && !watch->unpaged && watch->page_items > 1)
		watch->page_items = watch->page_items / 4 + 1;
	if (answer->status == 410)
		watch->stats.expired++;
	/* The snapshot was compacted away between two pages. The token in the answer
	 * would give the rest of another snapshot; client-go asks for all at once. */
	if (answer->status == 410 && watch->page)
		watch_list_begin(watch, true);
	else
		watch_retry(watch, WATCH_NEXT_LIST, &answer->err, (double)answer->retry_after_s);
}

static void
take_page(struct watch *watch, struct json_object *body)
{
	const char *next = json_path_text(body, "metadata.continue");
	struct err err = {0};
	int rc = watch->page ? 0 : take_version(watch, body, &err);

	if (rc == 0)
		rc = take_items(watch, body, &err);
	if (watch->freed)
		return;
	if (rc < 0) {
		(void)err_wrap(&err, "GET %s", watch->path);
		watch_retry(watch, WATCH_NEXT_LIST, &err, 0.);
		return;
	}
	mem_free(watch->page);
	watch->page = next && next[0] ? mem_text(next) : NULL;
	if (watch->page)
		ask_page(watch);
	else
		complete(watch);
}

static void
on_page(void *cookie, const struct kube_answer *answer)
{
	struct watch *watch = cookie;

	watch->call = NULL;
	watch_enter(watch);
	if (answer->status)
		watch_contact(watch);
	if (answer->ok && answer->body)
		take_page(watch, answer->body);
	else
		failed(watch, answer);
	watch_leave(watch);
}

/* ---- the look ------------------------------------------------------------------------- */

/* The stream goes on from where it was: what this list has more would come twice. */
static void
on_look(void *cookie, const struct kube_answer *answer)
{
	struct watch *watch = cookie;
	struct err err = answer->err;
	const char *version;
	int rc = answer->ok ? read_version(watch, answer->body, &version, &err) : -EREMOTEIO;

	watch->call = NULL;
	watch_enter(watch);
	if (answer->status)
		watch_contact(watch);
	if (rc == 0)
		watch_stream_begin(watch);
	else
		watch_retry(watch, answer->ok || !answer->status ? WATCH_NEXT_LIST : WATCH_NEXT_LOOK,
		    &err, (double)answer->retry_after_s);
	watch_leave(watch);
}

void
watch_look_begin(struct watch *watch)
{
	scoped_free char *query = mem_format("limit=1%s", watch->selectors);

	watch->call = kube_call(watch->kube, "GET", watch->path, query, NULL, NULL,
	    watch->times->list, on_look, watch);
}
