/* Inside of tables.h: shared by tables.c (what is wanted and what is published) and
 * tables_render.c (what to write now), and by nobody else. */
#ifndef CONTROLLER_TABLES_PRIVATE_H
#define CONTROLLER_TABLES_PRIVATE_H

#include "controller/places.h"
#include "controller/tables.h"
#include "core/tree.h"

/* A profile row, shared by the lines that name it. */
struct shared {
	char *key; /* !namespace/name */
	char *json;
	unsigned users;
};

/* One wanted line: a pod's row, or (without profile) a network row. */
struct line {
	char *key;
	char *json;
	struct shared *profile;
	struct ip *ips;
	unsigned ip_count;
	unsigned rows; /* of a network row: how many rows the network has */
	enum row_state state;
	bool chosen; /* by the rendering under way */
};

struct sending {
	char *text;
	size_t length;
	struct sending *next;
};

struct bucket {
	struct tree lines;
	/* the last good table that the API server had, and whether it still has it */
	char *text;
	size_t length;
	bool valid;
	/* what is on its way there, or may be: a write without an answer */
	struct sending *sending;
	/* it was there, or never looked at: nodes may have rows that nobody here knows */
	bool known;
	bool forced; /* to be written even when it says the same */
	bool marked; /* lines were compared with the text once */
	/* highest generation ever seen or sent */
	uint64_t generation;
	bool dirty;
	bool waiting; /* rows were left out for an address elsewhere */
};

struct tables {
	struct bucket *buckets;
	unsigned count;
	unsigned unknown; /* buckets that never had a good table in our sight */
	struct tree profiles;
	struct places places;
	const struct tables_events *events;
	void *cookie;
};

/* Compares each wanted line of the bucket with the published text, and tells whose
 * rows moved. */
void tables_mark_published(struct tables *tables, struct bucket *bucket);
/* Orders struct shared by key. */
int tables_compare_shared(const void *a, const void *b);

#endif
