/* sip-tables DIR...: looks at a node's tables as a plugin sees them.
 *
 * Reads all buckets of DIR (…/table/live or …/table/K) as one consistent picture: twice, until
 * nothing changed in between. Fails when a bucket is not whole or an address of a
 * network is in two rows; else prints each pod's row: KEY TAB IPS (with --quiet
 * only the number of rows). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/file.h"
#include "core/tree.h"
#include "table/key.h"
#include "table/row.h"
#include "table/table.h"

struct picture {
	struct buf files[TABLE_BUCKETS_MAX];
	unsigned count;
};

/* One row's address on a network. */
struct use {
	char *network, *key;
	struct ip ip;
};

static int
compare_use(const void *a, const void *b)
{
	const struct use *x = a;
	const struct use *y = b;
	int order = ip_compare(&x->ip, &y->ip);

	return order ? order : strcmp(x->network, y->network);
}

static void
free_use(void *item)
{
	struct use *use = item;

	mem_free(use->network);
	mem_free(use->key);
	mem_free(use);
}

static int
read_once(const char *directory, unsigned count, struct picture *picture, struct err *err)
{
	scoped_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", directory);
	picture->count = count;
	for (unsigned i = 0; i < count; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "%u", i);
		picture->files[i] = buf_make(TABLE_BYTES_MAX);
		int rc = file_read(fd, name, &picture->files[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

static void
release(struct picture *picture)
{
	for (unsigned i = 0; i < picture->count; i++)
		buf_release(&picture->files[i]);
}

static bool
same(const struct picture *a, const struct picture *b)
{
	for (unsigned i = 0; i < a->count; i++)
		if (a->files[i].length != b->files[i].length ||
		    memcmp(buf_string(&a->files[i]), buf_string(&b->files[i]), a->files[i].length) != 0)
			return false;
	return true;
}

/* Two readings with the same bytes: between them lay a moment at which all of
 * them were so at once. */
static int
read_consistent(const char *directory, unsigned count, struct picture *picture, struct err *err)
{
	int rc = read_once(directory, count, picture, err);

	for (int tries = 0; tries < 200; tries++) {
		struct picture again = {.count = 0};
		int rc_again = read_once(directory, count, &again, err);
		bool settled = !rc && !rc_again && same(picture, &again);
		release(picture);
		*picture = again;
		rc = rc_again; /* -ENOENT: the folder was exchanged under the reader */
		if (settled)
			return 0;
	}
	return rc ? rc : err_set(err, EAGAIN, "%s never kept still", directory);
}

static int
check_row(struct tree *uses, const struct table_line *line, bool quiet, struct err *err)
{
	char key[KEY_MAX + 1];
	char text[ADDRESS_TEXT_MAX];
	struct row row;

	(void)snprintf(key, sizeof(key), "%.*s", (int)line->key_length, line->key);
	if (key[0] == '!' || !strchr(key, '/'))
		return 0;
	int rc = row_decode(key, line->json, line->json_length, &row, err);
	if (rc)
		return rc;
	if (!quiet)
		(void)printf("%s\t", key);
	for (unsigned i = 0; i < row.ip_count; i++) {
		struct use *use = mem_new(1, sizeof(*use));
		*use = (struct use){.network = mem_format("%.*s", (int)strcspn(key, "/"), key),
		    .key = mem_text(key), .ip = row.ips[i].ip};
		const struct use *other = tree_add(uses, use);
		if (other) {
			free_use(use);
			return err_set(err, EEXIST, "%s is in the rows of %s and of %s",
			    ip_print(&row.ips[i].ip, text), other->key, key);
		}
		if (!quiet)
			(void)printf("%s%s", i ? "," : "", cidr_print(&row.ips[i], text));
	}
	if (!quiet)
		(void)putchar('\n');
	return 1;
}

static int
check_bucket(struct tree *uses, const struct buf *file, unsigned number, bool quiet,
    struct err *err)
{
	struct table_header header;
	struct table_line line;
	size_t offset = 0;
	int rows = 0;
	int rc = table_verify(buf_string(file), file->length, &header, err);

	if (rc)
		return err_wrap(err, "bucket %u", number);
	while (table_next(file->data, file->length, &offset, &line)) {
		rc = check_row(uses, &line, quiet, err);
		if (rc < 0)
			return rc;
		rows += rc;
	}
	return rows;
}

/* K: the folder's name, or what the link says. */
static long
buckets_of(const char *directory)
{
	char target[16] = "";
	const char *last = strrchr(directory, '/');

	if (readlink(directory, target, sizeof(target) - 1) < 0)
		(void)snprintf(target, sizeof(target), "%.15s", last ? last + 1 : directory);
	return strtol(target, NULL, 10);
}

static int
check(const char *directory, bool quiet, struct err *err)
{
	static struct picture picture;
	struct tree uses = tree_make(compare_use);
	long count = buckets_of(directory);
	int rows = 0;

	if (count < 1 || count > TABLE_BUCKETS_MAX)
		return err_set(err, EINVAL, "%s does not end in a number of buckets", directory);
	int rc = read_consistent(directory, (unsigned)count, &picture, err);
	for (unsigned i = 0; rc >= 0 && i < picture.count; i++) {
		rc = check_bucket(&uses, &picture.files[i], i, quiet, err);
		rows += rc > 0 ? rc : 0;
	}
	tree_release(&uses, free_use);
	release(&picture);
	if (rc < 0)
		return rc;
	if (quiet)
		(void)printf("%d rows\n", rows);
	return 0;
}

int
main(int argc, char **argv)
{
	bool quiet = argc > 1 && strcmp(argv[1], "--quiet") == 0;
	struct err err = {0};

	if (argc < 2 + quiet) {
		(void)fputs("usage: sip-tables [--quiet] DIR\n", stderr);
		return 2;
	}
	if (check(argv[1 + quiet], quiet, &err)) {
		(void)fprintf(stderr, "sip-tables: %s\n", err.text);
		return 1;
	}
	return 0;
}
