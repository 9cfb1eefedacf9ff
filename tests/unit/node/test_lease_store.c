#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "leases.h"

/* ---- helpers ---------------------------------------------------------------- */

/* The store of network "mynet" and its domain's directory. */
struct opened {
	struct lease_store store;
	int domain;
};

static void
opened_close(struct opened *opened)
{
	lease_store_close(&opened->store);
	mem_cleanup_fd(&opened->domain);
}
#define scoped_opened __attribute__((cleanup(opened_close))) struct opened

static struct opened
open_all(void **state)
{
	struct opened opened = {.store = LEASE_STORE_NONE, .domain = -1};
	struct err err = {0};

	if (lease_store_open(*state, "mynet", true, &opened.store, &err) != 1 ||
	    lease_domain_open(&opened.store, "network/mynet", true, &opened.domain, &err) != 1)
		fail_msg("%s", err.text);
	return opened;
}

/* An attachment with all its addresses leased, unlocked and closed. */
static void
make_lease(const struct opened *opened, const struct lease *lease)
{
	scoped_lease_file file = LEASE_FILE_NONE;
	char name[ADDRESS_TEXT_MAX];
	struct err err = {0};

	if (lease_create(&opened->store, lease, &file, &err))
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < lease->ip_count; i++)
		if (lease_link(&file, opened->domain, ip_print(&lease->ips[i].ip, name), &err))
			fail_msg("%s", err.text);
}

static void
assert_names(void **state, unsigned attachments, unsigned addresses)
{
	assert_int_equal(names_in(*state, "leases/by-attachment/mynet"), attachments);
	assert_int_equal(names_in(*state, "leases/network/mynet"), addresses);
}

static int
open_attachment(const struct opened *opened, const char *name, struct lease_file *file,
    struct lease *lease)
{
	return lease_open(opened->store.attachments, name, file, lease, NULL);
}

/* ---- directories ------------------------------------------------------------ */

static void
without_make_nothing_is_made(void **state)
{
	scoped_lease_store store = LEASE_STORE_NONE;

	assert_int_equal(lease_store_open(*state, "mynet", false, &store, NULL), 0);
	assert_int_equal(lease_store_open("/nowhere", "mynet", false, &store, NULL), 0);
	assert_false(is_there(*state, "leases"));
}

static void
directories_are_made_for_root_only(void **state)
{
	static const char *const paths[] = {"leases", "leases/by-attachment",
	    "leases/by-attachment/mynet", "leases/network", "leases/network/mynet"};
	mode_t mask = umask(0);
	scoped_opened opened = open_all(state);

	(void)umask(mask);
	assert_true(opened.domain >= 0);
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		scoped_free char *path = mem_format("%s/%s", (char *)*state, paths[i]);
		struct stat status;
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0700);
	}
}

static void
a_missing_root_is_made_and_another_network_found_later(void **state)
{
	scoped_free char *root = mem_format("%s/fresh", (char *)*state);
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_lease_store other = LEASE_STORE_NONE;
	scoped_fd int domain = -1;

	assert_int_equal(lease_store_open(root, "mynet", true, &store, NULL), 1);
	assert_int_equal(lease_store_open(root, "other", false, &other, NULL), 0);
	assert_int_equal(lease_domain_open(&store, "pool/x", false, &domain, NULL), 0);
	assert_int_equal(lease_store_open(root, "other", true, &other, NULL), 1);
}

