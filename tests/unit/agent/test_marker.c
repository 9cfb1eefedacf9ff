#include "tests/unit/agent/fixture.h"

#include <fcntl.h>

#include "agent/marker.h"
#include "core/file.h"

/* Each rule's number in the comment is a switch of tests/model/node.pml. */
static const struct {
	struct boot_facts facts;
	enum boot_step step;
} steps[] = {
    /* an ordinary start, and an ordinary change */
    {{.marked = true, .told = true, .known = true}, BOOT_GO},
    /* a new boot: NO_BOOT_FIRST */
    {{.marked = false}, BOOT_TELL},
    {{.told = true, .known = true, .fresh = true}, BOOT_MARK},
    /* ... whose agent was killed between the two: nothing is known any more */
    {{.told = true, .known = true}, BOOT_FIND},
    /* an emptied directory: NO_MARKER; also when the StaticIPNode was made anew meanwhile */
    {{.known = true}, BOOT_FIND},
    /* a StaticIPNode that was made anew: told before anything of it comes into force */
    {{.marked = true, .known = true}, BOOT_TELL},
    {{.marked = true}, BOOT_TELL},
};

static void
the_boot_is_told_before_it_is_marked_and_what_is_lost_is_found_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (boot_decide(&steps[i].facts) != steps[i].step)
			fail_msg("step %zu is %d, not %d", i, (int)boot_decide(&steps[i].facts), (int)steps[i].step);
}

static void
a_marker_is_of_one_boot(void **state)
{
	struct err err = {0};
	(void)state;

	NEEDS_TMPFS();
	scoped_fd int root = file_directory(AT_FDCWD, ROOT, 0755, &err);
	assert_false(marker_is(root, "b-1"));
	assert_int_equal(marker_write(root, "b-1", &err), 0);
	assert_true(marker_is(root, "b-1"));
	assert_false(marker_is(root, "b-12"));
	assert_false(marker_is(root, "b-"));
	assert_int_equal(marker_write(root, "b-2", &err), 0);
	assert_false(marker_is(root, "b-1"));
	assert_int_equal(file_replace(root, "marker", "b-2", 3, 0644, FILE_SYNC_NONE, &err), 0);
	assert_false(marker_is(root, "b-2")); /* cut */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_boot_is_told_before_it_is_marked_and_what_is_lost_is_found_first),
	    on_tmpfs(a_marker_is_of_one_boot),
	};
	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
