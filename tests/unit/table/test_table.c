#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "table/key.h"
#include "table/table.h"

/* A table of n rows "net/ns/pod-00007". */
static struct buf
make_table(unsigned n, uint64_t generation)
{
	struct table_writer writer;
	struct buf out = buf_make(TABLE_BYTES_MAX);
	struct err err;

	table_begin(&writer);
	for (unsigned i = 0; i < n; i++) {
		char key[40];
		char json[40];
		(void)snprintf(key, sizeof(key), "net/ns/pod-%05u", i);
		(void)snprintf(json, sizeof(json), "{\"n\":%u}", i);
		table_line_add(&writer, key, json);
	}
	assert_int_equal(table_end(&writer, generation, &out, &err), 0);
	return out;
}

static void
what_was_written_verifies(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		scoped_buf table = make_table(n, 17);
		struct table_header header;
		struct err err = {0};
		assert_int_equal(table_verify(table.data, table.length, &header, &err), 0);
		assert_int_equal(header.rows, n);
		assert_int_equal(header.generation, 17);
	}
}

static void
every_row_is_found_and_nothing_else(void **state)
{
	static const unsigned sizes[] = {0, 1, 2, 3, 7, 64, 1000};

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		scoped_buf table = make_table(sizes[s], 1);
		struct table_line line;
		struct err err;
		for (unsigned i = 0; i < sizes[s]; i++) {
			char key[40];
			char json[40];
			(void)snprintf(key, sizeof(key), "net/ns/pod-%05u", i);
			int length = snprintf(json, sizeof(json), "{\"n\":%u}", i);
			assert_int_equal(table_find(table.data, table.length, key, &line, &err), 1);
			assert_int_equal(line.json_length, length);
			assert_memory_equal(line.json, json, line.json_length);
			key[strlen(key) - 1] = '/';
			assert_int_equal(table_find(table.data, table.length, key, &line, &err), 0);
		}
		assert_int_equal(table_find(table.data, table.length, "!a", &line, &err), 0);
		assert_int_equal(table_find(table.data, table.length, "net/ns/pod-0", &line, &err), 0);
		assert_int_equal(table_find(table.data, table.length, "z", &line, &err), 0);
	}
}

static void
every_flipped_bit_and_every_cut_is_noticed(void **state)
{
	scoped_buf table = make_table(3, 1795251234);
	struct table_header header;
	struct err err;

	(void)state;
	for (size_t i = 0; i < table.length; i++) {
		for (int bit = 0; bit < 8; bit++) {
			table.data[i] = (char)(table.data[i] ^ (1 << bit));
			assert_int_equal(
			    table_verify(table.data, table.length, &header, &err), -EBADMSG);
			table.data[i] = (char)(table.data[i] ^ (1 << bit));
		}
		assert_int_equal(table_verify(table.data, i, &header, &err), -EBADMSG);
	}
	assert_int_equal(table_verify(table.data, table.length, &header, &err), 0);
	assert_true(buf_text(&table, "x"));
	assert_int_equal(table_verify(table.data, table.length, &header, &err), -EBADMSG);
}

static void
the_generation_does_not_count_in_the_comparison_of_bodies(void **state)
{
	scoped_buf a = make_table(3, 1);
	scoped_buf b = make_table(3, 2);
	scoped_buf c = make_table(4, 1);

	(void)state;
	/* the header's row count and sum differ, the rows decide */
	assert_true(table_same_body(a.data, a.length, b.data, b.length));
	assert_false(table_same_body(a.data, a.length, c.data, c.length));
}

static void
a_table_over_the_maximum_is_refused_with_the_number(void **state)
{
	struct table_writer writer;
	struct buf out = buf_make(TABLE_BYTES_MAX);
	struct err err = {0};

	(void)state;
	table_begin(&writer);
	for (unsigned i = 0; i < 100000; i++) {
		char key[40];
		(void)snprintf(key, sizeof(key), "net/ns/pod-%06u", i);
		table_line_add(&writer, key, "{}");
	}
	assert_int_equal(table_end(&writer, 1, &out, &err), -EFBIG);
	assert_non_null(strstr(err.text, "900000"));
	buf_release(&out);
}

static void
the_interface_does_not_move_a_row_to_another_bucket(void **state)
{
	static const unsigned counts[] = {1, 64, 1024};

	(void)state;
	for (unsigned c = 0; c < 3; c++)
		for (unsigned i = 0; i < 500; i++) {
			char pod[40];
			char with[60];
			(void)snprintf(pod, sizeof(pod), "net/ns/pod-%u", i);
			(void)snprintf(with, sizeof(with), "%s/net1", pod);
			unsigned bucket = key_bucket(pod, counts[c]);
			assert_true(bucket < counts[c]);
			assert_int_equal(key_bucket(with, counts[c]), bucket);
		}
}

static void
pods_of_a_stateful_set_spread_over_the_buckets(void **state)
{
	unsigned used[64] = {0};
	unsigned largest = 0;

	(void)state;
	for (unsigned i = 0; i < 6400; i++) {
		char pod[40];
		(void)snprintf(pod, sizeof(pod), "podnet/default/web-%u", i);
		unsigned *bucket = &used[key_bucket(pod, 64)];
		if (++*bucket > largest)
			largest = *bucket;
	}
	for (unsigned i = 0; i < 64; i++)
		assert_true(used[i] > 0);
	assert_true(largest < 200); /* 100 on average */
}

static void
keys_are_made_of_valid_names_only(void **state)
{
	char key[KEY_MAX + 1];
	struct err err = {0};

	(void)state;
	assert_int_equal(key_pod(key, "net", "ns", "a.b-0", NULL, &err), 0);
	assert_string_equal(key, "net/ns/a.b-0");
	assert_int_equal(key_pod(key, "net", "ns", "p", "eth0", &err), 0);
	assert_string_equal(key, "net/ns/p/eth0");
	assert_int_equal(key_pod(key, "../net", "ns", "p", NULL, &err), -EINVAL);
	assert_int_equal(key_pod(key, "net", "N", "p", NULL, &err), -EINVAL);
	assert_int_equal(key_pod(key, "net", "ns", "p/q", NULL, &err), -EINVAL);
	assert_int_equal(key_pod(key, "net", "ns", "-p", NULL, &err), -EINVAL);
	assert_int_equal(key_pod(key, "net", "ns", "p..q", NULL, &err), -EINVAL);
	assert_int_equal(key_pod(key, "net", "ns", "p", "a:b", &err), -EINVAL);
	assert_non_null(strstr(err.text, "a:b"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_written_verifies),
	    cmocka_unit_test(every_row_is_found_and_nothing_else),
	    cmocka_unit_test(every_flipped_bit_and_every_cut_is_noticed),
	    cmocka_unit_test(the_generation_does_not_count_in_the_comparison_of_bodies),
	    cmocka_unit_test(a_table_over_the_maximum_is_refused_with_the_number),
	    cmocka_unit_test(the_interface_does_not_move_a_row_to_another_bucket),
	    cmocka_unit_test(pods_of_a_stateful_set_spread_over_the_buckets),
	    cmocka_unit_test(keys_are_made_of_valid_names_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
