/* The cluster table: the rows as they should be, and as the API server has them.
 * Pure: no clock, no I/O.
 *
 * When an address moves from one bucket to another, its removal is published
 * before its addition (DESIGN.md, "Order of writes"): a row stays out of its bucket as
 * long as one of its addresses is published, or on the way, under another key in
 * another bucket. At the start, buckets that are missing or damaged are written before
 * a row is added to any other: nodes may have rows of them that are in no ConfigMap. */
#ifndef CONTROLLER_TABLES_H
#define CONTROLLER_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/arbiter.h"
#include "core/buf.h"

struct tables;

enum row_state {
	ROW_NONE,      /* no such row is wanted */
	ROW_PENDING,   /* not in the API server yet */
	ROW_PUBLISHED,
	ROW_FULL,      /* its bucket has no room for it */
};

struct tables_events {
	/* A row of this allocation (namespace/name) became published, or is no
	 * longer. */
	void (*moved)(void *cookie, const char *allocation);
};

/* buckets is 1, 64 or 1024. */
struct tables *tables_new(unsigned buckets, const struct tables_events *events, void *cookie);
void tables_free(struct tables *tables);
unsigned tables_buckets(const struct tables *tables);

/* Wants this row, new or changed. */
void tables_set(struct tables *tables, const struct holding *holding, const struct wanted *row);
/* Wants the key no more. */
void tables_drop(struct tables *tables, const char *key);
enum row_state tables_row_state(const struct tables *tables, const char *key);

/* What the API server has in a bucket: text of the ConfigMap, or NULL when there
 * is none. Whatever it is, the bucket is compared with what is wanted again. Text
 * that is no table counts as none, but its former rows stay in mind: nodes still
 * use them. Returns whether text was a valid table. */
bool tables_observe(struct tables *tables, unsigned bucket, const char *text, size_t length);
/* The published text, valid until the next call for this bucket; NULL = none. */
const char *tables_text(const struct tables *tables, unsigned bucket, size_t *ret_length);

/* Whether the bucket may differ from what is wanted. */
bool tables_dirty(const struct tables *tables, unsigned bucket);
/* Renders what should be written now. Returns 1 and the text when it differs from
 * what is published; 0 when there is nothing to write. Clears the dirty mark
 * (rows that wait for another bucket set it again when that one is written). */
int tables_render(struct tables *tables, unsigned bucket, uint64_t now_s, struct buf *ret_text);
/* The text is on its way: from now on its addresses count as published. */
void tables_sending(struct tables *tables, unsigned bucket, const char *text, size_t length);
/* Whatever was on its way has arrived or never will: the ConfigMap has another
 * resourceVersion than it was sent for. Until then a write without an answer counts
 * as published, since it may still be carried out. */
void tables_settled(struct tables *tables, unsigned bucket);
/* Writes the bucket once more even when it says the same: for a label that is wrong,
 * or to overtake a write without an answer. */
void tables_force(struct tables *tables, unsigned bucket);

/* Nodes have a table of this generation that is in no ConfigMap any more (the API server went
 * back in time): whatever is not above it is written once more, above it. */
void tables_outrun(struct tables *tables, uint64_t generation);

/* Calls visit for each row of a published bucket: for incumbents at the start. */
void tables_each_published(const struct tables *tables, unsigned bucket,
    void (*visit)(void *cookie, const char *key, const struct row *row,
        const struct profile *profile),
    void *cookie);

#endif
