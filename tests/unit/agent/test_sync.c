/* The story of one ConfigMap, from sync.h's outcomes to files and log lines. */
#include <fcntl.h>

#include "table/row.h"

#include "tests/unit/agent/one_agent.h"

static void
a_new_table_becomes_a_file_and_live_comes_with_the_last_one(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++) {
		assert_false(is_live());
		assert_int_equal(give(&agent, bucket, 64, 5, bucket % 3), SYNC_PUBLISHED);
		assert_file_is(bucket, 64, 5, bucket % 3);
	}
	assert_true(is_live());
	assert_string_equal(strchr(heard(&agent), 't'), "table/live is 64: all its buckets are published\n");
	sync_listed(agent.sync);
	assert_non_null(strstr(heard(&agent), "info synced: 64 of 64 buckets, "));
	end(&agent);
}

static void
the_same_bytes_are_not_written_again(void **state)
{
	struct agent agent;
	struct stat before;
	struct stat after;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_PUBLISHED);
	assert_int_equal(stat(ROOT "/table/1/0", &before), 0);
	usleep(20 * 1000); /* the clock of time stamps ticks each 4 to 10 ms */
	assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_UNCHANGED);
	assert_int_equal(stat(ROOT "/table/1/0", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	end(&agent);
}

static void
bad_tables_are_refused_and_the_last_good_one_stays(void **state)
{
	scoped_buf cut = make_table(7, 64, 9, 3);
	scoped_buf foreign = make_table(8, 64, 9, 3);
	scoped_buf lower = make_table(7, 64, 4, 3);
	scoped_buf other = make_table(7, 64, 5, 2);
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	cut.data[cut.length - 2] = '\0';
	const struct {
		const char *text;
		const char *rule;
	} rows[] = {{NULL, "A3: "}, {"", "A3: "}, {"rubbish", "A4: "}, {cut.data, "A4: "},
	    {foreign.data, "A5: "}, {lower.data, "A6: "}, {other.data, "A7: "}};
	start(&agent, 64);
	assert_int_equal(give(&agent, 7, 64, 5, 3), SYNC_PUBLISHED);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)heard(&agent);
		assert_int_equal(give_text(&agent, 7, 64, rows[i].text), SYNC_REFUSED);
		assert_file_is(7, 64, 5, 3);
		const char *said = heard(&agent);
		assert_int_equal(lines(said), 1);
		assert_non_null(strstr(said, "warn table ConfigMap tables/table-64-7 is refused"));
		assert_non_null(strstr(said, rows[i].rule));
		assert_non_null(strstr(said, "on node n1 generation 5 of bucket 7 stays in force"));
	}
	end(&agent);
}

static void
a_refusal_is_said_once_until_it_changes_or_was_put_right(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give_text(&agent, 0, 1, "rubbish"), SYNC_REFUSED);
	assert_non_null(strstr(heard(&agent), "has no table of bucket 0"));
	assert_int_equal(give_text(&agent, 0, 1, "rubbish"), SYNC_REFUSED);
	assert_string_equal(heard(&agent), "");
	assert_int_equal(give_text(&agent, 0, 1, ""), SYNC_REFUSED);
	assert_int_equal(lines(heard(&agent)), 1);
	assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_PUBLISHED);
	(void)heard(&agent);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(give_text(&agent, 0, 1, ""), SYNC_REFUSED);
		assert_int_equal(lines(heard(&agent)), 1);
		assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_UNCHANGED); /* put right */
	}
	end(&agent);
}

static void
a_stranger_with_our_label_changes_nothing(void **state)
{
	struct object_id id = {.namespace = "tables", .name = "notes", .uid = "u", .version = "1"};
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	scoped_buf text = make_table(0, 1, 9, 1);
	scoped_json *map = make_config_map("notes", "1", text.data);
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_PUBLISHED);
	(void)heard(&agent);
	assert_int_equal(sync_config_map(agent.sync, &id, map), SYNC_REFUSED);
	assert_non_null(strstr(heard(&agent), "rule A1: "));
	assert_int_equal(sync_config_map_gone(agent.sync, &id), SYNC_UNCHANGED);
	assert_string_equal(heard(&agent), "");
	assert_file_is(0, 1, 5, 3);
	end(&agent);
}

static void
a_deleted_config_map_is_said_and_its_table_stays(void **state)
{
	struct object_id id = {.namespace = "tables", .name = "table-1-0", .uid = "u", .version = "1"};
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 1);
	assert_int_equal(give(&agent, 0, 1, 5, 3), SYNC_PUBLISHED);
	(void)heard(&agent);
	assert_int_equal(sync_config_map_gone(agent.sync, &id), SYNC_REFUSED);
	assert_non_null(strstr(heard(&agent), "rule A8: it is gone, or has lost its label; on node n1 "
	    "generation 5 of bucket 0 stays in force"));
	assert_file_is(0, 1, 5, 3);
	assert_true(is_live());
	/* one that comes back older is refused: it would undo what was in force */
	assert_int_equal(give(&agent, 0, 1, 4, 3), SYNC_REFUSED);
	assert_int_equal(give(&agent, 0, 1, 6, 3), SYNC_PUBLISHED);
	end(&agent);
}

