#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/mem.h"
#include "namespaces.h"
#include "node/netns.h"
#include "node/netns_each.h"
#include "node/netns_id.h"

/* A namespace whose only hold is its mount at PLACE/ns below a fresh directory. */
struct mounted {
	char folder[64];
	char path[128];
	struct netns_id id;
};

static void
bind_netns(const char *source, const char *path)
{
	scoped_fd int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(mount(source, path, NULL, MS_BIND, NULL), 0);
}

static int
make_mounted(void **state)
{
	struct mounted *m = mem_new(1, sizeof(*m));

	(void)snprintf(m->folder, sizeof(m->folder), "/dev/shm/netns-id-XXXXXX");
	if (!mkdtemp(m->folder))
		return -1;
	*state = m;
	if (geteuid() != 0)
		return 0;
	(void)snprintf(m->path, sizeof(m->path), "%s/ns", m->folder);
	scoped_fd int netns = other_namespace();
	scoped_free char *source = mem_format("/proc/self/fd/%d", netns);
	bind_netns(source, m->path);
	return netns_id_read(netns, &m->id, NULL);
}

static int
remove_mounted(void **state)
{
	struct mounted *m = *state;
	scoped_free char *command = mem_format(
	    "cd %s && for f in */ns ns; do umount \"$f\" 2>/dev/null; done; cd / && umount %s/hidden "
	    "2>/dev/null; rm -r %s",
	    m->folder, m->folder, m->folder);
	int rc = system(command);

	mem_free(m);
	return rc;
}
#define WITH_MOUNT(test) cmocka_unit_test_setup_teardown(test, make_mounted, remove_mounted)

static void
assert_found(const char *path, const struct netns_id *id)
{
	struct netns_id found = {0};
	struct err err = {0};
	scoped_fd int netns = -1;
	int rc = netns_id_find(path, id, &netns, &err);

	if (rc != 1)
		fail_msg("%s: %d instead of 1: %s", path, rc, err.text);
	assert_int_equal(netns_id_read(netns, &found, NULL), 0);
	assert_true(netns_id_equal(&found, id));
}

static void
assert_gone(const char *path, const struct netns_id *id)
{
	struct err err = {0};
	int netns = -1;
	int rc = netns_id_find(path, id, &netns, &err);

	if (rc != 0 || err.code)
		fail_msg("%s: %d instead of 0: %s", path, rc, err.text);
	assert_int_equal(netns, -1);
}

static void
a_namespace_has_an_inode_and_a_cookie_and_no_two_are_equal(void **state)
{
	const struct mounted *m = *state;
	struct netns_id id = {0};
	bool is_own = false;

	NEEDS_ROOT();
	scoped_fd int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	scoped_fd int other = other_namespace();
	assert_int_equal(netns_id_read(other, &id, NULL), 0);
	assert_true(id.inode != 0);
	assert_true(id.cookie != 0 && id.cookie != m->id.cookie);
	assert_true(netns_id_equal(&id, &id));
	assert_false(netns_id_equal(&id, &m->id));
	/* and we are where we were */
	assert_int_equal(netns_is_own(own, &is_own, NULL), 0);
	assert_true(is_own);
}

static void
unknown_ids_are_equal_to_nothing_and_looked_for_by_nothing(void **state)
{
	const struct netns_id unknown = {0};
	struct err err = {0};
	int netns = -1;

	(void)state;
	assert_false(netns_id_equal(&unknown, &unknown));
	assert_int_equal(netns_id_find("/proc/self/ns/net", &unknown, &netns, &err), -ENODATA);
	assert_int_equal(netns, -1);
}

static void
it_is_found_by_its_path(void **state)
{
	const struct mounted *m = *state;

	NEEDS_ROOT();
	assert_found(m->path, &m->id);
}

