#include "tests/unit/agent/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/publish.h"
#include "core/file.h"

static int
open_root(void)
{
	struct err err = {0};
	bool is_volatile = false;
	int root = publish_root(ROOT, false, &is_volatile, &err);

	assert_true(root >= 0);
	assert_true(is_volatile);
	return root;
}

static struct publish
open_publish(int root, unsigned buckets)
{
	struct publish publish;
	struct err err = {0};

	assert_int_equal(publish_open(root, buckets, &publish, &err), 0);
	return publish;
}

static void
write_bucket(struct publish *publish, unsigned bucket, uint64_t generation, unsigned rows)
{
	scoped_buf text = make_table(bucket, publish->buckets, generation, rows);
	struct err err = {0};

	assert_int_equal(publish_write(publish, bucket, text.data, text.length, &err), 0);
}

static void
a_root_that_is_not_tmpfs_is_refused_with_the_way_out(void **state)
{
	struct err err = {0};
	bool is_volatile = true;

	(void)state;
	assert_int_equal(publish_root("/proc", false, &is_volatile, &err), -EMEDIUMTYPE);
	assert_non_null(strstr(err.text, "'/proc' is not on tmpfs"));
	assert_non_null(strstr(err.text, "0x9fa0"));
	assert_non_null(strstr(err.text, "--allow-disk"));
	assert_true(is_volatile); /* written on success only */
}

static void
a_root_on_a_disk_is_taken_when_allowed(void **state)
{
	struct err err = {0};
	bool is_volatile = true;
	(void)state;

	scoped_fd int root = publish_root("/proc", true, &is_volatile, &err);
	assert_true(root >= 0);
	assert_false(is_volatile);
}

static void
a_root_whose_parent_is_missing_is_named(void **state)
{
	struct err err = {0};
	bool is_volatile;

	(void)state;
	NEEDS_TMPFS();
	assert_int_equal(publish_root("/mnt/a/b", false, &is_volatile, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/mnt/a/b"));
	assert_non_null(strstr(err.text, "--root"));
}

static void
a_bucket_is_read_back_byte_for_byte_with_mode_0644(void **state)
{
	struct err err = {0};
	struct stat file;
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish publish = open_publish(root, 64);
	scoped_buf wanted = make_table(3, 64, 9, 4);
	scoped_buf got = buf_make(TABLE_BYTES_MAX);
	assert_int_equal(publish_read(&publish, 3, &got, &err), -ENOENT);
	write_bucket(&publish, 3, 9, 4);
	assert_int_equal(publish_read(&publish, 3, &got, &err), 0);
	assert_int_equal(got.length, wanted.length);
	assert_memory_equal(got.data, wanted.data, wanted.length);
	assert_int_equal(stat(ROOT "/table/64/3", &file), 0);
	assert_int_equal(file.st_mode, S_IFREG | 0644);
	assert_int_equal(publish_bytes(&publish), wanted.length);
	publish_close(&publish);
}

static void
live_is_made_only_after_all_buckets(void **state)
{
	struct err err = {0};
	char target[16] = "";
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish publish = open_publish(root, 64);
	for (unsigned bucket = 0; bucket < 63; bucket++) {
		write_bucket(&publish, bucket, 1, 1);
		write_bucket(&publish, bucket, 2, 1); /* twice counts once */
		assert_int_equal(publish_go_live(&publish, &err), 0);
		assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), -1);
	}
	write_bucket(&publish, 63, 1, 1);
	assert_int_equal(publish_go_live(&publish, &err), 1);
	assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), 2);
	assert_memory_equal(target, "64", 2);
	assert_int_equal(publish_go_live(&publish, &err), 0);
	publish_close(&publish);
}

