/* What the parts of a watch share: watch.c is the machine and the stream,
 * watch_list.c the list, watch_known.c what the consumer was told. Private to
 * lib/net. */
#ifndef NET_WATCH_PRIVATE_H
#define NET_WATCH_PRIVATE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/tree.h"
#include "net/event_stream.h"
#include "net/kube.h"
#include "net/watch.h"
#include "net/watch_backoff.h"

enum {
	/* Streams in a row that the server refused or ended without an event, before
	 * the resourceVersion itself is doubted and the list asked for. */
	WATCH_REFUSALS_MAX = 5,
};

enum watch_next {
	WATCH_NEXT_LIST,
	WATCH_NEXT_LOOK, /* at the server's version, then the stream */
	WATCH_NEXT_STREAM,
};

struct watch {
	struct ev_loop *loop;
	struct kube *kube;

	/* the spec, copied */
	char *path;
	char *selectors; /* "&labelSelector=...", "" */
	bool list_in_order;
	const struct watch_times *times;
	const struct watch_events *events;
	void *cookie;

	/* Exactly one of the two is under way, but for moments inside callbacks. */
	struct kube_call *call; /* a page of a list, or the stream */
	ev_timer wait;          /* then next */
	enum watch_next next;
	struct watch_backoff backoff;
	unsigned expired_in_row; /* 410 without an event in between */

	/* where we are */
	char *version;      /* of the last event, bookmark or list; NULL = none */
	struct tree known;  /* struct known: what the consumer has been told */
	bool sends_bookmarks;

	/* the list under way */
	uint64_t list;      /* its number */
	unsigned page_items;
	bool unpaged;
	char *page;         /* continue token of the page asked for, NULL = first */
	struct tree ordered; /* struct ordered_item, with list_in_order */

	/* the stream under way */
	struct event_stream *stream;
	double stream_began; /* clock_seconds() */
	uint64_t stream_events;
	unsigned refusals;   /* WATCH_REFUSALS_MAX */
	bool reached;        /* the server sent something in it */
	struct err broken;   /* why we ended it */

	struct watch_stats stats;
	unsigned busy; /* entries from outside; watch_free inside waits for the last */
	bool freed;
};

/* ---- watch.c ---- */

/* Brackets around every entry from the loop. */
void watch_enter(struct watch *watch);
void watch_leave(struct watch *watch);
/* Reports a failure and waits before what is next; least is the server's wish. */
void watch_retry(struct watch *watch, enum watch_next next, const struct err *why,
    double least_s);
void watch_contact(struct watch *watch);
void watch_set_version(struct watch *watch, const char *version);
/* Watches from watch->version. */
void watch_stream_begin(struct watch *watch);

/* ---- watch_list.c ---- */

void watch_list_begin(struct watch *watch, bool unpaged);
/* Asks for one object only, for the version that comes with it; then the stream goes on, if
 * the server has not gone back in time. */
void watch_look_begin(struct watch *watch);
void watch_list_release(struct watch *watch);

/* ---- watch_known.c ---- */

struct tree watch_known_make(void);
void watch_known_release(struct tree *known);
/* Who an object is: strings are the object's. -EBADMSG when it does not say. */
int watch_known_identify(struct json_object *object, struct object_id *ret_id,
    struct err *err);
/* -ENOTRECOVERABLE: a list has it older than it is known, so the server went back in time,
 * even where the list itself is newer than the last: it has caught up, or was restored with
 * etcdutl's --bump-revision. */
int watch_known_check(const struct watch *watch, const struct object_id *id, struct err *err);
/* The object exists: changed() unless it is known already, gone() before it when
 * another one of this name was. -EFBIG when there are too many. */
int watch_known_present(struct watch *watch, const struct object_id *id,
    struct json_object *object, struct err *err);
/* Only notes that the list under way has it. */
void watch_known_mark(struct watch *watch, const struct object_id *id);
/* The object was deleted, as of id->version. */
void watch_known_deleted(struct watch *watch, const struct object_id *id);
/* gone() for everything that the list under way has not. */
void watch_known_sweep(struct watch *watch);

#endif
