#include "table/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"
#include "core/num.h"

#define HEADER_START "staticip-table 1 "

/* Bytewise, a shorter key that is the front of a longer one first. */
static int
compare_keys(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t shorter = a_length < b_length ? a_length : b_length;
	int order = memcmp(a, b, shorter);

	if (order)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

/* "NAME=VALUE" at *text, up to stop; moves *text behind stop. */
static int
header_field(const char **text, const char *end, const char *name, char stop,
    const char **ret_value, size_t *ret_length, struct err *err)
{
	size_t name_length = strlen(name);
	size_t left = (size_t)(end - *text);
	const char *value = *text + name_length;
	const char *over =
	    left > name_length ? memchr(value, stop, left - name_length) : NULL;

	if (!over || memcmp(*text, name, name_length) != 0)
		return err_set(err, EBADMSG, "header has no '%s'", name);
	*ret_value = value;
	*ret_length = (size_t)(over - value);
	*text = over + 1;
	return 0;
}

static int
header_number(const char **text, const char *end, const char *name, char stop,
    uint64_t max, uint64_t *ret_number, struct err *err)
{
	const char *value;
	size_t length;
	int rc = header_field(text, end, name, stop, &value, &length, err);

	if (rc)
		return rc;
	if (num_parse(value, length, max, name, ret_number, NULL) < 0)
		return err_set(err, EBADMSG, "header: bad '%s'", name);
	return 0;
}

static bool
parse_sum(const char *text, size_t length, uint64_t *ret_sum)
{
	uint64_t sum = 0;

	if (length != 16)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
			return false;
		sum = sum << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret_sum = sum;
	return true;
}

static int
parse_header(const char *text, size_t length, struct table_header *ret_header,
    size_t *ret_end, struct err *err)
{
	const char *at = text + strlen(HEADER_START);
	const char *end = text + length;
	uint64_t rows = 0;
	struct table_header header = {0};
	const char *sum = NULL;
	size_t sum_length = 0;

	if (length < strlen(HEADER_START) || memcmp(text, HEADER_START, strlen(HEADER_START)) != 0)
		return err_set(err, EBADMSG, "it does not start with '%s'", HEADER_START);
	int rc = header_number(&at, end, "generation=", ' ', UINT64_MAX, &header.generation, err);
	if (!rc)
		rc = header_number(&at, end, "rows=", ' ', UINT32_MAX, &rows, err);
	if (!rc)
		rc = header_field(&at, end, "sum=", '\n', &sum, &sum_length, err);
	if (rc)
		return rc;
	if (!parse_sum(sum, sum_length, &header.sum))
		return err_set(err, EBADMSG, "header: bad 'sum='");
	header.rows = (uint32_t)rows;
	*ret_header = header;
	*ret_end = (size_t)(at - text);
	return 0;
}

/* Over the header up to its sum, and the body: a changed generation shows too. */
static uint64_t
sum_of(const char *header, size_t header_length, const char *body, size_t body_length)
{
	uint64_t hash = hash_bytes(HASH_START, header, header_length);

	return hash_bytes(hash, body, body_length);
}

/* Splits the line at *offset; the length of key and JSON is the caller's to
 * judge. false when there is none, or no whole one. */
static bool
split_line(const char *text, size_t length, size_t *offset, struct table_line *line)
{
	const char *start = text + *offset;
	const char *newline = *offset < length ? memchr(start, '\n', length - *offset) : NULL;
	const char *tab = newline ? memchr(start, '\t', (size_t)(newline - start)) : NULL;

	if (!tab)
		return false;
	line->key = start;
	line->key_length = (size_t)(tab - start);
	line->json = tab + 1;
	line->json_length = (size_t)(newline - tab - 1);
	*offset = (size_t)(newline + 1 - text);
	return true;
}

static int
verify_lines(const char *text, size_t length, size_t offset, uint32_t rows, struct err *err)
{
	struct table_line last = {.key = "", .key_length = 0};
	struct table_line line;

	for (uint32_t i = 0; i < rows; i++) {
		if (!split_line(text, length, &offset, &line))
			return err_set(err, EBADMSG, "it ends after %u of %u rows", i, rows);
		if (line.key_length == 0 || line.key_length > GRANT_KEY_MAX ||
		    line.json_length > ROW_BYTES_MAX)
			return err_set(err, EBADMSG, "row %u is empty or too long", i);
		if (compare_keys(last.key, last.key_length, line.key, line.key_length) >= 0)
			return err_set(err, EBADMSG, "row %u is not in order", i);
		last = line;
	}
	if (offset != length)
		return err_set(err, EBADMSG, "it goes on after %u rows", rows);
	return 0;
}

int
table_header_read(const char *text, size_t length, struct table_header *ret_header,
    struct err *err)
{
	size_t body = 0;

	return parse_header(text, length, ret_header, &body, err);
}

int
table_verify(const char *text, size_t length, struct table_header *ret_header,
    struct err *err)
{
	struct table_header header = {0};
	size_t body = 0;

	if (length > TABLE_BYTES_MAX)
		return err_set(err, EBADMSG, "it has %zu bytes, at most %d are allowed", length,
		    TABLE_BYTES_MAX);
	int rc = parse_header(text, length, &header, &body, err);
	if (rc)
		return rc;
	/* " sum=" + 16 digits + newline end the header */
	uint64_t sum = sum_of(text, body - 22, text + body, length - body);
	if (sum != header.sum)
		return err_set(err, EBADMSG,
		    "its sum is %016" PRIx64 ", the header says %016" PRIx64, sum, header.sum);
	rc = verify_lines(text, length, body, header.rows, err);
	if (!rc)
		*ret_header = header;
	return rc;
}

bool
table_next(const char *text, size_t length, size_t *offset, struct table_line *ret_line)
{
	if (*offset == 0) {
		const char *newline = memchr(text, '\n', length);
		if (!newline)
			return false;
		*offset = (size_t)(newline + 1 - text);
	}
	return split_line(text, length, offset, ret_line);
}

/* The start of the line that byte `at` lies in. */
static size_t
line_start(const char *text, size_t low, size_t at)
{
	const char *newline = at > low ? memrchr(text + low, '\n', at - low) : NULL;

	return newline ? (size_t)(newline + 1 - text) : low;
}

int
table_find(const char *text, size_t length, const char *key, struct table_line *ret_line,
    struct err *err)
{
	const char *newline = memchr(text, '\n', length);
	size_t key_length = strlen(key);
	size_t low = newline ? (size_t)(newline + 1 - text) : length;
	size_t high = length;

	/* low and high are always starts of lines (or the end) */
	while (low < high) {
		size_t start = line_start(text, low, low + (high - low) / 2);
		size_t next = start;
		struct table_line line;
		if (!split_line(text, length, &next, &line))
			return err_set(err, EBADMSG, "byte %zu starts no row", start);
		int order = compare_keys(key, key_length, line.key, line.key_length);
		if (order == 0) {
			*ret_line = line;
			return 1;
		}
		if (order < 0)
			high = start;
		else
			low = next;
	}
	return 0;
}

void
table_begin(struct table_writer *writer)
{
	*writer = (struct table_writer){.body = buf_make(TABLE_BYTES_MAX)};
}

void
table_line_add(struct table_writer *writer, const char *key, const char *json)
{
	assert(strcmp(writer->last_key, key) < 0);
	assert(strlen(key) <= GRANT_KEY_MAX);
	(void)snprintf(writer->last_key, sizeof(writer->last_key), "%s", key);
	(void)buf_print(&writer->body, "%s\t%s\n", key, json); /* table_end asks */
	writer->rows++;
}

int
table_end(struct table_writer *writer, uint64_t generation, struct buf *out,
    struct err *err)
{
	char header[128];
	struct buf *body = &writer->body;
	int rc = buf_whole(body, "the table", err);

	int length = snprintf(header, sizeof(header), HEADER_START "generation=%" PRIu64 " rows=%" PRIu32,
	    generation, writer->rows);
	uint64_t sum = sum_of(header, (size_t)length, buf_string(body), body->length);
	if (!rc) {
		(void)buf_print(out, "%s sum=%016" PRIx64 "\n", header, sum);
		(void)buf_add(out, buf_string(body), body->length);
		rc = buf_whole(out, "the table", err);
	}
	buf_release(body);
	return rc;
}

bool
table_same_body(const char *a, size_t a_length, const char *b, size_t b_length)
{
	const char *a_body = memchr(a, '\n', a_length);
	const char *b_body = memchr(b, '\n', b_length);

	if (!a_body || !b_body)
		return false;
	size_t a_rest = a_length - (size_t)(a_body - a);
	size_t b_rest = b_length - (size_t)(b_body - b);
	return a_rest == b_rest && memcmp(a_body, b_body, a_rest) == 0;
}
