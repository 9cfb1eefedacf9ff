#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/mem.h"
#include "node/netns.h"
#include "node/netns_id.h"
#include "namespaces.h"

static void
a_file_that_is_no_network_namespace_is_refused(void **state)
{
	static const char *const others[] = {"/dev/null", "/proc/self/ns/mnt", "/proc/self/status", "/"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct err err = {0};
		int fd = -1;
		assert_int_equal(netns_open(others[i], &fd, &err), -EINVAL);
		assert_non_null(strstr(err.text, others[i]));
		assert_int_equal(fd, -1);
	}
}

static void
a_missing_path_is_named(void **state)
{
	struct err err = {0};
	int fd = -1;

	(void)state;
	assert_int_equal(netns_open("/gone", &fd, &err), -ENOENT);
	assert_non_null(strstr(err.text, "'/gone'"));
}

static void
a_fifo_in_its_place_does_not_hold_us(void **state)
{
	char path[] = "/tmp/netns-test-XXXXXX";
	struct err err = {0};
	int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(path));
	scoped_free char *fifo = mem_format("%s/fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(netns_open(fifo, &fd, &err), -EINVAL);
	assert_int_equal(unlink(fifo), 0);
	assert_int_equal(rmdir(path), 0);
}

static void
our_own_namespace_is_known(void **state)
{
	struct err err = {0};
	scoped_fd int fd = -1;
	bool own = false;

	(void)state;
	assert_int_equal(netns_open("/proc/self/ns/net", &fd, &err), 0);
	assert_int_equal(netns_is_own(fd, &own, &err), 0);
	assert_true(own);
}

static void
we_enter_another_one_and_come_back(void **state)
{
	struct err err = {0};
	bool own = true;
	int way_back = -1;

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = other_namespace();
	assert_int_equal(netns_is_own(other, &own, &err), 0);
	assert_false(own);
	assert_int_equal(netns_enter(other, &way_back, &err), 0);
	assert_int_equal(netns_is_own(other, &own, &err), 0);
	assert_true(own);
	netns_leave(way_back);
	assert_int_equal(netns_is_own(other, &own, &err), 0);
	assert_false(own);
}

static void
an_id_is_of_another_namespace_only(void **state)
{
	struct err err = {0};
	scoped_fd int fd = -1;
	struct netns_id id = {.inode = 7};

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(netns_open("/proc/self/ns/net", &fd, &err), 0);
	assert_int_equal(netns_id_read(fd, &id, &err), 0);
	assert_int_equal(id.inode, 0);
	scoped_fd int other = other_namespace();
	assert_int_equal(netns_id_read(other, &id, &err), 0);
	assert_true(id.inode != 0);
	assert_true(netns_id_equal(&id, &id));
}

/* Whichever way the kernel tells it: leases compare it over the life of a boot. */
static void
the_id_has_the_cookie_of_the_sockets_inside(void **state)
{
	struct err err = {0};
	struct netns_id id = {0};
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);
	int way_back = -1;

	(void)state;
	NEEDS_ROOT();
	scoped_fd int other = other_namespace();
	assert_int_equal(netns_id_read(other, &id, &err), 0);
	assert_int_equal(netns_enter(other, &way_back, &err), 0);
	scoped_fd int inside = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	netns_leave(way_back);
	if (getsockopt(inside, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0)
		assert_true(cookie != 0);
	assert_int_equal(id.cookie, cookie);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_is_no_network_namespace_is_refused),
	    cmocka_unit_test(a_missing_path_is_named),
	    cmocka_unit_test(a_fifo_in_its_place_does_not_hold_us),
	    cmocka_unit_test(our_own_namespace_is_known),
	    cmocka_unit_test(we_enter_another_one_and_come_back),
	    cmocka_unit_test(an_id_is_of_another_namespace_only),
	    cmocka_unit_test(the_id_has_the_cookie_of_the_sockets_inside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
