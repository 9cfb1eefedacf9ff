#include "tests/unit/agent/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/install.h"
#include "core/file.h"

#define PLUGIN "/mnt/plugin"
#define BIN "/mnt/bin"
#define TARGET BIN "/staticip"

static void
put(const char *path, const char *bytes, size_t length, mode_t mode)
{
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void
make_places(const char *plugin)
{
	assert_int_equal(mkdir(BIN, 0755), 0);
	put(PLUGIN, plugin, strlen(plugin), 0600);
}

static struct stat
stat_target(void)
{
	struct stat file = {0};

	assert_int_equal(lstat(TARGET, &file), 0);
	return file;
}

static void
assert_target_is(const char *bytes)
{
	scoped_buf text = buf_make(1 << 20);
	struct err err = {0};

	assert_int_equal(file_read(AT_FDCWD, TARGET, &text, &err), 0);
	assert_string_equal(buf_string(&text), bytes);
	assert_int_equal(stat_target().st_mode, S_IFREG | 0755);
}

static void
a_missing_plugin_is_copied_with_mode_0755(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	assert_target_is("new");
}

static void
an_equal_plugin_is_left_alone(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	ino_t inode = stat_target().st_ino;
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_SAME);
	assert_int_equal(stat_target().st_ino, inode);
}

static void
whatever_was_done_to_it_is_repaired(void **state)
{
	static const char *const damages[] = {"rm " TARGET, "echo -n old >" TARGET,
	    "echo -n newer >" TARGET, ": >" TARGET, "chmod 4755 " TARGET, "chmod 644 " TARGET,
	    "ln -sf /mnt/elsewhere " TARGET, "rm " TARGET " && mkfifo -m 755 " TARGET};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	put("/mnt/elsewhere", "new", 3, 0755);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct err err = {0};
		assert_true(install_plugin(PLUGIN, BIN, &err) >= 0);
		assert_int_equal(system(damages[i]), 0);
		assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
		assert_target_is("new");
	}
}

/* Of many chunks, the last byte apart. */
static void
a_difference_in_the_last_byte_is_seen(void **state)
{
	enum { SIZE = 100 * 1024 + 1 };
	static char bytes[SIZE];
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("");
	memset(bytes, 'a', sizeof(bytes));
	put(PLUGIN, bytes, sizeof(bytes), 0600);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_SAME);
	bytes[SIZE - 1] = 'b';
	put(PLUGIN, bytes, sizeof(bytes), 0600);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_SAME);
}

static void
a_running_plugin_is_replaced_and_runs_on(void **state)
{
	struct err err = {0};
	int status;
	(void)state;

	NEEDS_TMPFS();
	make_places("new");
	assert_int_equal(system("cp /bin/sleep " TARGET), 0);
	pid_t running = fork();
	if (running == 0) {
		(void)execl(TARGET, "sleep", "30", NULL);
		_exit(9);
	}
	scoped_free char *exe = mem_format("/proc/%d/exe", running);
	char program[64] = "";
	for (int tries = 0; tries < 500 && strncmp(program, TARGET, strlen(TARGET)) != 0; tries++) {
		usleep(10 * 1000);
		ssize_t length = readlink(exe, program, sizeof(program) - 1);
		program[length > 0 ? length : 0] = '\0';
	}
	/* writing to it would be "Text file busy" */
	assert_int_equal(open(TARGET, O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, ETXTBSY);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	assert_target_is("new");
	assert_int_equal(waitpid(running, &status, WNOHANG), 0); /* it runs on */
	assert_int_equal(kill(running, SIGKILL), 0);
	assert_int_equal(waitpid(running, &status, 0), running);
}

static void
who_runs_it_meanwhile_gets_the_old_program_or_the_new_one(void **state)
{
	unsigned seen[2] = {0};
	int status = -1;
	(void)state;

	NEEDS_TMPFS();
	assert_int_equal(mkdir(BIN, 0755), 0);
	assert_int_equal(system("cp /bin/true /mnt/a && cp /bin/false /mnt/b"), 0);
	assert_int_equal(install_plugin("/mnt/a", BIN, NULL), INSTALL_COPIED);
	pid_t writer = fork();
	if (writer == 0) {
		for (int i = 0;; i++)
			if (install_plugin(i % 2 ? "/mnt/a" : "/mnt/b", BIN, NULL) < 0)
				_exit(1);
	}
	/* until both were met often, however busy the machine is */
	for (int runs = 0; runs < 20000 && (seen[0] < 50 || seen[1] < 50); runs++) {
		int said;
		pid_t runner = fork();
		if (runner == 0) {
			(void)execl(TARGET, "staticip", NULL);
			_exit(9);
		}
		assert_int_equal(waitpid(runner, &said, 0), runner);
		assert_true(WIFEXITED(said) && WEXITSTATUS(said) <= 1);
		seen[WEXITSTATUS(said)]++;
	}
	assert_int_equal(waitpid(writer, &status, WNOHANG), 0); /* it did not fail */
	assert_int_equal(kill(writer, SIGKILL), 0);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_true(seen[0] >= 50 && seen[1] >= 50);
}

static void
an_empty_or_missing_plugin_never_replaces_a_good_one(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), INSTALL_COPIED);
	put(PLUGIN, "", 0, 0600);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "'/mnt/plugin' is empty"));
	assert_int_equal(unlink(PLUGIN), 0);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), -ENOENT);
	assert_non_null(strstr(err.text, "--plugin-file"));
	assert_target_is("new");
}

static void
a_directory_that_is_missing_or_read_only_is_named_with_the_way_out(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	assert_int_equal(install_plugin(PLUGIN, "/mnt/opt/cni/bin", &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/mnt/opt/cni/bin'"));
	assert_non_null(strstr(err.text, "--install-plugin"));
	assert_int_equal(mount(BIN, BIN, NULL, MS_BIND, NULL), 0);
	assert_int_equal(mount(NULL, BIN, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_int_equal(install_plugin(PLUGIN, BIN, &err), -EROFS);
	assert_non_null(strstr(err.text, "'" BIN "'"));
	assert_int_equal(umount2(BIN, MNT_DETACH), 0);
}

static void
only_our_own_temporary_files_are_swept(void **state)
{
	struct err err = {0};

	(void)state;
	NEEDS_TMPFS();
	make_places("new");
	put(BIN "/.staticip.tmp.17", "half", 4, 0600);
	put(BIN "/.calico.tmp.17", "x", 1, 0600);
	put(BIN "/staticip.tmp.1", "x", 1, 0600);
	assert_int_equal(install_sweep(BIN, &err), 0);
	assert_int_equal(access(BIN "/.staticip.tmp.17", F_OK), -1);
	assert_int_equal(access(BIN "/.calico.tmp.17", F_OK), 0);
	assert_int_equal(access(BIN "/staticip.tmp.1", F_OK), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    on_tmpfs(a_missing_plugin_is_copied_with_mode_0755),
	    on_tmpfs(an_equal_plugin_is_left_alone),
	    on_tmpfs(whatever_was_done_to_it_is_repaired),
	    on_tmpfs(a_difference_in_the_last_byte_is_seen),
	    on_tmpfs(a_running_plugin_is_replaced_and_runs_on),
	    on_tmpfs(who_runs_it_meanwhile_gets_the_old_program_or_the_new_one),
	    on_tmpfs(an_empty_or_missing_plugin_never_replaces_a_good_one),
	    on_tmpfs(a_directory_that_is_missing_or_read_only_is_named_with_the_way_out),
	    on_tmpfs(only_our_own_temporary_files_are_swept),
	};

	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