static void
it_is_found_by_another_mount_with_any_name(void **state)
{
	static const char *const names[] = {"other", "a space", "a\\backslash", "a\ttab\\040", "\\"};
	const struct mounted *m = *state;

	NEEDS_ROOT();
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		scoped_free char *folder = mem_format("%s/%s", m->folder, names[i]);
		scoped_free char *path = mem_format("%s/ns", folder);
		assert_int_equal(mkdir(folder, 0700), 0);
		bind_netns(m->path, path);
		assert_int_equal(umount2(m->path, MNT_DETACH), 0);
		assert_found(m->path, &m->id);
		assert_found("", &m->id);
		bind_netns(path, m->path);
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	}
}

/* A process in the namespace, until it is killed. */
static pid_t
process_in(const char *path)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		int netns = open(path, O_RDONLY | O_CLOEXEC);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setns(netns, CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return child;
}

static void
end_process(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void
it_is_found_by_its_processes_and_gone_with_the_last(void **state)
{
	const struct mounted *m = *state;

	NEEDS_ROOT();
	pid_t child = process_in(m->path);
	assert_int_equal(umount2(m->path, MNT_DETACH), 0);
	assert_found(m->path, &m->id);
	end_process(child);
	assert_gone(m->path, &m->id);
}

static void *
live_on_in(void *path)
{
	int netns = open(path, O_RDONLY | O_CLOEXEC);

	if (setns(netns, CLONE_NEWNET) < 0)
		_exit(1);
	for (;;)
		(void)pause();
}

/* A process whose first thread has ended, and another is in the namespace. */
static pid_t
threads_in(const char *path)
{
	scoped_free char *copy = mem_text(path);
	pid_t child = fork();
	pthread_t thread;

	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, live_on_in, copy))
			_exit(1);
		pthread_exit(NULL);
	}
	return child;
}

static void
it_is_found_by_a_thread_whose_process_has_no_first_one_any_more(void **state)
{
	const struct mounted *m = *state;
	char target[8];

	NEEDS_ROOT();
	pid_t child = threads_in(m->path);
	scoped_free char *link = mem_format("/proc/%d/ns/net", child);
	for (unsigned i = 0; i < 1000 && readlink(link, target, sizeof(target)) > 0; i++)
		(void)usleep(1000);
	assert_int_equal(readlink(link, target, sizeof(target)), -1);
	(void)usleep(50 * 1000); /* the other one is on its way */
	assert_int_equal(umount2(m->path, MNT_DETACH), 0);
	assert_found(m->path, &m->id);
	end_process(child);
	assert_gone(m->path, &m->id);
}

static void
what_only_an_open_file_keeps_counts_as_gone(void **state)
{
	const struct mounted *m = *state;

	NEEDS_ROOT();
	scoped_fd int netns = open(m->path, O_RDONLY | O_CLOEXEC);
	assert_true(netns >= 0);
	assert_int_equal(umount2(m->path, MNT_DETACH), 0);
	assert_gone(m->path, &m->id);
}

static void
another_namespace_at_the_same_path_is_not_it(void **state)
{
	const struct mounted *m = *state;
	struct netns_id same_inode = m->id;

	NEEDS_ROOT();
	same_inode.cookie++; /* the number was given out again */
	assert_gone(m->path, &same_inode);
	assert_int_equal(umount2(m->path, MNT_DETACH), 0);
	scoped_fd int netns = other_namespace();
	scoped_free char *source = mem_format("/proc/self/fd/%d", netns);
	bind_netns(source, m->path);
	assert_gone(m->path, &m->id);
}

static void
one_whose_mount_is_hidden_by_another_is_not_gone(void **state)
{
	const struct mounted *m = *state;
	scoped_free char *folder = mem_format("%s/hidden", m->folder);
	scoped_free char *path = mem_format("%s/ns", folder);
	struct err err = {0};
	int found = -1;

	NEEDS_ROOT();
	assert_int_equal(mkdir(folder, 0700), 0);
	bind_netns(m->path, path);
	assert_int_equal(umount2(m->path, MNT_DETACH), 0);
	assert_int_equal(mount("hidden", folder, "tmpfs", 0, NULL), 0);
	int rc = netns_id_find(m->path, &m->id, &found, &err);
	assert_int_equal(umount(folder), 0);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	if (rc >= 0)
		fail_msg("%d: a namespace that lives counts as %s", rc, rc ? "found" : "gone");
	assert_non_null(strstr(err.text, path));
}

