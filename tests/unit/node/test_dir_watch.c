#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "leases.h"
#include "node/dir_watch.h"

static long
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (long)now.tv_sec * 1000 + (long)now.tv_nsec / 1000000;
}

/* How long a wait of at most five seconds takes. */
static long
wait_ms(const struct dir_watch *watch)
{
	long start = now_ms();

	dir_watch_wait(watch, 5000);
	return now_ms() - start;
}

static int
open_folder(void **state)
{
	return open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
touch(int folder, const char *name)
{
	scoped_fd int fd = openat(folder, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
}

static void
each_kind_of_change_since_it_was_opened_ends_a_wait(void **state)
{
	scoped_fd int folder = open_folder(state);
	scoped_dir_watch watch = DIR_WATCH_NONE;

	dir_watch_open(folder, &watch);
	assert_true(watch.fd >= 0);
	touch(folder, "one");
	assert_in_range(wait_ms(&watch), 0, 1000);
	assert_int_equal(linkat(folder, "one", folder, "two", 0), 0);
	assert_in_range(wait_ms(&watch), 0, 1000);
	assert_int_equal(renameat(folder, "one", folder, "two"), 0); /* one file: nothing happens */
	assert_int_equal(renameat(folder, "two", folder, "three"), 0);
	assert_in_range(wait_ms(&watch), 0, 1000);
	assert_int_equal(unlinkat(folder, "one", 0), 0);
	assert_int_equal(unlinkat(folder, "three", 0), 0);
	assert_in_range(wait_ms(&watch), 0, 1000);
}

static void
without_a_change_it_waits_as_long_as_it_may(void **state)
{
	scoped_fd int folder = open_folder(state);
	scoped_dir_watch watch = DIR_WATCH_NONE;

	dir_watch_open(folder, &watch);
	for (unsigned i = 0; i < 300; i++) { /* more than one read yields */
		scoped_free char *name = mem_format("name-%u", i);
		touch(folder, name);
	}
	assert_in_range(wait_ms(&watch), 0, 1000);
	long start = now_ms();
	dir_watch_wait(&watch, 300); /* all of them are consumed */
	assert_in_range(now_ms() - start, 290, 5000);
	start = now_ms();
	dir_watch_wait(&watch, 0);
	assert_in_range(now_ms() - start, 0, 1000);
}

static void
a_change_ends_a_wait_that_has_begun(void **state)
{
	scoped_fd int folder = open_folder(state);
	scoped_dir_watch watch = DIR_WATCH_NONE;

	dir_watch_open(folder, &watch);
	pid_t child = fork();
	if (child == 0) {
		(void)usleep(200 * 1000);
		touch(folder, "late");
		_exit(0);
	}
	assert_in_range(wait_ms(&watch), 150, 3000);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
without_inotify_it_is_a_short_sleep(void **state)
{
	const struct dir_watch none = DIR_WATCH_NONE;

	(void)state;
	assert_in_range(wait_ms(&none), DIR_WATCH_POLL_MS - 1, 2000);
	long start = now_ms();
	dir_watch_wait(&none, 1);
	assert_in_range(now_ms() - start, 0, DIR_WATCH_POLL_MS - 1);
}

static void
what_is_no_directory_is_polled_and_leaks_nothing(void **state)
{
	scoped_dir_watch watch = DIR_WATCH_NONE;
	scoped_fd int before = open_folder(state);

	dir_watch_open(-1, &watch);
	assert_int_equal(watch.fd, -1);
	scoped_fd int after = open_folder(state);
	assert_int_equal(after, before + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_ROOT(each_kind_of_change_since_it_was_opened_ends_a_wait),
	    WITH_ROOT(without_a_change_it_waits_as_long_as_it_may),
	    WITH_ROOT(a_change_ends_a_wait_that_has_begun),
	    WITH_ROOT(without_inotify_it_is_a_short_sleep),
	    WITH_ROOT(what_is_no_directory_is_polled_and_leaks_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