static void
a_root_that_outlives_the_boot_is_refused(void **state)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	struct err err = {0};

	(void)state;
	/* /proc stands for every file system that is not tmpfs */
	assert_int_equal(lease_store_open("/proc", "mynet", true, &store, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/proc is not on tmpfs"));
	assert_int_equal(store.leases, -1);
}

static void
a_domain_without_a_kind_is_refused(void **state)
{
	scoped_opened opened = open_all(state);
	struct err err = {0};
	int domain = -1;

	assert_int_equal(lease_domain_open(&opened.store, "mynet", true, &domain, &err), -EINVAL);
	assert_non_null(strstr(err.text, "'mynet'"));
}

/* ---- one lease -------------------------------------------------------------- */

static void
a_lease_is_made_found_under_each_name_and_ended(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", "fd00::1/64");
	const struct {
		int directory;
		const char *name;
	} names[] = {{opened.store.attachments, "c1:eth0"}, {opened.domain, "10.0.2.40"},
	    {opened.domain, "fd00::1"}};

	make_lease(&opened, &lease);
	assert_names(state, 1, 2);
	for (unsigned i = 0; i < 3; i++) {
		scoped_lease_file file = LEASE_FILE_NONE;
		struct lease back;
		assert_int_equal(lease_open(names[i].directory, names[i].name, &file, &back, NULL), 1);
		assert_true(attachment_equal(&back.holder, &lease.holder));
		assert_true(lease_complete(&file, &back));
		assert_int_equal(lease_owned(&opened.store, &file, &back, NULL), 1);
	}
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;
	assert_int_equal(open_attachment(&opened, "c1:eth0", &file, &back), 1);
	assert_int_equal(lease_end(&opened.store, &file, &back, NULL), 0);
	assert_names(state, 0, 0);
	assert_int_equal(open_attachment(&opened, "c1:eth0", &file, &back), 0);
}

static void
an_attachment_has_one_file_and_an_address_one_holder(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease first = lease_of("c1", "10.0.2.40/24", NULL);
	const struct lease second = lease_of("c2", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct err err = {0};

	make_lease(&opened, &first);
	assert_int_equal(lease_create(&opened.store, &first, &file, &err), -EEXIST);
	assert_int_equal(file.fd, -1);
	assert_int_equal(lease_create(&opened.store, &second, &file, &err), 0);
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.40", &err), -EEXIST);
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.41", &err), 0);
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.41", &err), 0); /* again */
	assert_int_equal(lease_unlink(&file, opened.domain, "10.0.2.40", &err), 0);
	assert_names(state, 2, 2); /* the other's name is not taken away */
}

static void
a_lease_lacks_something_until_each_of_its_addresses_is_linked(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", "10.0.2.41/24");
	const struct lease none = lease_of("c1", NULL, NULL);
	scoped_lease_file file = LEASE_FILE_NONE;

	assert_int_equal(lease_create(&opened.store, &lease, &file, NULL), 0);
	assert_false(lease_complete(&file, &lease));
	assert_false(lease_complete(&file, &none));
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.40", NULL), 0);
	assert_false(lease_complete(&file, &lease));
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.41", NULL), 0);
	assert_true(lease_complete(&file, &lease));
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.42", NULL), 0);
	assert_false(lease_complete(&file, &lease));
}

static void
addresses_that_were_never_written_down_end_with_their_lease(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	const struct lease other = lease_of("c2", "10.0.2.50/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;

	make_lease(&opened, &other);
	assert_int_equal(lease_create(&opened.store, &lease, &file, NULL), 0);
	for (unsigned i = 60; i < 90; i++) {
		scoped_free char *name = mem_format("10.0.2.%u", i);
		assert_int_equal(lease_link(&file, opened.domain, name, NULL), 0);
	}
	assert_int_equal(lease_end(&opened.store, &file, &lease, NULL), 0);
	assert_names(state, 1, 1);
	assert_true(is_there(*state, "leases/network/mynet/10.0.2.50"));
}

static void
a_lease_of_another_network_of_the_domain_ends_whole(void **state)
{
	scoped_opened opened = open_all(state);
	scoped_lease_store other = LEASE_STORE_NONE;
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;

	make_lease(&opened, &lease);
	assert_int_equal(lease_store_open(*state, "other", true, &other, NULL), 1);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, NULL), 1);
	assert_int_equal(lease_owned(&other, &file, &back, NULL), 1);
	assert_int_equal(lease_end(&other, &file, &back, NULL), 0);
	assert_names(state, 0, 0);
}

static void
a_file_without_its_attachments_name_is_nobodys(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;

	make_lease(&opened, &lease);
	assert_int_equal(unlinkat(opened.store.attachments, "c1:eth0", 0), 0);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, NULL), 1);
	assert_int_equal(lease_owned(&opened.store, &file, &back, NULL), 0);
	/* nor does the name help when it leads to another file */
	lease_close(&file);
	const struct lease anew = lease_of("c1", "10.0.2.41/24", NULL);
	make_lease(&opened, &anew);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, NULL), 1);
	assert_int_equal(lease_owned(&opened.store, &file, &back, NULL), 0);
}

