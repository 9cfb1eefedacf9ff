/* The tables below the root directory, as readers of the node see them:
 *
 *   table/K/N    the text of bucket N of K
 *   table/live   symbolic link to "K", once all K have been published
 *   table/K.next a picture that is being put together (stage.h)
 *
 * Does, and decides nothing: what may be published is verify.h's. Only the holder
 * of the lock (lock.h) may call anything but publish_root. */
#ifndef AGENT_PUBLISH_H
#define AGENT_PUBLISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"

struct publish {
	int tables;  /* table/ */
	int folder;  /* table/K/ */
	unsigned buckets; /* K */
	unsigned published;
	bool has[TABLE_BUCKETS_MAX]; /* this bucket is published */
	bool live;                   /* table/live is K */
	bool staged;                 /* folder is table/K.next: stage.h */
};

/* Opens the root directory, making it (its parent must be there), and returns its
 * fd. -EMEDIUMTYPE with the way out when it is neither tmpfs nor ramfs, unless
 * allow_disk. *ret_volatile: whether it goes with the boot. */
int publish_root(const char *path, bool allow_disk, bool *ret_volatile, struct err *err);

/* Whether the path still leads to the directory that was opened: false when it was moved
 * away, or something was mounted over it. */
bool publish_root_is_at(const char *path, int root);

/* Makes the directories and removes temporary files of a killed predecessor.
 * Nothing counts as published until publish_mark. */
int publish_open(int root, unsigned buckets, struct publish *ret_publish, struct err *err);
/* A struct that was never opened is fine when its fds are -1. */
void publish_close(struct publish *publish);

/* The bytes of a bucket into text (of TABLE_BYTES_MAX at least). -ENOENT, without
 * a sentence, when there is none. */
int publish_read(
    const struct publish *publish, unsigned bucket, struct buf *text, struct err *err);
/* Replaces the bucket's file; on failure the old one stays. Marks it. */
int publish_write(struct publish *publish, unsigned bucket, const char *text,
    size_t length, struct err *err);
/* Counts a bucket whose file is good as it is. */
void publish_mark(struct publish *publish, unsigned bucket);
/* Takes the file away: for one that must not be read. */
int publish_remove(struct publish *publish, unsigned bucket, struct err *err);
/* Points table/live to K. Does nothing before all K are published, or when it was
 * done. Returns 1 when it did it. */
int publish_go_live(struct publish *publish, struct err *err);
/* Whether readers see this set: table/live is K (perhaps with a bucket missing). */
bool publish_is_read(const struct publish *publish);
/* Removes table/NAME, a directory with buckets 0 to count - 1, if it is there. What
 * somebody else put into it keeps it (-ENOTEMPTY). */
int publish_remove_directory(int tables, const char *name, unsigned count, struct err *err);
/* Removes the directories of other counts than K, and K.next. Not right after the switch: a
 * reader that read the old link opens its bucket a moment later. */
int publish_remove_others(const struct publish *publish, struct err *err);
/* Whether every published file and the link are still in the directories (and
 * these below root): false = somebody removed something. */
bool publish_intact(const struct publish *publish, int root);

/* Of all published files together. */
uint64_t publish_bytes(const struct publish *publish);

/* Takes away table/live first, then `node`, then all tables. */
int publish_wipe(int root, struct err *err);

#endif