static void
another_count_replaces_the_live_one_and_its_tables_go(void **state)
{
	struct err err = {0};
	char target[16] = "";
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish many = open_publish(root, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		write_bucket(&many, bucket, 1, 1);
	assert_int_equal(publish_go_live(&many, &err), 1);
	publish_close(&many);
	struct publish one = open_publish(root, 1);
	assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), 2);
	write_bucket(&one, 0, 1, 1);
	assert_int_equal(publish_go_live(&one, &err), 1);
	assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), 1);
	assert_memory_equal(target, "1", 1);
	assert_int_equal(access(ROOT "/table/64/5", F_OK), 0); /* for readers on their way */
	assert_int_equal(publish_remove_others(&one, &err), 0);
	assert_int_equal(access(ROOT "/table/64", F_OK), -1);
	assert_int_equal(access(ROOT "/table/1/0", F_OK), 0);
	publish_close(&one);
}

static void
what_somebody_else_put_there_is_not_removed(void **state)
{
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish many = open_publish(root, 64);
	scoped_fd int stranger = creat(ROOT "/table/64/notes", 0600);
	assert_true(stranger >= 0);
	publish_close(&many);
	struct publish one = open_publish(root, 1);
	write_bucket(&one, 0, 1, 1);
	assert_int_equal(publish_go_live(&one, &err), 1);
	assert_int_equal(publish_remove_others(&one, &err), -ENOTEMPTY);
	assert_non_null(strstr(err.text, "table/64"));
	assert_int_equal(access(ROOT "/table/64/notes", F_OK), 0);
	publish_close(&one);
}

