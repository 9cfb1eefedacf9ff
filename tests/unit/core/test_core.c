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

#include "core/buf.h"
#include "core/err.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/num.h"
#include "core/text.h"
#include "core/tree.h"

static void
an_error_is_one_sentence_with_its_context_in_front(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err_errno(&err, EACCES, "rename '%s'", "x"), -EACCES);
	assert_int_equal(err_wrap(&err, "cannot publish table %d", 7), -EACCES);
	assert_string_equal(err.text, "cannot publish table 7: rename 'x': Permission denied");
	assert_int_equal(err_append(&err, " (rule A1)"), -EACCES);
	assert_non_null(strstr(err.text, "denied (rule A1)"));
}

static void
a_sentence_that_is_too_long_is_cut_visibly(void **state)
{
	struct err err = {0};
	char text[2 * ERR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	(void)err_set(&err, EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_string_equal(err.text + ERR_TEXT_MAX - 4, "...");
	(void)err_wrap(&err, "context");
	assert_memory_equal(err.text, "context: xxx", 12);
	assert_string_equal(err.text + strlen(err.text) - 3, "...");
	assert_true(strlen(err.text) < ERR_TEXT_MAX);
}

static void
a_buffer_takes_its_maximum_and_not_one_byte_more(void **state)
{
	scoped_buf buf = buf_make(5);
	struct err err = {0};

	(void)state;
	assert_true(buf_text(&buf, "abc"));
	assert_true(buf_print(&buf, "%d", 12));
	assert_string_equal(buf_string(&buf), "abc12");
	assert_int_equal(buf_whole(&buf, "it", &err), 0);
	assert_false(buf_add(&buf, "x", 1));
	assert_string_equal(buf_string(&buf), "abc12");
	assert_int_equal(buf_whole(&buf, "it", &err), -EFBIG);
	assert_string_equal(err.text, "it is larger than 5 bytes");
	buf_skip(&buf, 2);
	assert_string_equal(buf_string(&buf), "c12");
	buf_skip(&buf, 100);
	assert_int_equal(buf.length, 0);
}

static void
a_print_is_whole_or_not_there(void **state)
{
	scoped_buf buf = buf_make(200);

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(buf_print(&buf, "%02d", i));
	assert_int_equal(buf.length, 200);
	assert_memory_equal(buf_string(&buf) + 196, "9899", 5);
	assert_false(buf_print(&buf, "%s", "x"));
	buf_skip(&buf, 10);
	assert_false(buf_print(&buf, "%s", "eleven byte"));
	assert_memory_equal(buf_string(&buf) + 186, "9899", 5);
	assert_true(buf_print(&buf, "%s", "ten bytes."));
	assert_memory_equal(buf_string(&buf) + 186, "9899ten bytes.", 15);
}

static void
a_buffer_is_filled_with_a_byte(void **state)
{
	scoped_buf buf = buf_make(5);

	(void)state;
	assert_true(buf_fill(&buf, ' ', 3));
	assert_false(buf_fill(&buf, 'x', 3));
	assert_true(buf_fill(&buf, '.', 2));
	assert_string_equal(buf_string(&buf), "   ..");
}

static void
numbers_are_printed_in_digits(void **state)
{
	static const uint64_t numbers[] = {0, 9, 10, 4294967296, UINT64_MAX};
	char expected[32];
	char digits[NUM_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		scoped_buf buf = buf_make(64);
		(void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);
		assert_string_equal(num_print(numbers[i], digits), expected);
		assert_true(buf_number(&buf, numbers[i]));
		assert_string_equal(buf_string(&buf), expected);
	}
}

static void
texts_are_joined_and_cut_where_the_room_ends(void **state)
{
	char out[8];
	scoped_free char *path = mem_join("/run", "/a", "", "/b", NULL);
	scoped_free char *one = mem_join("", NULL);

	(void)state;
	assert_string_equal(path, "/run/a/b");
	assert_string_equal(one, "");
	assert_int_equal(text_join(out, sizeof(out), "abc", "defg", NULL), 7);
	assert_string_equal(out, "abcdefg");
	memset(out, 'x', sizeof(out));
	assert_int_equal(text_join(out, sizeof(out) - 1, "abc", "defg", "h", NULL), 8);
	assert_memory_equal(out, "abcdef\0x", 8);
	assert_int_equal(text_join(out, 1, "abc", NULL), 3);
	assert_string_equal(out, "");
}

static void
numbers_are_plain_decimal_up_to_a_maximum(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t number;
	} rows[] = {
	    {"0", 0, true, 0}, {"10", 10, true, 10}, {"11", 10, false, 0},
	    {"18446744073709551615", UINT64_MAX, true, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, false, 0}, {"", 9, false, 0},
	    {"01", 9, false, 0}, {"+1", 9, false, 0}, {"-1", 9, false, 0}, {" 1", 9, false, 0},
	    {"1 ", 9, false, 0}, {"1a", 9, false, 0}, {"0x1", 9, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t number = 77;
		int rc = num_parse(rows[i].text, strlen(rows[i].text), rows[i].max, "n", &number, NULL);
		if ((rc == 0) != rows[i].good || number != (rows[i].good ? rows[i].number : 77))
			fail_msg("'%s': %d, %llu", rows[i].text, rc, (unsigned long long)number);
	}
}

static int
compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
collect(void *item, void *cookie)
{
	(void)buf_text(cookie, item);
}

static void
a_tree_keeps_each_item_once_and_in_order(void **state)
{
	static char b[] = "b";
	static char a[] = "a";
	static char c[] = "c";
	static char again[] = "b";
	struct tree tree = tree_make(compare_text);
	scoped_buf seen = buf_make(16);

	(void)state;
	assert_null(tree_add(&tree, b));
	assert_null(tree_add(&tree, a));
	assert_null(tree_add(&tree, c));
	assert_ptr_equal(tree_add(&tree, again), b);
	assert_int_equal(tree.count, 3);
	tree_walk(&tree, collect, &seen);
	assert_string_equal(buf_string(&seen), "abc");
	assert_ptr_equal(tree_remove(&tree, again), b);
	assert_null(tree_remove(&tree, again));
	assert_null(tree_find(&tree, b));
	assert_int_equal(tree.count, 2);
	tree_release(&tree, NULL);
}

/* A folder of the test's own. */
static int
make_folder(void **state)
{
	static char path[32];

	(void)snprintf(path, sizeof(path), "/tmp/sip-core.XXXXXX");
	*state = mkdtemp(path);
	return *state ? 0 : -1;
}

static int
drop_folder(void **state)
{
	scoped_free char *command = mem_format("rm -rf %s", (char *)*state);

	return system(command);
}

static void
a_replaced_file_has_its_bytes_and_mode_and_leaves_no_other(void **state)
{
	scoped_fd int folder = file_directory(AT_FDCWD, *state, 0755, NULL);
	scoped_buf buf = buf_make(64);
	scoped_free char *list = mem_format("test \"$(ls -A %s)\" = f", (char *)*state);
	struct stat status;
	struct err err = {0};

	assert_true(folder >= 0);
	mode_t before = umask(077);
	assert_int_equal(file_replace(folder, "f", "one", 3, 0644, FILE_SYNC_NONE, &err), 0);
	assert_int_equal(file_replace(folder, "f", "second", 6, 0644, FILE_SYNC_DISK, &err), 0);
	(void)umask(before);
	assert_int_equal(file_read(folder, "f", &buf, &err), 0);
	assert_string_equal(buf_string(&buf), "second");
	assert_int_equal(fstatat(folder, "f", &status, 0), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
	assert_int_equal(system(list), 0);
}

static void
a_file_larger_than_its_maximum_is_not_read(void **state)
{
	scoped_fd int folder = file_directory(AT_FDCWD, *state, 0755, NULL);
	scoped_buf buf = buf_make(4);
	struct err err = {0};

	assert_int_equal(file_replace(folder, "f", "12345", 5, 0600, FILE_SYNC_NONE, &err), 0);
	assert_int_equal(file_read(folder, "f", &buf, &err), -EFBIG);
	assert_non_null(strstr(err.text, "4 bytes"));
	assert_int_equal(file_read(folder, "g", &buf, &err), -ENOENT);
	assert_non_null(strstr(err.text, "g: No such file"));
}

static void
a_sweep_takes_temporary_files_and_no_others(void **state)
{
	scoped_free char *make = mem_format(
	    "cd %s && touch .f.tmp.7 f .hidden x.tmp.1", (char *)*state);
	scoped_free char *check = mem_format(
	    "test \"$(ls -A %s | sort | tr '\\n' ' ')\" = '.hidden f x.tmp.1 '", (char *)*state);
	scoped_fd int folder = file_directory(AT_FDCWD, *state, 0755, NULL);

	assert_int_equal(system(make), 0);
	assert_int_equal(file_sweep(folder, NULL), 0);
	assert_int_equal(system(check), 0);
}

#define IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_error_is_one_sentence_with_its_context_in_front),
	    cmocka_unit_test(a_sentence_that_is_too_long_is_cut_visibly),
	    cmocka_unit_test(a_buffer_takes_its_maximum_and_not_one_byte_more),
	    cmocka_unit_test(a_print_is_whole_or_not_there),
	    cmocka_unit_test(a_buffer_is_filled_with_a_byte),
	    cmocka_unit_test(numbers_are_plain_decimal_up_to_a_maximum),
	    cmocka_unit_test(numbers_are_printed_in_digits),
	    cmocka_unit_test(texts_are_joined_and_cut_where_the_room_ends),
	    cmocka_unit_test(a_tree_keeps_each_item_once_and_in_order),
	    IN_FOLDER(a_replaced_file_has_its_bytes_and_mode_and_leaves_no_other),
	    IN_FOLDER(a_file_larger_than_its_maximum_is_not_read),
	    IN_FOLDER(a_sweep_takes_temporary_files_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