static void
a_list_is_seen_all_at_once_at_its_end(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		assert_int_equal(give(&agent, bucket, 64, 5, 1), SYNC_PUBLISHED);
	sync_listing(agent.sync);
	assert_int_equal(give(&agent, 9, 64, 6, 2), SYNC_PUBLISHED);
	assert_int_equal(give(&agent, 3, 64, 7, 3), SYNC_PUBLISHED);
	assert_int_equal(give(&agent, 4, 64, 5, 1), SYNC_UNCHANGED);
	assert_file_is(9, 64, 5, 1);
	assert_file_is(3, 64, 5, 1);
	sync_listed(agent.sync);
	assert_file_is(9, 64, 6, 2);
	assert_file_is(3, 64, 7, 3);
	assert_file_is(4, 64, 5, 1);
	/* and changes one by one go on in the new picture */
	assert_int_equal(give(&agent, 4, 64, 8, 0), SYNC_PUBLISHED);
	assert_file_is(4, 64, 8, 0);
	end(&agent);
}

static void
killed_in_the_middle_of_a_list_it_leaves_the_old_picture(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++)
		assert_int_equal(give(&agent, bucket, 64, 5, 1), SYNC_PUBLISHED);
	sync_listing(agent.sync);
	assert_int_equal(give(&agent, 9, 64, 6, 2), SYNC_PUBLISHED);
	end(&agent);
	assert_file_is(9, 64, 5, 1);
	start(&agent, 64);
	assert_int_equal(faccessat(AT_FDCWD, ROOT "/table/64.next", F_OK, 0), -1);
	sync_listing(agent.sync);
	assert_int_equal(give(&agent, 9, 64, 6, 2), SYNC_PUBLISHED);
	sync_listed(agent.sync);
	assert_file_is(9, 64, 6, 2);
	end(&agent);
}

static void
give_network(struct agent *agent, uint64_t generation, bool required)
{
	const struct network_row row = {.domain = "network/net", .grants_required = required};
	scoped_buf json = buf_make(256);
	scoped_buf text = buf_make(TABLE_BYTES_MAX);
	struct table_writer writer;

	network_row_encode(&row, &json);
	table_begin(&writer);
	table_line_add(&writer, "net", buf_string(&json));
	assert_int_equal(table_end(&writer, generation, &text, NULL), 0);
	assert_int_equal(give_text(agent, 0, 1, buf_string(&text)), SYNC_PUBLISHED);
}

static void
grants_are_required_by_what_is_in_force(void **state)
{
	struct agent agent;
	(void)state;

	NEEDS_TMPFS();
	start(&agent, 64);
	for (unsigned bucket = 0; bucket < 64; bucket++) {
		assert_false(sync_grants_required(agent.sync)); /* not every bucket is there */
		assert_int_equal(give(&agent, bucket, 64, 5, 1), SYNC_PUBLISHED);
	}
	assert_true(sync_grants_required(agent.sync));
	end(&agent);
	start(&agent, 1);
	give_network(&agent, 5, false);
	assert_false(sync_grants_required(agent.sync));
	give_network(&agent, 6, true);
	assert_true(sync_grants_required(agent.sync));
	end(&agent);
	/* the next agent reads it from the files */
	start(&agent, 1);
	assert_true(sync_grants_required(agent.sync));
	/* of a list, nothing is in force before its end */
	sync_listing(agent.sync);
	give_network(&agent, 7, true);
	assert_false(sync_grants_required(agent.sync));
	sync_listed(agent.sync);
	assert_true(sync_grants_required(agent.sync));
	end(&agent);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    on_tmpfs(grants_are_required_by_what_is_in_force),
	    on_tmpfs(a_list_is_seen_all_at_once_at_its_end),
	    on_tmpfs(killed_in_the_middle_of_a_list_it_leaves_the_old_picture),
	    on_tmpfs(a_new_table_becomes_a_file_and_live_comes_with_the_last_one),
	    on_tmpfs(the_same_bytes_are_not_written_again),
	    on_tmpfs(bad_tables_are_refused_and_the_last_good_one_stays),
	    on_tmpfs(a_refusal_is_said_once_until_it_changes_or_was_put_right),
	    on_tmpfs(a_stranger_with_our_label_changes_nothing),
	    on_tmpfs(a_deleted_config_map_is_said_and_its_table_stays),
	};

	return cmocka_run_group_tests(tests, fixture_begin, NULL);
}
