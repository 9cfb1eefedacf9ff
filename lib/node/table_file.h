/* The tables of one node below its root directory, /run/staticip:
 *
 *   table/live   symbolic link whose target is the number of buckets, "64"
 *   table/64/7   bucket 7 of 64, replaced by rename only (I3)
 */
#ifndef NODE_TABLE_FILE_H
#define NODE_TABLE_FILE_H

#include <stdbool.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* An opened set of buckets. */
struct table_file {
	int directory; /* table/K; -1 = not open */
	unsigned buckets;
};

/* Which file it was that somebody read: the agent replaces files, it never writes
 * into one. */
struct table_mark {
	unsigned buckets, number;
	uint64_t inode;
	int64_t seconds, nanoseconds; /* of its last change, ctime */
};

/* The bytes of one bucket; they stay as they are while mapped, whatever is
 * published meanwhile. */
struct table_bucket {
	const char *text;
	size_t length;
	struct table_mark mark;
	bool copied; /* a small one is read instead of mapped */
};

/* Opens the live set below root (an absolute path). -ENOENT: none was published
 * since the node booted; -EBADMSG: one was, and its directory is not there. */
int table_file_open(const char *root, struct table_file *ret_file, struct err *err);
/* May be closed twice, or when it was never opened ({.directory = -1}). */
void table_file_close(struct table_file *file);
#define scoped_table_file __attribute__((cleanup(table_file_close))) struct table_file

/* Maps bucket number. -ENOENT: it was not published yet; -EFBIG: larger than
 * TABLE_BYTES_MAX. The bytes are what the agent verified. */
int table_bucket_map(const struct table_file *file, unsigned number,
    struct table_bucket *ret_bucket, struct err *err);
/* Maps the node's own table, ROOT/node (grant.h), likewise. -ENOENT, without a sentence:
 * the controller has written none for this node yet. */
int table_node_map(const char *root, struct table_bucket *ret_table, struct err *err);
bool table_node_current(const char *root, const struct table_mark *mark);
/* Whether ROOT/marker is there: the agent writes it when every lease of the boot is known
 * to be there, and finds it gone when somebody emptied the directory. */
bool table_node_marked(const char *root);

/* Whether the buckets of all marks are still what is published below root. Anything
 * that cannot be looked at is not. */
bool table_marks_current(const char *root, const struct table_mark *marks, unsigned count);
/* Fine on a zeroed bucket. */
void table_bucket_unmap(struct table_bucket *bucket);
#define scoped_bucket __attribute__((cleanup(table_bucket_unmap))) struct table_bucket

#endif
