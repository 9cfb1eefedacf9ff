#include "tests/unit/agent/fixture.h"

#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/lock.h"
#include "core/file.h"

static const struct lock_facts facts = {
    .node_name = "n1", .version = "1.2.3", .boot_id = "boot-a", .last_contact = 1795251234};

static int
open_root(void)
{
	struct err err = {0};
	int root = file_directory(AT_FDCWD, ROOT, 0755, &err);

	assert_true(root >= 0);
	return root;
}

/* A child that holds the lock for this long, or until killed; it has it when this
 * returns. */
static pid_t
start_holder(int root, unsigned milliseconds)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		struct lock lock;
		if (lock_try(root, &lock, NULL) < 0 || lock_write(&lock, &facts, NULL) < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		usleep(milliseconds * 1000);
		_exit(0);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return child;
}

static void
a_second_agent_is_refused_and_told_who_has_the_lock(void **state)
{
	struct lock lock = {.fd = -1};
	struct err err = {0};
	char pid[32];
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	pid_t holder = start_holder(root, 60000);
	assert_int_equal(lock_try(root, &lock, &err), -EWOULDBLOCK);
	assert_int_equal(lock.fd, -1);
	(void)snprintf(pid, sizeof(pid), "(pid %d, ", holder);
	assert_non_null(strstr(err.text, pid));
	assert_non_null(strstr(err.text, "version 1.2.3"));
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void
the_lock_ends_with_a_killed_holder_and_its_facts_stay(void **state)
{
	struct lock lock;
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	pid_t holder = start_holder(root, 60000);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	assert_int_equal(lock_try(root, &lock, &err), 0);
	assert_string_equal(lock.last_boot_id, "boot-a");
	lock_release(&lock);
}

static void
the_file_is_written_in_place_and_never_longer_than_its_facts(void **state)
{
	struct lock_facts longer = facts;
	struct lock lock;
	struct stat before;
	struct stat after;
	struct err err = {0};
	char wanted[200];
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	assert_int_equal(lock_try(root, &lock, &err), 0);
	assert_string_equal(lock.last_boot_id, "");
	longer.node_name = "a-node-with-a-much-longer-name";
	assert_int_equal(lock_write(&lock, &longer, &err), 0);
	assert_int_equal(stat(ROOT "/agent", &before), 0);
	assert_int_equal(lock_write(&lock, &facts, &err), 0);
	assert_int_equal(stat(ROOT "/agent", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_mode & 0777, 0644);
	scoped_buf text = buf_make(4096);
	assert_int_equal(file_read(root, "agent", &text, &err), 0);
	(void)snprintf(wanted, sizeof(wanted),
	    "pid=%d\nversion=1.2.3\nnode=n1\nboot_id=boot-a\nlast_contact=1795251234\n", getpid());
	assert_string_equal(text.data, wanted);
	lock_release(&lock);
}

static void
a_lock_file_that_was_removed_or_replaced_is_noticed(void **state)
{
	struct lock lock;
	struct lock other;
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	assert_int_equal(lock_try(root, &lock, &err), 0);
	assert_true(lock_held(&lock));
	assert_int_equal(unlinkat(root, "agent", 0), 0);
	assert_false(lock_held(&lock));
	assert_int_equal(lock_try(root, &other, &err), 0);
	assert_true(lock_held(&other));
	assert_false(lock_held(&lock));
	lock_release(&lock);
	lock_release(&other);
}

static void
rubbish_in_the_file_is_no_obstacle(void **state)
{
	static const char rubbish[] = "\0\1boot_id\nboot_id\nxboot_id=no\npid=\n\xff\xff";
	struct lock lock;
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	assert_int_equal(
	    file_replace(root, "agent", rubbish, sizeof(rubbish), 0644, FILE_SYNC_NONE, &err), 0);
	assert_int_equal(lock_try(root, &lock, &err), 0);
	assert_string_equal(lock.last_boot_id, "");
	lock_release(&lock);
}

static void
who_waits_gets_the_lock_when_the_holder_ends(void **state)
{
	struct lock lock;
	struct err err = {0};
	int status;
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct ev_loop *loop = ev_loop_new(0);
	pid_t holder = start_holder(root, 400);
	assert_int_equal(lock_wait(loop, root, 20, &lock, &err), 0);
	assert_true(lock_held(&lock));
	assert_int_equal(waitpid(holder, &status, 0), holder);
	assert_int_equal(status, 0);
	lock_release(&lock);
	ev_loop_destroy(loop);
}

static void
who_waits_too_long_is_refused_with_the_holders_name(void **state)
{
	struct lock lock;
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct ev_loop *loop = ev_loop_new(0);
	pid_t holder = start_holder(root, 60000);
	assert_int_equal(lock_wait(loop, root, 0.5, &lock, &err), -EWOULDBLOCK);
	assert_non_null(strstr(err.text, "holds the lock"));
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	ev_loop_destroy(loop);
}

static void
end_loop(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)timer;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void
a_signal_ends_the_waiting(void **state)
{
	struct lock lock;
	struct ev_timer timer;
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = open_root();
	struct ev_loop *loop = ev_loop_new(0);
	pid_t holder = start_holder(root, 60000);
	ev_timer_init(&timer, end_loop, 0.3, 0.);
	ev_timer_start(loop, &timer);
	assert_int_equal(lock_wait(loop, root, 60, &lock, &err), -ECANCELED);
	assert_int_equal(kill(holder, SIGKILL), 0);
	assert_int_equal(waitpid(holder, NULL, 0), holder);
	ev_loop_destroy(loop);
}

static void
the_boot_id_is_a_line_without_its_end(void **state)
{
	char id[LOCK_BOOT_ID_MAX + 1];
	struct err err = {0};

	(void)state;
	assert_int_equal(lock_boot_id(id, &err), 0);
	assert_int_equal(strlen(id), 36);
	assert_null(strchr(id, '\n'));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    on_tmpfs(a_second_agent_is_refused_and_told_who_has_the_lock),
	    on_tmpfs(the_lock_ends_with_a_killed_holder_and_its_facts_stay),
	    on_tmpfs(the_file_is_written_in_place_and_never_longer_than_its_facts),
	    on_tmpfs(a_lock_file_that_was_removed_or_replaced_is_noticed),
	    on_tmpfs(rubbish_in_the_file_is_no_obstacle),
	    on_tmpfs(who_waits_gets_the_lock_when_the_holder_ends),
	    on_tmpfs(who_waits_too_long_is_refused_with_the_holders_name),
	    on_tmpfs(a_signal_ends_the_waiting),
	    cmocka_unit_test(the_boot_id_is_a_line_without_its_end),
	};

	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