static void
damage_is_told_and_never_taken_for_free(void **state)
{
	static const char *const contents[] = {"", "rubbish", "{}", "{\"network\":\"mynet\""};
	scoped_opened opened = open_all(state);

	for (unsigned i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		scoped_lease_file file = LEASE_FILE_NONE;
		struct lease back;
		struct err err = {0};
		int flags = O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC;
		scoped_fd int fd = openat(opened.domain, "10.0.2.40", flags, 0600);
		assert_int_equal(write(fd, contents[i], strlen(contents[i])), strlen(contents[i]));
		assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, &err), -EBADMSG);
		assert_int_equal(err.code, EBADMSG);
		assert_non_null(strstr(err.text, "10.0.2.40"));
		assert_int_equal(file.fd, -1);
	}
}

static void
nothing_is_followed_through_a_symbolic_link(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;

	make_lease(&opened, &lease);
	assert_int_equal(symlinkat("10.0.2.40", opened.domain, "10.0.2.41"), 0);
	assert_int_equal(symlinkat("c1:eth0", opened.store.attachments, "c2:eth0"), 0);
	assert_int_equal(lease_open(opened.domain, "10.0.2.41", &file, &back, NULL), -ELOOP);
	assert_int_equal(open_attachment(&opened, "c2:eth0", &file, &back), -ELOOP);
	const struct lease second = lease_of("c3", "10.0.2.41/24", NULL);
	assert_int_equal(lease_create(&opened.store, &second, &file, NULL), 0);
	assert_int_equal(lease_link(&file, opened.domain, "10.0.2.41", NULL), -EEXIST);
	assert_int_equal(lease_unlink(&file, opened.domain, "10.0.2.41", NULL), 0);
	assert_true(is_there(*state, "leases/network/mynet/10.0.2.41"));
	/* the hint too: not written through one */
	const struct ip last = cidr_of("10.0.2.77/24").ip;
	assert_int_equal(symlinkat("10.0.2.40", opened.domain, ".last.0"), 0);
	lease_last_write(opened.domain, 0, &last);
	lease_close(&file);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, NULL), 1);
}

/* ---- locks ------------------------------------------------------------------ */

static void
a_lock_that_another_process_keeps_is_not_waited_for_without_end(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;
	struct err err = {0};

	make_lease(&opened, &lease);
	/* a lock belongs to the open file: this one is as good as another process's */
	scoped_fd int keeper = openat(opened.domain, "10.0.2.40", O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(keeper, LOCK_EX), 0);
	time_t start = time(NULL);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, &err), -ETIMEDOUT);
	assert_in_range(time(NULL) - start, LEASE_LOCK_MS / 1000, 30);
	assert_non_null(strstr(err.text, "10.0.2.40"));
	assert_int_equal(file.fd, -1);
	assert_int_equal(flock(keeper, LOCK_UN), 0);
	assert_int_equal(lease_open(opened.domain, "10.0.2.40", &file, &back, &err), 1);
}

