/* What an agent makes of what a predecessor left, and of faults of the node. */
#include "tests/unit/agent/one_agent.h"

/* ---- over restarts ----------------------------------------------------------- */

static void
a_restarted_agent_takes_up_what_is_there(void **state)
{
	struct agent agent;
	struct stat before;
	struct stat after;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		assert_int_equal(give(&agent, bucket, 64, 5, 2), SYNC_PUBLISHED);
	end(&agent);
	assert_int_equal(stat(ROOT "/table/64/3", &before), 0);
	start(&agent, 64);
	assert_int_equal(sync_state(agent.sync).published, 64);
	assert_true(sync_state(agent.sync).live);
	assert_int_equal(give(&agent, 3, 64, 5, 2), SYNC_UNCHANGED);
	assert_int_equal(give(&agent, 3, 64, 4, 2), SYNC_REFUSED);
	assert_int_equal(give(&agent, 3, 64, 5, 1), SYNC_REFUSED);
	assert_int_equal(stat(ROOT "/table/64/3", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(give(&agent, 3, 64, 6, 1), SYNC_PUBLISHED);
	assert_file_is(3, 64, 6, 1);
	end(&agent);
}

static void
an_agent_killed_before_it_made_live_makes_it_at_the_next_start(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 2), SYNC_PUBLISHED);
	end(&agent);
	assert_int_equal(system("rm " ROOT "/table/live; ln -s 1 " ROOT "/table/.live.tmp.7;"
	                        "cp " ROOT "/table/1/0 " ROOT "/table/1/.0.tmp.7"),
	    0);
	start(&agent, 1);
	assert_true(is_live());
	assert_int_equal(system("test -z \"$(find " ROOT " -name '*.tmp.*')\""), 0);
	end(&agent);
}

static void
a_damaged_file_is_not_served_and_comes_back_from_its_config_map(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		assert_int_equal(give(&agent, bucket, 64, 5, 2), SYNC_PUBLISHED);
	end(&agent);
	assert_int_equal(system("printf x | dd of=" ROOT "/table/64/3 bs=1 seek=90 conv=notrunc "
	                        "status=none; cp " ROOT "/table/64/5 " ROOT "/table/64/4;"
	                        ": >" ROOT "/table/64/9"),
	    0);
	start(&agent, 64);
	const char *said = heard(&agent);
	assert_int_equal(lines(said), 3);
	assert_non_null(strstr(said, "table/64/3 is damaged (A4: "));
	assert_non_null(strstr(said, "table/64/4 is damaged (A5: "));
	assert_non_null(strstr(said, "table/64/9 is damaged (A4: "));
	assert_int_equal(access(ROOT "/table/64/3", F_OK), -1);
	assert_int_equal(sync_state(agent.sync).published, 61);
	assert_true(is_live()); /* the other 61 are served */
	assert_int_equal(give(&agent, 3, 64, 5, 2), SYNC_PUBLISHED);
	assert_file_is(3, 64, 5, 2);
	end(&agent);
}

static void
config_maps_that_vanished_while_nobody_looked_are_said_after_the_list(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		assert_int_equal(give(&agent, bucket, 64, 5, 2), SYNC_PUBLISHED);
	end(&agent);
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		if (bucket != 17)
			assert_int_equal(give(&agent, bucket, 64, 5, 2), SYNC_UNCHANGED);
	(void)heard(&agent);
	sync_listed(agent.sync);
	const char *said = heard(&agent);
	assert_int_equal(lines(said), 2);
	assert_non_null(strstr(said, "table-64-17 is refused by rule A8"));
	assert_non_null(strstr(said, "synced: 64 of 64"));
	end(&agent);
}

static void
tables_that_never_came_are_said_after_the_list(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	assert_int_equal(give(&agent, 1, 64, 5, 2), SYNC_PUBLISHED);
	(void)heard(&agent);
	sync_listed(agent.sync);
	assert_non_null(strstr(heard(&agent), "warn synced: only 1 of 64 buckets"));
	assert_false(is_live());
	end(&agent);
}

static void
another_bucket_count_takes_over_only_when_it_is_whole(void **state)
{
	struct agent agent;
	char target[8] = "";
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 2), SYNC_PUBLISHED);
	end(&agent);
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++) {
		sync_check(agent.sync);
		assert_file_is(0, 1, 5, 2);
		assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), 1);
		assert_int_equal(give(&agent, bucket, 64, 1, 2), SYNC_PUBLISHED);
	}
	assert_int_equal(readlink(ROOT "/table/live", target, sizeof(target)), 2);
	sync_check(agent.sync);
	assert_file_is(0, 1, 5, 2); /* a reader may be on its way */
	sync_check(agent.sync);
	assert_int_equal(access(ROOT "/table/1", F_OK), -1);
	end(&agent);
}

/* ---- faults of the node ------------------------------------------------------ */

static void
a_full_tmpfs_stops_all_and_is_tried_again(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 2), SYNC_PUBLISHED);
	assert_int_equal(mount("none", "/mnt", "tmpfs", MS_REMOUNT, "size=64k"), 0);
	(void)heard(&agent);
	assert_int_equal(give(&agent, 0, 1, 6, 9000), SYNC_FAILED);
	const char *said = heard(&agent);
	assert_int_equal(lines(said), 1);
	assert_non_null(strstr(said, "No space left on device"));
	assert_non_null(strstr(said, "listing again in 1 s"));
	assert_file_is(0, 1, 5, 2);
	assert_int_equal(mount("none", "/mnt", "tmpfs", MS_REMOUNT, "size=64m"), 0);
	ev_run(agent.loop, 0); /* ends when the timer of the retry was the last thing */
	assert_int_equal(sync_state(agent.sync).published, 1);
	assert_int_equal(give(&agent, 0, 1, 6, 9000), SYNC_PUBLISHED);
	assert_file_is(0, 1, 6, 9000);
	end(&agent);
}

static void
files_that_somebody_removed_are_made_again(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 2), SYNC_PUBLISHED);
	sync_check(agent.sync);
	(void)heard(&agent);
	assert_int_equal(system("rm -r " ROOT "/table"), 0);
	sync_check(agent.sync);
	assert_non_null(strstr(heard(&agent), "somebody removed files below table/"));
	ev_run(agent.loop, 0);
	assert_int_equal(give(&agent, 0, 1, 5, 2), SYNC_PUBLISHED);
	assert_file_is(0, 1, 5, 2);
	assert_true(is_live());
	end(&agent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    on_tmpfs(a_restarted_agent_takes_up_what_is_there),
	    on_tmpfs(an_agent_killed_before_it_made_live_makes_it_at_the_next_start),
	    on_tmpfs(a_damaged_file_is_not_served_and_comes_back_from_its_config_map),
	    on_tmpfs(config_maps_that_vanished_while_nobody_looked_are_said_after_the_list),
	    on_tmpfs(tables_that_never_came_are_said_after_the_list),
	    on_tmpfs(another_bucket_count_takes_over_only_when_it_is_whole),
	    on_tmpfs(a_full_tmpfs_stops_all_and_is_tried_again),
	    on_tmpfs(files_that_somebody_removed_are_made_again),
	};

	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
