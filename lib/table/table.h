/* The text of one bucket.
 *
 *   staticip-table 1 generation=1795251234 rows=3 sum=9ae16a3b2f90404f
 *   !default/ex TAB {"uid":"…","routes":[…]}
 *   podnet TAB {"domain":"network/podnet"}
 *   podnet/default/ex-0 TAB {"p":"default/ex","ips":["10.0.2.40/24"]}
 *
 * Lines are sorted bytewise by key, each key once; the sum is FNV-1a over the
 * header up to " sum=" and all bytes after the header line. The same content has
 * the same bytes. The plugin answers by a binary search over the bytes. */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

struct table_header {
	uint64_t generation; /* never goes back for a bucket */
	uint32_t rows;       /* lines after the header */
	uint64_t sum;
};

/* One line, pointing into the table's bytes (not NUL-terminated). */
struct table_line {
	const char *key;
	size_t key_length;
	const char *json;
	size_t json_length;
};

/* Checks everything: header, sum, count, order, length of each line. Returns 0,
 * or -EBADMSG with the first thing wrong. What the rows say is row.h's. */
int table_verify(const char *text, size_t length, struct table_header *ret_header,
    struct err *err);

/* Reads the header only: whether these bytes may be a table at all. 0 or -EBADMSG. */
int table_header_read(const char *text, size_t length, struct table_header *ret_header,
    struct err *err);

/* Finds a key in verified bytes: O(log n), allocates nothing. Returns 1 and the
 * line, 0 when there is none, -EBADMSG when the bytes cannot be a table (they
 * were not verified). */
int table_find(const char *text, size_t length, const char *key,
    struct table_line *ret_line, struct err *err);

/* The line that starts at *offset (0 = the first after the header), moving
 * *offset to the next. false at the end. Only on verified bytes. */
bool table_next(const char *text, size_t length, size_t *offset,
    struct table_line *ret_line);

/* Writes a table: begin, lines in ascending order of key, end. */
struct table_writer {
	struct buf body;
	uint32_t rows;
	char last_key[GRANT_KEY_MAX + 2];
};
void table_begin(struct table_writer *writer);
/* Asserts the order; a body over TABLE_BYTES_MAX shows in table_end. */
void table_line_add(struct table_writer *writer, const char *key, const char *json);
/* Appends header and body to out and releases the writer. -EFBIG when the table
 * does not fit into TABLE_BYTES_MAX. */
int table_end(struct table_writer *writer, uint64_t generation, struct buf *out,
    struct err *err);
/* Whether two verified tables say the same, whatever their generations. */
bool table_same_body(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