static void
a_lease_is_read_and_tried_while_another_process_keeps_its_lock(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	scoped_free struct lease *list = NULL;
	size_t count = 0;
	struct lease back;
	struct err err = {0};

	make_lease(&opened, &lease);
	scoped_fd int keeper = openat(opened.domain, "10.0.2.40", O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(keeper, LOCK_EX), 0);
	assert_int_equal(lease_list(*state, &list, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(list[0].holder.uid, "u-c1");
	assert_int_equal(lease_look(opened.domain, "10.0.2.40", &file, &back, &err), 1);
	assert_int_equal(lease_try_lock(&file, opened.domain, "10.0.2.40", &back, &err), -EWOULDBLOCK);
	assert_int_equal(flock(keeper, LOCK_UN), 0);
	assert_int_equal(lease_try_lock(&file, opened.domain, "10.0.2.40", &back, &err), 1);
	/* an ADD has taken it since: it is another one's */
	back.adds++;
	assert_int_equal(lease_try_lock(&file, opened.domain, "10.0.2.40", &back, &err), 0);
	lease_close(&file);
	assert_int_equal(lease_look(opened.domain, "10.0.2.41", &file, &back, &err), 0);
}

static void
who_waited_for_a_lock_finds_out_that_the_lease_has_ended(void **state)
{
	scoped_opened opened = open_all(state);
	const struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;
	struct lease back;

	make_lease(&opened, &lease);
	assert_int_equal(open_attachment(&opened, "c1:eth0", &file, &back), 1);
	pid_t child = fork();
	if (child == 0) {
		scoped_lease_file late = LEASE_FILE_NONE;
		lease_close(&file); /* or its lock would be ours too */
		_exit(lease_open(opened.domain, "10.0.2.40", &late, &back, NULL) == 0 ? 0 : 1);
	}
	(void)usleep(50 * 1000);
	assert_int_equal(lease_end(&opened.store, &file, &lease, NULL), 0);
	lease_close(&file);
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
I5_a_lease_that_an_ADD_took_meanwhile_is_not_the_one_that_was_looked_at(void **state)
{
	scoped_opened opened = open_all(state);
	struct lease lease = lease_of("c1", "10.0.2.40/24", NULL);
	scoped_lease_file looked = LEASE_FILE_NONE;
	struct lease known;

	make_lease(&opened, &lease);
	assert_int_equal(open_attachment(&opened, "c1:eth0", &looked, &known), 1);
	lease_unlock(&looked);
	assert_int_equal(lease_lock(&looked, opened.domain, "10.0.2.40", &known, NULL), 1);
	lease.closing = true; /* a DEL that could not: nobody else's by that */
	assert_int_equal(lease_write(&looked, &lease, NULL), 0);
	assert_int_equal(lease_lock(&looked, opened.domain, "10.0.2.40", &known, NULL), 1);
	lease.adds++;
	assert_int_equal(lease_write(&looked, &lease, NULL), 0);
	assert_int_equal(lease_lock(&looked, opened.domain, "10.0.2.40", &known, NULL), 0);
	lease = known;
	(void)snprintf(lease.holder.container, sizeof(lease.holder.container), "c2");
	assert_int_equal(lease_write(&looked, &lease, NULL), 0);
	assert_int_equal(lease_lock(&looked, opened.domain, "10.0.2.40", &known, NULL), 0);
	/* made anew under all its names: another file */
	assert_int_equal(lease_write(&looked, &known, NULL), 0);
	assert_int_equal(lease_end(&opened.store, &looked, &known, NULL), 0);
	make_lease(&opened, &known);
	assert_int_equal(lease_lock(&looked, opened.domain, "10.0.2.40", &known, NULL), 0);
	assert_int_equal(
	    lease_lock(&looked, opened.store.attachments, "c1:eth0", &known, NULL), 0);
}

/* ---- races ------------------------------------------------------------------ */

enum { RACERS = 50 };

/* 0: this process has the address; 1: another one was first; 2: an error. */
static int
race(void **state, unsigned number)
{
	scoped_opened opened = open_all(state);
	scoped_free char *container = mem_format("c%u", number);
	const struct lease lease = lease_of(container, "10.0.2.40/24", NULL);
	scoped_lease_file file = LEASE_FILE_NONE;

	if (lease_create(&opened.store, &lease, &file, NULL))
		return 2;
	int rc = lease_link(&file, opened.domain, "10.0.2.40", NULL);
	if (rc == 0)
		return 0;
	return rc == -EEXIST && lease_end(&opened.store, &file, &lease, NULL) == 0 ? 1 : 2;
}

static void
I1_of_fifty_processes_that_want_one_address_exactly_one_has_it(void **state)
{
	pid_t children[RACERS];
	unsigned count[3] = {0};
	int gate[2];

	assert_int_equal(pipe(gate), 0);
	for (unsigned i = 0; i < RACERS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char byte;
			(void)close(gate[1]);
			(void)!read(gate[0], &byte, 1); /* until the gate closes: all at once */
			_exit(race(state, i));
		}
	}
	(void)close(gate[0]);
	(void)close(gate[1]);
	for (unsigned i = 0; i < RACERS; i++) {
		int status = -1;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 3);
		count[WEXITSTATUS(status)]++;
	}
	assert_int_equal(count[0], 1);
	assert_int_equal(count[1], RACERS - 1);
	assert_names(state, 1, 1);
}

/* ---- the rest --------------------------------------------------------------- */

static void
count_visit(void *cookie, const char *name)
{
	unsigned *count = cookie;

	assert_non_null(strchr(name, ':'));
	(*count)++;
}

static void
each_attachment_is_visited_once(void **state)
{
	scoped_opened opened = open_all(state);
	unsigned count = 0;

	for (unsigned i = 0; i < 300; i++) {
		scoped_free char *container = mem_format("c%u", i);
		const struct lease lease = lease_of(container, NULL, NULL);
		make_lease(&opened, &lease);
	}
	for (int turn = 1; turn <= 2; turn++) {
		assert_int_equal(lease_each(&opened.store, count_visit, &count, NULL), 0);
		assert_int_equal(count, 300 * turn);
	}
}

static void
the_last_address_of_a_set_is_remembered_as_a_hint(void **state)
{
	scoped_opened opened = open_all(state);
	const struct ip v4 = cidr_of("10.0.2.40/24").ip;
	const struct ip v6 = cidr_of("2001:db8:1111:2222:3333:4444:5555:6666/64").ip;
	struct ip back;

	assert_int_equal(lease_last_read(opened.domain, 0).family, 0);
	lease_last_write(opened.domain, 0, &v6);
	back = lease_last_read(opened.domain, 0);
	assert_true(ip_equal(&back, &v6));
	lease_last_write(opened.domain, 0, &v4); /* shorter */
	back = lease_last_read(opened.domain, 0);
	assert_true(ip_equal(&back, &v4));
	assert_int_equal(lease_last_read(opened.domain, 1).family, 0);
	scoped_fd int fd = openat(opened.domain, ".last.1", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "rubbish", 7), 7);
	assert_int_equal(lease_last_read(opened.domain, 1).family, 0);
	assert_names(state, 0, 0); /* and it is no address */
}