static void
a_wipe_leaves_nothing_to_read(void **state)
{
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish one = open_publish(root, 1);
	write_bucket(&one, 0, 1, 1);
	assert_int_equal(publish_go_live(&one, &err), 1);
	publish_close(&one);
	assert_int_equal(file_replace(root, "node", "x", 1, 0644, FILE_SYNC_NONE, &err), 0);
	assert_int_equal(publish_wipe(root, &err), 0);
	assert_int_equal(access(ROOT "/node", F_OK), -1);
	assert_int_equal(faccessat(root, "table/live", F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(access(ROOT "/table/1", F_OK), -1);
}

static void
every_removed_file_is_noticed(void **state)
{
	static const char *const removals[] = {"rm " ROOT "/table/1/0",
	    "rm " ROOT "/table/live", "rm -r " ROOT "/table/1", "rm -r " ROOT "/table",
	    "ln -sfn 64 " ROOT "/table/live",
	    "rm -r " ROOT "/table && mkdir -p " ROOT "/table/1"};

	(void)state;
	NEEDS_TMPFS();
	for (size_t i = 0; i < sizeof(removals) / sizeof(removals[0]); i++) {
		struct err err = {0};
		scoped_fd int root = open_root();
		struct publish one = open_publish(root, 1);
		assert_true(publish_intact(&one, root)); /* nothing published yet */
		write_bucket(&one, 0, 1, 1);
		assert_int_equal(publish_go_live(&one, &err), 1);
		assert_true(publish_intact(&one, root));
		assert_int_equal(system(removals[i]), 0);
		assert_false(publish_intact(&one, root));
		publish_close(&one);
	}
}

/* ---- while somebody writes --------------------------------------------------- */

/* Writes bucket 0 with one row and with many, by turns, `rounds` times (0 = until
 * killed). */
static void
write_by_turns(int root, unsigned rounds)
{
	struct publish publish = open_publish(root, 1);
	scoped_buf small = make_table(0, 1, 1, 1);
	scoped_buf large = make_table(0, 1, 2, 9000);
	struct err err;

	for (unsigned i = 0; rounds == 0 || i < rounds; i++) {
		const struct buf *text = i % 2 ? &small : &large;
		if (publish_write(&publish, 0, text->data, text->length, &err) < 0)
			_exit(1);
	}
	_exit(0);
}

static void
a_reader_never_sees_half_a_table_while_a_writer_replaces_it(void **state)
{
	unsigned seen[3] = {0};
	int status = -1;
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct publish reader = open_publish(root, 1);
	pid_t writer = fork();
	if (writer == 0)
		write_by_turns(root, 0);
	/* however the two share the processors: until it has seen both often */
	while ((seen[1] <= 20 || seen[2] <= 20) && waitpid(writer, &status, WNOHANG) == 0) {
		scoped_buf text = buf_make(TABLE_BYTES_MAX);
		struct table_header header = {0};
		struct err err = {0};
		if (publish_read(&reader, 0, &text, &err) == -ENOENT)
			continue; /* before the first one */
		assert_int_equal(table_verify(text.data, text.length, &header, &err), 0);
		assert_true(header.generation == 1 || header.generation == 2);
		assert_int_equal(header.rows, header.generation == 1 ? 1 : 9000);
		seen[header.generation]++;
	}
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_true(WIFSIGNALED(status)); /* it did not fail by itself */
	assert_true(seen[1] > 20 && seen[2] > 20);
	publish_close(&reader);
}

static void
a_writer_killed_at_any_moment_leaves_whole_tables(void **state)
{
	(void)state;
	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	unsigned leftovers = 0;
	/* on a busy machine the writer may not even have begun: then longer */
	for (unsigned round = 0; round < 60 || (!leftovers && round < 1000); round++) {
		scoped_buf text = buf_make(TABLE_BYTES_MAX);
		struct table_header header;
		struct err err = {0};
		char temporary[80];
		pid_t writer = fork();
		if (writer == 0)
			write_by_turns(root, 0);
		usleep(4000 + round * 37 % 1500 + (round / 60) * 1000);
		assert_int_equal(kill(writer, SIGKILL), 0);
		assert_int_equal(waitpid(writer, NULL, 0), writer);
		(void)snprintf(temporary, sizeof(temporary), ROOT "/table/1/.0.tmp.%d", writer);
		leftovers += access(temporary, F_OK) == 0;
		struct publish after = open_publish(root, 1);
		assert_int_equal(access(temporary, F_OK), -1); /* swept */
		if (publish_read(&after, 0, &text, &err) != -ENOENT)
			assert_int_equal(table_verify(text.data, text.length, &header, &err), 0);
		publish_close(&after);
	}
	assert_true(leftovers > 0); /* or the kill never hit a write */
}

static void
a_full_tmpfs_keeps_the_last_good_table_and_says_so(void **state)
{
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	assert_int_equal(mount("none", "/mnt", "tmpfs", MS_REMOUNT, "size=256k"), 0);
	scoped_fd int root = open_root();
	struct publish publish = open_publish(root, 1);
	scoped_buf good = make_table(0, 1, 1, 2);
	scoped_buf large = make_table(0, 1, 2, 9000);
	scoped_buf got = buf_make(TABLE_BYTES_MAX);
	assert_int_equal(publish_write(&publish, 0, good.data, good.length, &err), 0);
	assert_int_equal(publish_write(&publish, 0, large.data, large.length, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
	assert_int_equal(publish_read(&publish, 0, &got, &err), 0);
	assert_memory_equal(got.data, good.data, good.length);
	assert_int_equal(system("test -z \"$(find " ROOT " -name '.*.tmp.*')\""), 0);
	publish_close(&publish);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_root_that_is_not_tmpfs_is_refused_with_the_way_out),
	    cmocka_unit_test(a_root_on_a_disk_is_taken_when_allowed),
	    on_tmpfs(a_root_whose_parent_is_missing_is_named),
	    on_tmpfs(a_bucket_is_read_back_byte_for_byte_with_mode_0644),
	    on_tmpfs(live_is_made_only_after_all_buckets),
	    on_tmpfs(another_count_replaces_the_live_one_and_its_tables_go),
	    on_tmpfs(what_somebody_else_put_there_is_not_removed),
	    on_tmpfs(a_wipe_leaves_nothing_to_read),
	    on_tmpfs(every_removed_file_is_noticed),
	    on_tmpfs(a_reader_never_sees_half_a_table_while_a_writer_replaces_it),
	    on_tmpfs(a_writer_killed_at_any_moment_leaves_whole_tables),
	    on_tmpfs(a_full_tmpfs_keeps_the_last_good_table_and_says_so),
	};

	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