/* Whether a process without privileges takes what it must not see for gone. */
static int
find_without_privileges(void)
{
	const struct netns_id id = {.inode = 1, .cookie = 1};
	struct err err = {0};
	int netns = -1;

	if (setgid(65534) < 0 || setuid(65534) < 0)
		return 2;
	int rc = netns_id_find("/nowhere", &id, &netns, &err);
	return rc == -EACCES && strstr(err.text, "process") ? 0 : 1;
}

static void
processes_that_we_may_not_look_at_are_no_proof_that_it_is_gone(void **state)
{
	int status = -1;

	(void)state;
	NEEDS_ROOT();
	pid_t child = fork();
	if (child == 0)
		_exit(find_without_privileges());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

struct counted {
	struct netns_id wanted;
	unsigned times;
	char path[128];
};

static void
count_it(void *cookie, const struct netns_place *place)
{
	struct counted *counted = cookie;

	if (!netns_id_equal(&place->id, &counted->wanted))
		return;
	counted->times++;
	(void)snprintf(counted->path, sizeof(counted->path), "%s", place->path);
}

static void
every_namespace_of_the_node_is_visited_once(void **state)
{
	const struct mounted *m = *state;
	struct counted mounted = {.wanted = m->id};
	struct err err = {0};

	NEEDS_ROOT();
	/* a second mount of the same one is no second namespace */
	scoped_free char *again = mem_format("%s/again", m->folder);
	bind_netns(m->path, again);
	(void)netns_each(count_it, &mounted, &err); /* others' processes are not ours to judge */
	assert_int_equal(mounted.times, 1);
	/* our own is no pod's */
	struct counted own = {.wanted = {.inode = 0}};
	scoped_fd int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	own.wanted.inode = status.st_ino;
	(void)netns_each(count_it, &own, &err);
	assert_int_equal(own.times, 0);
	assert_int_equal(umount(again), 0);
	assert_int_equal(unlink(again), 0);
}

static void
a_namespace_whose_mount_is_hidden_is_an_error(void **state)
{
	const struct mounted *m = *state;
	struct counted mounted = {.wanted = m->id};
	struct err err = {0};

	NEEDS_ROOT();
	assert_int_equal(mount("over", m->folder, "tmpfs", 0, NULL), 0);
	int rc = netns_each(count_it, &mounted, &err);
	assert_int_equal(umount(m->folder), 0);
	assert_int_equal(mounted.times, 0);
	assert_true(rc < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_MOUNT(a_namespace_has_an_inode_and_a_cookie_and_no_two_are_equal),
	    cmocka_unit_test(unknown_ids_are_equal_to_nothing_and_looked_for_by_nothing),
	    WITH_MOUNT(it_is_found_by_its_path),
	    WITH_MOUNT(it_is_found_by_another_mount_with_any_name),
	    WITH_MOUNT(it_is_found_by_its_processes_and_gone_with_the_last),
	    WITH_MOUNT(it_is_found_by_a_thread_whose_process_has_no_first_one_any_more),
	    WITH_MOUNT(what_only_an_open_file_keeps_counts_as_gone),
	    WITH_MOUNT(another_namespace_at_the_same_path_is_not_it),
	    WITH_MOUNT(one_whose_mount_is_hidden_by_another_is_not_gone),
	    WITH_MOUNT(every_namespace_of_the_node_is_visited_once),
	    WITH_MOUNT(a_namespace_whose_mount_is_hidden_is_an_error),
	    cmocka_unit_test(processes_that_we_may_not_look_at_are_no_proof_that_it_is_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