static void
a_name_is_container_and_interface(void **state)
{
	char name[LEASE_NAME_MAX];
	char container[CONTAINER_ID_MAX + 1];

	(void)state;
	assert_string_equal(lease_name("c1", "eth0", name), "c1:eth0");
	memset(container, 'c', CONTAINER_ID_MAX);
	container[CONTAINER_ID_MAX] = '\0';
	assert_int_equal(strlen(lease_name(container, "fifteen-letters", name)), CONTAINER_ID_MAX + 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_ROOT(without_make_nothing_is_made),
	    WITH_ROOT(directories_are_made_for_root_only),
	    WITH_ROOT(a_missing_root_is_made_and_another_network_found_later),
	    cmocka_unit_test(a_root_that_outlives_the_boot_is_refused),
	    WITH_ROOT(a_domain_without_a_kind_is_refused),
	    WITH_ROOT(a_lease_is_made_found_under_each_name_and_ended),
	    WITH_ROOT(an_attachment_has_one_file_and_an_address_one_holder),
	    WITH_ROOT(a_lease_lacks_something_until_each_of_its_addresses_is_linked),
	    WITH_ROOT(addresses_that_were_never_written_down_end_with_their_lease),
	    WITH_ROOT(a_lease_of_another_network_of_the_domain_ends_whole),
	    WITH_ROOT(a_file_without_its_attachments_name_is_nobodys),
	    WITH_ROOT(damage_is_told_and_never_taken_for_free),
	    WITH_ROOT(nothing_is_followed_through_a_symbolic_link),
	    WITH_ROOT(a_lock_that_another_process_keeps_is_not_waited_for_without_end),
	    WITH_ROOT(a_lease_is_read_and_tried_while_another_process_keeps_its_lock),
	    WITH_ROOT(who_waited_for_a_lock_finds_out_that_the_lease_has_ended),
	    WITH_ROOT(I5_a_lease_that_an_ADD_took_meanwhile_is_not_the_one_that_was_looked_at),
	    WITH_ROOT(I1_of_fifty_processes_that_want_one_address_exactly_one_has_it),
	    WITH_ROOT(each_attachment_is_visited_once),
	    WITH_ROOT(the_last_address_of_a_set_is_remembered_as_a_hint),
	    WITH_ROOT(a_name_is_container_and_interface),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
