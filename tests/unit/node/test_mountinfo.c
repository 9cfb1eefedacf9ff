#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "node/mountinfo.h"

static void
each_line_has_root_point_and_whether_mounts_arrive(void **state)
{
	scoped_free char *text = mem_text(
	    "22 1 0:21 / / rw,relatime - ext4 /dev/vda rw\n"
	    "half a line\n"
	    "23 22 0:24 /netns /run/netns rw,nosuid shared:7 - tmpfs tmpfs rw\n"
	    "24 22 0:24 /netns /a\\040b\\134c rw master:3 propagate_from:2 - tmpfs shared:9 rw\n"
	    "25 22 0:24 / /x rw unbindable - tmpfs master:1 rw\n"
	    "26 22 0:4 net:[4026532205] /run/netns/x rw shared:8 - nsfs nsfs rw");
	static const struct {
		const char *root, *point;
		bool follows;
	} wanted[] = {{"/", "/", false}, {"/netns", "/run/netns", true},
	    {"/netns", "/a b\\c", true}, {"/", "/x", false}, {"net:[4026532205]", "/run/netns/x", true}};
	struct mount_line line;
	char *rest = text;

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		assert_true(mountinfo_next(&rest, &line));
		assert_string_equal(line.root, wanted[i].root);
		assert_string_equal(line.point, wanted[i].point);
		assert_int_equal(line.follows, wanted[i].follows);
	}
	assert_false(mountinfo_next(&rest, &line));
	assert_false(mountinfo_next(&rest, &line));
}

static void
no_text_has_no_lines(void **state)
{
	char empty[] = "";
	struct mount_line line;
	char *rest = empty;

	(void)state;
	assert_false(mountinfo_next(&rest, &line));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_line_has_root_point_and_whether_mounts_arrive),
	    cmocka_unit_test(no_text_has_no_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
