#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/file.h"
#include "core/mem.h"
#include "node/table_file.h"

static char root[64];

static int
make_root(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/table-file-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int
remove_root(void **state)
{
	scoped_free char *command = mem_format("rm -r %s", root);

	(void)state;
	return system(command);
}

static void
at(const char *name, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", root, name);
}

static void
directory(const char *name)
{
	char path[128];

	at(name, path, sizeof(path));
	assert_int_equal(mkdir(path, 0755), 0);
}

static void
live(const char *target)
{
	char path[128];

	at("table/live", path, sizeof(path));
	(void)unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static void
publish(const char *name, const char *bytes, size_t length)
{
	char path[128];
	struct err err = {0};

	at("table/64", path, sizeof(path));
	scoped_fd int buckets = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(
	    file_replace(buckets, name, bytes, length, 0644, FILE_SYNC_NONE, &err), 0);
}

static void
before_the_first_publication_it_is_ENOENT(void **state)
{
	struct table_file file = {.directory = -1};
	struct err err = {0};

	(void)state;
	assert_int_equal(table_file_open(root, &file, &err), -ENOENT);
	directory("table");
	assert_int_equal(table_file_open(root, &file, &err), -ENOENT);
	live("64");
	assert_int_equal(table_file_open(root, &file, &err), -EBADMSG);
	assert_int_equal(file.directory, -1);
}

static void
the_link_says_how_many_buckets_there_are(void **state)
{
	static const char *const numbers[] = {"1", "64", "1024"};

	(void)state;
	directory("table");
	for (unsigned i = 0; i < 3; i++) {
		scoped_table_file file = {.directory = -1};
		struct err err = {0};
		scoped_free char *name = mem_format("table/%s", numbers[i]);
		directory(name);
		live(numbers[i]);
		assert_int_equal(table_file_open(root, &file, &err), 0);
		assert_int_equal(file.buckets, i == 0 ? 1 : i == 1 ? 64 : 1024);
	}
}

static void
a_link_to_anything_else_is_refused(void **state)
{
	static const char *const targets[] = {
	    "0", "2", "65", "-1", "064", "1025", "64/", "../64", "x", "99999999999999999999"};

	(void)state;
	directory("table");
	directory("table/64");
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct table_file file = {.directory = -1};
		struct err err = {0};
		live(targets[i]);
		assert_int_equal(table_file_open(root, &file, &err), -EBADMSG);
	}
}

static void
a_mapped_bucket_stays_as_it_is_while_another_is_published(void **state)
{
	scoped_table_file file = {.directory = -1};
	scoped_bucket old = {0};
	scoped_bucket new = {0};
	struct err err = {0};

	(void)state;
	directory("table");
	directory("table/64");
	live("64");
	publish("7", "old", 3);
	assert_int_equal(table_file_open(root, &file, &err), 0);
	assert_int_equal(table_bucket_map(&file, 7, &old, &err), 0);
	publish("7", "newer", 5);
	assert_int_equal(table_bucket_map(&file, 7, &new, &err), 0);
	assert_int_equal(old.length, 3);
	assert_memory_equal(old.text, "old", 3);
	assert_int_equal(new.length, 5);
	assert_memory_equal(new.text, "newer", 5);
}

/* A small bucket is read, a larger one mapped: both have the bytes and a mark that
 * is right until the next one is published. */
static void
a_mark_is_current_until_another_is_published(void **state)
{
	static const size_t sizes[] = {1, 4096, 4097, 100000};
	scoped_table_file file = {.directory = -1};
	struct err err = {0};
	scoped_free char *bytes = mem_new(100000, 1);

	(void)state;
	directory("table");
	directory("table/64");
	live("64");
	memset(bytes, 'x', 100000);
	assert_int_equal(table_file_open(root, &file, &err), 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		scoped_bucket bucket = {0};
		publish("7", bytes, sizes[i]);
		assert_int_equal(table_bucket_map(&file, 7, &bucket, &err), 0);
		assert_int_equal(bucket.length, sizes[i]);
		assert_memory_equal(bucket.text, bytes, sizes[i]);
		assert_true(table_marks_current(root, &bucket.mark, 1));
		publish("7", bytes, sizes[i]);
		assert_false(table_marks_current(root, &bucket.mark, 1));
	}
	struct table_mark marks[2] = {{0}, {0}};
	for (unsigned i = 0; i < 2; i++) {
		scoped_bucket bucket = {0};
		publish(i ? "8" : "7", "x", 1);
		assert_int_equal(table_bucket_map(&file, 7 + i, &bucket, &err), 0);
		marks[i] = bucket.mark;
	}
	assert_true(table_marks_current(root, marks, 2));
	publish("8", "x", 1);
	assert_false(table_marks_current(root, marks, 2));
	assert_true(table_marks_current(root, marks, 1));
	live("1");
	assert_false(table_marks_current(root, marks, 1));
}

static void
what_cannot_be_a_bucket_is_refused(void **state)
{
	scoped_table_file file = {.directory = -1};
	struct table_bucket bucket = {0};
	struct err err = {0};
	scoped_free char *large = mem_new(TABLE_BYTES_MAX + 1, 1);

	(void)state;
	directory("table");
	directory("table/64");
	directory("table/64/3");
	live("64");
	publish("1", "", 0);
	publish("2", large, TABLE_BYTES_MAX + 1);
	publish("4", large, TABLE_BYTES_MAX);
	assert_int_equal(table_file_open(root, &file, &err), 0);
	assert_int_equal(table_bucket_map(&file, 0, &bucket, &err), -ENOENT);
	assert_int_equal(table_bucket_map(&file, 1, &bucket, &err), -EBADMSG);
	assert_int_equal(table_bucket_map(&file, 2, &bucket, &err), -EFBIG);
	assert_non_null(strstr(err.text, "900001 bytes, at most 900000"));
	assert_int_equal(table_bucket_map(&file, 3, &bucket, &err), -EBADMSG);
	assert_null(bucket.text);
	assert_int_equal(table_bucket_map(&file, 4, &bucket, &err), 0);
	table_bucket_unmap(&bucket);
}

static void
closing_twice_closes_once(void **state)
{
	struct table_file file = {.directory = -1};
	struct err err = {0};

	(void)state;
	directory("table");
	directory("table/1");
	live("1");
	assert_int_equal(table_file_open(root, &file, &err), 0);
	int number = file.directory;
	table_file_close(&file);
	assert_int_equal(fcntl(number, F_GETFD), -1);
	assert_int_equal(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, number), number);
	table_file_close(&file);
	assert_true(fcntl(number, F_GETFD) >= 0);
	close(number);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_ROOT(before_the_first_publication_it_is_ENOENT),
	    WITH_ROOT(the_link_says_how_many_buckets_there_are),
	    WITH_ROOT(a_link_to_anything_else_is_refused),
	    WITH_ROOT(a_mapped_bucket_stays_as_it_is_while_another_is_published),
	    WITH_ROOT(what_cannot_be_a_bucket_is_refused),
	    WITH_ROOT(a_mark_is_current_until_another_is_published),
	    WITH_ROOT(closing_twice_closes_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
