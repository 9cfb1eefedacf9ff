#include "tests/unit/agent/fixture.h"

#include "agent/verify.h"
#include "table/row.h"

static const char *const good_names[] = {"table-64-0", "table-64-7", "table-64-63"};
static const char *const bad_names[] = {"", "table", "table-64", "table-64-", "table-64-64",
    "table-64-07", "table-64--1", "table-64-7 ", "table-64-7x", "table-1024-7", "table-1-0",
    "Table-64-7", "xtable-64-7", "table-64-99999999999999999999", "table-64-+7"};

static void
only_a_name_of_ours_is_a_bucket(void **state)
{
	static const unsigned numbers[] = {0, 7, 63};

	(void)state;
	for (size_t i = 0; i < sizeof(good_names) / sizeof(good_names[0]); i++) {
		unsigned bucket = 999;
		assert_int_equal(verify_name(good_names[i], 64, &bucket, NULL), 0);
		assert_int_equal(bucket, numbers[i]);
	}
	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
		unsigned bucket = 999;
		struct err err = {0};
		assert_int_equal(verify_name(bad_names[i], 64, &bucket, &err), -VERIFY_A1_NAME);
		assert_int_equal(bucket, 999); /* written on success only */
		assert_ptr_equal(strstr(err.text, "A1: "), err.text);
		assert_non_null(strstr(err.text, "table-64-N"));
	}
}

/* What verify_config_map says of bucket 7 of 64 with this label and text. */
static int
judge(const char *label, const char *text, struct err *err)
{
	scoped_json *map = make_config_map("table-64-7", label, text);
	struct verified table;

	return verify_config_map(map, 7, 64, &table, err);
}

static void
a_good_config_map_is_taken_with_its_very_bytes(void **state)
{
	scoped_buf text = make_table(7, 64, 12, 5);
	scoped_json *map = make_config_map("table-64-7", "64", text.data);
	struct verified table;
	struct err err = {0};

	(void)state;
	assert_int_equal(verify_config_map(map, 7, 64, &table, &err), 0);
	assert_int_equal(table.length, text.length);
	assert_memory_equal(table.text, text.data, text.length);
	assert_int_equal(table.header.generation, 12);
	assert_int_equal(table.header.rows, 5);
}

static void
a_label_that_disagrees_is_refused_by_a2(void **state)
{
	static const char *const labels[] = {NULL, "", "1024", "064", "64 "};
	scoped_buf text = make_table(7, 64, 1, 1);

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		struct err err = {0};
		assert_int_equal(judge(labels[i], text.data, &err), -VERIFY_A2_LABEL);
		assert_ptr_equal(strstr(err.text, "A2: "), err.text);
	}
}

static void
missing_and_empty_data_is_refused_by_a3(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(judge("64", NULL, &err), -VERIFY_A3_DATA);
	assert_string_equal(err.text, "A3: data.table is missing");
	assert_int_equal(judge("64", "", &err), -VERIFY_A3_DATA);
	assert_non_null(strstr(err.text, "A3: data.table is empty"));
	assert_int_equal(err.code, VERIFY_A3_DATA);
}

#define LABELLED "\"metadata\":{\"labels\":{\"staticip.dev/buckets\":\"64\"}}"

static void
data_of_any_json_type_is_refused_and_nothing_more(void **state)
{
	static const char *const objects[] = {
	    "null",
	    "1",
	    "\"x\"",
	    "[]",
	    "{}",
	    "{\"metadata\":7}",
	    "{\"metadata\":{\"labels\":[]}}",
	    "{\"metadata\":{\"labels\":{\"staticip.dev/buckets\":64}}}",
	    "{" LABELLED "}",
	    "{" LABELLED ",\"data\":null}",
	    "{" LABELLED ",\"data\":[]}",
	    "{" LABELLED ",\"data\":{\"table\":{}}}",
	    "{" LABELLED ",\"data\":{\"table\":\"a\\u0000b\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
		struct json_object *parsed = NULL;
		struct verified table;
		struct err err = {0};
		assert_int_equal(
		    json_parse(objects[i], strlen(objects[i]), "it", &parsed, &err), 0);
		scoped_json *map = parsed;
		int rc = verify_config_map(map, 7, 64, &table, &err);
		assert_true(rc == -VERIFY_A2_LABEL || rc == -VERIFY_A3_DATA);
		assert_int_equal(err.code, -rc);
	}
}

static void
rubbish_and_each_cut_of_a_table_are_refused_by_a4(void **state)
{
	scoped_buf text = make_table(7, 64, 12, 3);
	struct err err = {0};

	(void)state;
	assert_int_equal(judge("64", "rubbish", &err), -VERIFY_A4_TABLE);
	assert_ptr_equal(strstr(err.text, "A4: its text is no table: "), err.text);
	for (size_t length = text.length - 1; length > 0; length--) {
		text.data[length] = '\0';
		assert_int_equal(judge("64", text.data, &err), -VERIFY_A4_TABLE);
	}
}

