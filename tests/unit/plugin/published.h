/* A root directory with a published table, made by the same writer as the
 * controller's, and a host file that names it. */
#ifndef TESTS_PUBLISHED_H
#define TESTS_PUBLISHED_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "table/key.h"
#include "table/table.h"

struct published {
	char root[64];
	char host_file[80];
};

struct line {
	const char *key;
	const char *json;
};

static inline void
write_file(const char *path, const char *text, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static inline int
make_published(void **state)
{
	struct published *p = mem_new(1, sizeof(*p));

	(void)snprintf(p->root, sizeof(p->root), "/dev/shm/published-XXXXXX");
	if (!mkdtemp(p->root))
		return -1;
	(void)snprintf(p->host_file, sizeof(p->host_file), "%s/plugin.json", p->root);
	scoped_free char *text = mem_format("{\"root\":\"%s\"}", p->root);
	write_file(p->host_file, text, strlen(text));
	*state = p;
	return 0;
}

static inline int
remove_published(void **state)
{
	struct published *p = *state;
	scoped_free char *command = mem_format("rm -r %s", p->root);
	int rc = system(command);

	mem_free(p);
	return rc;
}

/* Whether the line stands in this bucket: a profile goes wherever it may be needed. */
static inline bool
belongs(const struct line *line, unsigned bucket, unsigned buckets)
{
	return line->key[0] == '!' || key_bucket(line->key, buckets) == bucket;
}

/* lines in ascending order of key. */
static inline void
publish(const struct published *p, unsigned buckets, const struct line *lines, size_t count)
{
	struct err err = {0};
	scoped_free char *table = mem_format("%s/table", p->root);
	scoped_free char *directory = mem_format("%s/%u", table, buckets);
	scoped_free char *live = mem_format("%s/live", table);
	scoped_free char *target = mem_format("%u", buckets);

	(void)mkdir(table, 0755);
	(void)mkdir(directory, 0755);
	for (unsigned bucket = 0; bucket < buckets; bucket++) {
		struct table_writer writer;
		scoped_buf text = buf_make(TABLE_BYTES_MAX);
		scoped_free char *path = mem_format("%s/%u", directory, bucket);
		table_begin(&writer);
		for (size_t i = 0; i < count; i++)
			if (belongs(&lines[i], bucket, buckets))
				table_line_add(&writer, lines[i].key, lines[i].json);
		assert_int_equal(table_end(&writer, 1, &text, &err), 0);
		write_file(path, text.data, text.length);
	}
	(void)unlink(live);
	assert_int_equal(symlink(target, live), 0);
}

#define WITH_TABLE(test) cmocka_unit_test_setup_teardown(test, make_published, remove_published)

#endif
