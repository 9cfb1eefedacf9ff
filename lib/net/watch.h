/* List and watch of one resource, as client-go's Reflector does it: paged list,
 * watch with bookmarks, 410 in its three shapes, back-off with jitter, dead-peer
 * detection. What the consumer sees is simpler: objects that are there, objects
 * that are gone, and when its picture is complete. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include <ev.h>
#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "net/kube.h"

struct watch;

/* Who an object is; strings are the watch's, valid during the callback. */
struct object_id {
	const char *namespace; /* "" for cluster-scoped ones */
	const char *name;
	const char *uid;
	const char *version; /* metadata.resourceVersion */
};

struct watch_events {
	/* The object is new or changed (or merely seen again after a relist with
	 * another resourceVersion). The object is the watch's; json_object_get to
	 * keep it; from a list it has no kind and no apiVersion. Within one watch the
	 * versions of one object never go back: not even when the server's do (etcd
	 * restored from an old copy; that is a fault, for good, of code
	 * ENOTRECOVERABLE: end, and start anew). It is looked for in each list, also
	 * where the list itself is newer, and a server that was away is listed. */
	void (*changed)(void *cookie, const struct object_id *id, struct json_object *object);
	/* It is gone: deleted, missing in a relist, or replaced by one with the
	 * same name and another UID (then changed follows for the new one). */
	void (*gone)(void *cookie, const struct object_id *id);
	/* With list_in_order: a complete list follows, in one stretch (the loop does
	 * not turn before synced). May be NULL. */
	void (*listing)(void *cookie);
	/* After every complete list: all that exists was reported, and what does not
	 * exist any more is gone. */
	void (*synced)(void *cookie);
	/* Something went wrong and is being dealt with: for the log, with what
	 * happens next in the sentence ("…; listing again in 1.6 s"). */
	void (*fault)(void *cookie, const struct err *err);
};

/* Every wait of a watch, in seconds. */
struct watch_times {
	double list;          /* deadline of one page */
	double stream_min;    /* the server ends a stream after a random time ... */
	double stream_max;    /* ... between these (timeoutSeconds, whole seconds) */
	double stream_slack;  /* so much later we end it ourselves */
	double stall;         /* of silence, once the resource has sent bookmarks */
	double short_stream;  /* one without events that ended sooner counts as failed */
	double good_stream;   /* one that lived as long: what failed before is over */
	double backoff_first, backoff_max; /* doubling; up to twice as long by jitter */
	double backoff_reset; /* without a failure: the next counts as the first; so does
	                       * one after a good stream or a 410 */
};
extern const struct watch_times watch_times_usual;

struct watch_spec {
	const char *path;           /* "/apis/staticip.dev/v1alpha1/staticipallocations" */
	const char *label_selector; /* unescaped, or NULL */
	const char *field_selector; /* likewise */
	/* Deliver a list's objects by ascending resourceVersion instead of page by
	 * page (holds the whole list in memory), and what is gone before them: for
	 * consumers to whom the order of writes matters. */
	bool list_in_order;
	unsigned page_items;        /* 0 = LIST_PAGE_ITEMS; fewer after a page over LIST_BYTES_MAX */
	const struct watch_times *times; /* NULL = watch_times_usual; must outlive the watch */
	const struct watch_events *events;
	void *cookie;
};

/* Counters for logs, metrics and tests. */
struct watch_stats {
	uint64_t lists, watches, events, bookmarks, expired, faults;
	double last_contact; /* ev_now of the last byte from the server; 0 = never */
	bool synced;
};

/* Starts at once; strings are copied. Callbacks come from the loop. kube must live
 * longer. */
struct watch *watch_new(struct ev_loop *loop, struct kube *kube, const struct watch_spec *spec);
/* No callback after it; fine from within one. */
void watch_free(struct watch *watch);
const struct watch_stats *watch_stats(const struct watch *watch);

/* Compares two resourceVersions (decimal without leading zero, KEP-5504) as
 * numbers of any length: <0, 0, >0. Text that is none sorts first. */
int watch_version_compare(const char *a, const char *b);

#endif