static void
a_row_of_another_bucket_is_refused_by_a5_and_named(void **state)
{
	scoped_buf text = make_table(8, 64, 12, 2);
	struct err err = {0};

	(void)state;
	assert_int_equal(judge("64", text.data, &err), -VERIFY_A5_BUCKET);
	assert_ptr_equal(strstr(err.text, "A5: its row 'net/ns/pod-"), err.text);
	assert_non_null(strstr(err.text, "bucket 7 of 64"));
}

static void
a_profile_row_may_stand_in_any_bucket(void **state)
{
	struct err err = {0};
	(void)state;

	for (unsigned bucket = 0; bucket < 64; bucket++) {
		struct table_writer writer;
		struct verified table;
		scoped_buf text = buf_make(TABLE_BYTES_MAX);
		table_begin(&writer);
		table_line_add(&writer, "!default/ex", "{}");
		assert_int_equal(table_end(&writer, 1, &text, &err), 0);
		assert_int_equal(verify_table(text.data, text.length, bucket, 64, &table, &err), 0);
	}
}

/* A table that verifies, of this generation, with n rows. */
static struct verified
verified(struct buf *text, uint64_t generation, unsigned n)
{
	struct verified table;
	struct err err = {0};

	*text = make_table(7, 64, generation, n);
	assert_int_equal(verify_table(text->data, text->length, 7, 64, &table, &err), 0);
	return table;
}

static void
a_higher_generation_follows_and_a_lower_one_is_refused_by_a6(void **state)
{
	scoped_buf low_text = {0};
	scoped_buf high_text = {0};
	struct verified low = verified(&low_text, 12, 1);
	struct verified high = verified(&high_text, UINT64_MAX, 1);
	struct err err = {0};

	(void)state;
	assert_int_equal(verify_successor(&low, NULL, &err), VERIFY_PUBLISH);
	assert_int_equal(verify_successor(&high, &low, &err), VERIFY_PUBLISH);
	assert_int_equal(verify_successor(&low, &high, &err), -VERIFY_A6_GENERATION);
	assert_string_equal(err.text,
	    "A6: its generation 12 is lower than 18446744073709551615, which is in force");
}

static void
an_equal_generation_is_the_same_bytes_or_refused_by_a7(void **state)
{
	scoped_buf one_text = {0};
	scoped_buf two_text = {0};
	scoped_buf again_text = {0};
	struct verified one = verified(&one_text, 12, 1);
	struct verified two = verified(&two_text, 12, 2);
	struct verified again = verified(&again_text, 12, 1);
	struct err err = {0};

	(void)state;
	assert_int_equal(verify_successor(&again, &one, &err), VERIFY_SAME);
	assert_int_equal(verify_successor(&two, &one, &err), -VERIFY_A7_BYTES);
	assert_ptr_equal(strstr(err.text, "A7: its generation 12 "), err.text);
}

/* A table of two networks with these rows. */
static bool
requires(const char *first, const char *second)
{
	struct table_writer writer;
	scoped_buf text = buf_make(TABLE_BYTES_MAX);
	struct verified table = {.text = NULL};

	table_begin(&writer);
	table_line_add(&writer, "!default/ex", "{\"uid\":\"u\"}");
	table_line_add(&writer, "a", first);
	table_line_add(&writer, "a/default/ex-0", "{\"p\":\"default/ex\",\"ips\":[\"10.0.2.40/24\"]}");
	table_line_add(&writer, "b", second);
	assert_int_equal(table_end(&writer, 1, &text, NULL), 0);
	table.text = buf_string(&text);
	table.length = text.length;
	return verify_grants_required(&table);
}

static void
grants_are_required_when_every_network_row_says_so(void **state)
{
	scoped_buf yes_text = buf_make(256);
	scoped_buf no_text = buf_make(256);
	const struct network_row yes = {.domain = "network/a", .grants_required = true};
	const struct network_row no = {.domain = "network/a", .grants_required = false};

	(void)state;
	network_row_encode(&yes, &yes_text);
	network_row_encode(&no, &no_text);
	assert_true(requires(buf_string(&yes_text), buf_string(&yes_text)));
	assert_false(requires(buf_string(&yes_text), buf_string(&no_text)));
	assert_false(requires(buf_string(&no_text), buf_string(&yes_text)));
	assert_false(requires(buf_string(&yes_text), "{}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_a_name_of_ours_is_a_bucket),
	    cmocka_unit_test(a_good_config_map_is_taken_with_its_very_bytes),
	    cmocka_unit_test(a_label_that_disagrees_is_refused_by_a2),
	    cmocka_unit_test(missing_and_empty_data_is_refused_by_a3),
	    cmocka_unit_test(data_of_any_json_type_is_refused_and_nothing_more),
	    cmocka_unit_test(rubbish_and_each_cut_of_a_table_are_refused_by_a4),
	    cmocka_unit_test(a_row_of_another_bucket_is_refused_by_a5_and_named),
	    cmocka_unit_test(a_profile_row_may_stand_in_any_bucket),
	    cmocka_unit_test(a_higher_generation_follows_and_a_lower_one_is_refused_by_a6),
	    cmocka_unit_test(grants_are_required_when_every_network_row_says_so),
	    cmocka_unit_test(an_equal_generation_is_the_same_bytes_or_refused_by_a7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
