#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/tables.h"
#include "core/mem.h"
#include "table/key.h"
#include "table/table.h"

enum { BUCKETS = 64 };

static unsigned moves;

static void
on_moved(void *cookie, const char *allocation)
{
	(void)cookie;
	(void)allocation;
	moves++;
}

static const struct tables_events events = {on_moved};

static int
setup(void **state)
{
	moves = 0;
	*state = tables_new(BUCKETS, &events, NULL);
	return 0;
}

static int
teardown(void **state)
{
	tables_free(*state);
	return 0;
}

static void
set_handover(struct tables *tables, const char *key, const char *ip, bool available)
{
	char name[] = "ns/alloc";
	char uid[] = "uid";
	struct routes routes = {.count = 0};
	struct cidr cidr;
	struct holding holding = {
	    .uid = uid, .name = name, .routes = &routes, .available = available};
	scoped_free char *copy = mem_text(key);
	struct wanted row = {.key = copy, .entry = {.ips = &cidr, .ip_count = 1}};

	assert_int_equal(cidr_parse(ip, strlen(ip), &cidr, NULL), 0);
	tables_set(tables, &holding, &row);
}

static void
set(struct tables *tables, const char *key, const char *ip)
{
	set_handover(tables, key, ip, false);
}

/* One write that succeeds; false when there is nothing to write. */
static bool
publish(struct tables *tables, unsigned bucket)
{
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	if (!tables_dirty(tables, bucket) || !tables_render(tables, bucket, 1000, &text))
		return false;
	tables_sending(tables, bucket, text.data, text.length);
	assert_true(tables_observe(tables, bucket, text.data, text.length));
	return true;
}

static unsigned
publish_all(struct tables *tables)
{
	unsigned writes = 0;
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < BUCKETS; i++)
			if (publish(tables, i)) {
				writes++;
				more = true;
			}
	}
	return writes;
}

/* Two keys in two buckets. */
static void
two_keys(char *first, char *second)
{
	(void)snprintf(first, 64, "net/ns/p-0");
	for (unsigned i = 1;; i++) {
		(void)snprintf(second, 64, "net/ns/p-%u", i);
		if (key_bucket(second, BUCKETS) != key_bucket(first, BUCKETS))
			return;
	}
}

static void
an_empty_bucket_is_written_empty_and_once(void **state)
{
	assert_int_equal(publish_all(*state), BUCKETS);
	assert_int_equal(publish_all(*state), 0);
}

static void
only_the_bucket_that_changed_is_written(void **state)
{
	(void)publish_all(*state);
	set(*state, "net/ns/p-0", "10.0.0.1/24");
	unsigned writes = publish_all(*state);
	/* the row's bucket and the network row's */
	assert_int_equal(writes, 1 + (key_bucket("net", BUCKETS) != key_bucket("net/ns/p-0", BUCKETS)));
	set(*state, "net/ns/p-0", "10.0.0.1/24");
	assert_int_equal(publish_all(*state), 0);
	set(*state, "net/ns/p-0", "10.0.0.2/24");
	assert_int_equal(publish_all(*state), 1);
	assert_int_equal(tables_row_state(*state, "net/ns/p-0"), ROW_PUBLISHED);
}

static void
another_handover_is_another_profile(void **state)
{
	unsigned bucket = key_bucket("net/ns/p-0", BUCKETS);
	size_t length;

	set(*state, "net/ns/p-0", "10.0.0.1/24");
	(void)publish_all(*state);
	for (int available = 1; available >= 0; available--) {
		set_handover(*state, "net/ns/p-0", "10.0.0.1/24", available);
		assert_int_equal(publish_all(*state), 1);
		const char *text = tables_text(*state, bucket, &length);
		const char *profile = "{\"uid\":\"uid\",\"handover\":\"Available\"}";
		assert_int_equal(memmem(text, length, profile, strlen(profile)) != NULL, available);
	}
}

static void
an_address_that_moves_is_removed_before_it_is_added(void **state)
{
	char a[64];
	char b[64];

	two_keys(a, b);
	set(*state, a, "10.0.0.1/24");
	(void)publish_all(*state);
	tables_drop(*state, a);
	set(*state, b, "10.0.0.1/24");
	/* b's bucket has nothing to write yet: the row waits */
	assert_false(publish(*state, key_bucket(b, BUCKETS)));
	assert_int_equal(tables_row_state(*state, b), ROW_PENDING);
	assert_true(publish(*state, key_bucket(a, BUCKETS)));
	assert_true(publish(*state, key_bucket(b, BUCKETS)));
	assert_int_equal(tables_row_state(*state, b), ROW_PUBLISHED);
}

static void
two_addresses_that_change_places_leave_both_buckets_first(void **state)
{
	char a[64];
	char b[64];

	two_keys(a, b);
	set(*state, a, "10.0.0.1/24");
	set(*state, b, "10.0.0.2/24");
	(void)publish_all(*state);
	set(*state, a, "10.0.0.2/24");
	set(*state, b, "10.0.0.1/24");
	assert_true(publish(*state, key_bucket(a, BUCKETS)));
	assert_int_equal(tables_row_state(*state, a), ROW_PENDING);
	(void)publish_all(*state);
	assert_int_equal(tables_row_state(*state, a), ROW_PUBLISHED);
	assert_int_equal(tables_row_state(*state, b), ROW_PUBLISHED);
}

static void
a_write_under_way_counts_as_published(void **state)
{
	char a[64];
	char b[64];
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	two_keys(a, b);
	(void)publish_all(*state);
	set(*state, a, "10.0.0.1/24");
	unsigned bucket = key_bucket(a, BUCKETS);
	assert_int_equal(tables_render(*state, bucket, 1000, &text), 1);
	tables_sending(*state, bucket, text.data, text.length);
	tables_drop(*state, a);
	set(*state, b, "10.0.0.1/24");
	(void)publish(*state, key_bucket("net", BUCKETS));
	assert_false(publish(*state, key_bucket(b, BUCKETS)));
	/* nobody answered, and the bucket is as before: it may still arrive */
	size_t length;
	const char *known = tables_text(*state, bucket, &length);
	scoped_free char *copy = mem_format("%.*s", (int)length, known);
	assert_true(tables_observe(*state, bucket, copy, length));
	(void)publish_all(*state);
	assert_int_equal(tables_row_state(*state, b), ROW_PENDING);
	/* a second write, forced, has overtaken it */
	tables_force(*state, bucket);
	assert_true(publish(*state, bucket));
	tables_settled(*state, bucket);
	(void)publish_all(*state);
	assert_int_equal(tables_row_state(*state, b), ROW_PUBLISHED);
}

static void
a_damaged_bucket_is_written_before_rows_are_added_elsewhere(void **state)
{
	struct tables *next = tables_new(BUCKETS, &events, NULL);
	char a[64];
	char b[64];

	two_keys(a, b);
	set(*state, a, "10.0.0.1/24");
	(void)publish_all(*state);
	/* a start that finds a's bucket damaged: nodes still have a's row */
	for (unsigned i = 0; i < BUCKETS; i++) {
		size_t length;
		const char *text = tables_text(*state, i, &length);
		if (i == key_bucket(a, BUCKETS))
			assert_false(tables_observe(next, i, "rubbish", 7));
		else
			assert_true(tables_observe(next, i, text, length));
	}
	set(next, b, "10.0.0.1/24");
	(void)publish(next, key_bucket("net", BUCKETS));
	assert_false(publish(next, key_bucket(b, BUCKETS)));
	assert_true(publish(next, key_bucket(a, BUCKETS)));
	assert_true(publish(next, key_bucket(b, BUCKETS)));
	assert_int_equal(tables_row_state(next, b), ROW_PUBLISHED);
	tables_free(next);
}

static void
a_row_that_is_published_does_not_yield_to_a_duplicate(void **state)
{
	char a[64];
	char b[64];
	scoped_buf text = buf_make(TABLE_BYTES_MAX);
	struct tables *other = tables_new(BUCKETS, &events, NULL);

	two_keys(a, b);
	set(*state, a, "10.0.0.1/24");
	(void)publish_all(*state);
	/* another hand puts the address into b's bucket as well */
	set(other, b, "10.0.0.1/24");
	assert_int_equal(tables_render(other, key_bucket(b, BUCKETS), 9000, &text), 1);
	assert_true(tables_observe(*state, key_bucket(b, BUCKETS), text.data, text.length));
	set(*state, "net/ns/elsewhere", "10.0.0.9/24"); /* something to write */
	tables_force(*state, key_bucket(a, BUCKETS));
	assert_true(publish(*state, key_bucket(a, BUCKETS)));
	assert_int_equal(tables_row_state(*state, a), ROW_PUBLISHED);
	tables_free(other);
}

static void
rubbish_is_put_right_with_a_higher_generation(void **state)
{
	struct table_header before;
	struct table_header after;
	size_t length;
	unsigned bucket = key_bucket("net/ns/p-0", BUCKETS);

	set(*state, "net/ns/p-0", "10.0.0.1/24");
	(void)publish_all(*state);
	const char *text = tables_text(*state, bucket, &length);
	assert_int_equal(table_verify(text, length, &before, NULL), 0);
	assert_false(tables_observe(*state, bucket, "rubbish", 7));
	assert_int_equal(tables_row_state(*state, "net/ns/p-0"), ROW_PENDING);
	assert_true(publish(*state, bucket));
	text = tables_text(*state, bucket, &length);
	assert_int_equal(table_verify(text, length, &after, NULL), 0);
	assert_true(after.generation > before.generation);
	/* deleted: the same */
	assert_false(tables_observe(*state, bucket, NULL, 0));
	assert_true(publish(*state, bucket));
	assert_int_equal(tables_row_state(*state, "net/ns/p-0"), ROW_PUBLISHED);
}

static void
tables_that_nodes_have_newer_are_written_above_them(void **state)
{
	struct table_header header;
	size_t length;
	unsigned bucket = key_bucket("net/ns/p-0", BUCKETS);

	set(*state, "net/ns/p-0", "10.0.0.1/24");
	(void)publish_all(*state);
	const char *text = tables_text(*state, bucket, &length);
	assert_int_equal(table_verify(text, length, &header, NULL), 0);
	uint64_t ahead = header.generation + 1000000;
	tables_outrun(*state, ahead);
	assert_true(publish(*state, bucket));
	text = tables_text(*state, bucket, &length);
	assert_int_equal(table_verify(text, length, &header, NULL), 0);
	assert_true(header.generation > ahead);
	/* once */
	tables_outrun(*state, ahead);
	assert_false(publish(*state, bucket));
}

static void
what_a_start_finds_published_is_not_written_again(void **state)
{
	struct tables *next = tables_new(BUCKETS, &events, NULL);

	set(*state, "net/ns/p-0", "10.0.0.1/24");
	(void)publish_all(*state);
	for (unsigned i = 0; i < BUCKETS; i++) {
		size_t length;
		const char *text = tables_text(*state, i, &length);
		assert_true(tables_observe(next, i, text, length));
	}
	set(next, "net/ns/p-0", "10.0.0.1/24");
	assert_int_equal(publish_all(next), 0);
	assert_int_equal(tables_row_state(next, "net/ns/p-0"), ROW_PUBLISHED);
	tables_free(next);
}

static void
the_last_row_of_a_network_takes_its_network_row_along(void **state)
{
	unsigned bucket = key_bucket("net", BUCKETS);
	struct table_line line;
	size_t length;

	set(*state, "net/ns/p-0", "10.0.0.1/24");
	set(*state, "net/ns/p-1", "10.0.0.2/24");
	tables_drop(*state, "net/ns/p-0");
	(void)publish_all(*state);
	const char *text = tables_text(*state, bucket, &length);
	assert_int_equal(table_find(text, length, "net", &line, NULL), 1);
	tables_drop(*state, "net/ns/p-1");
	(void)publish_all(*state);
	text = tables_text(*state, bucket, &length);
	assert_int_equal(table_find(text, length, "net", &line, NULL), 0);
}

static void
a_full_bucket_refuses_newcomers_and_loses_nothing(void **state)
{
	struct tables *one = tables_new(1, &events, NULL);
	unsigned full = 0;
	unsigned published = 0;
	enum { ROWS = 20000 };

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < ROWS; i++) {
			char key[64];
			char ip[64];
			/* the second round's keys sort before the first's */
			(void)snprintf(key, sizeof(key), "net/ns/%c-%u", round ? 'a' : 'z', i);
			(void)snprintf(ip, sizeof(ip), "10.%u.%u.%u/8", round + 1, i / 200, i % 200 + 1);
			set(one, key, ip);
		}
		scoped_buf text = buf_make(TABLE_BYTES_MAX);
		if (tables_render(one, 0, 1, &text)) {
			tables_sending(one, 0, text.data, text.length);
			assert_true(tables_observe(one, 0, text.data, text.length));
		}
		unsigned now = 0;
		full = 0;
		for (unsigned i = 0; i < ROWS; i++) {
			char key[64];
			(void)snprintf(key, sizeof(key), "net/ns/z-%u", i);
			now += tables_row_state(one, key) == ROW_PUBLISHED;
			full += tables_row_state(one, key) == ROW_FULL;
		}
		if (round)
			assert_int_equal(now, published);
		published = now;
		assert_int_equal(now + full, ROWS);
		assert_true(published > 10000 && full > 0);
	}
	tables_free(one);
}

static void
in_any_order_of_writes_no_address_is_in_two_published_rows(void **state)
{
	struct tables *tables = *state;
	char *owner[16] = {NULL};

	srand(11);
	for (int step = 0; step < 3000; step++) {
		/* move a random address to a random key, as the arbiter would:
		 * withdrawn before granted */
		unsigned ip = (unsigned)rand() % 16;
		char key[64];
		char text[32];
		(void)snprintf(key, sizeof(key), "net/ns/p-%u", (unsigned)rand() % 40);
		for (unsigned i = 0; i < 16; i++)
			if (owner[i] && (i == ip || strcmp(owner[i], key) == 0)) {
				tables_drop(tables, owner[i]);
				mem_free(owner[i]);
				owner[i] = NULL;
			}
		(void)snprintf(text, sizeof(text), "10.0.0.%u/24", ip + 1);
		set(tables, key, text);
		owner[ip] = mem_text(key);
		(void)publish(tables, (unsigned)rand() % BUCKETS);
		/* what a node that sees every write has */
		unsigned count[16] = {0};
		for (unsigned b = 0; b < BUCKETS; b++) {
			size_t length;
			const char *bucket = tables_text(tables, b, &length);
			for (unsigned i = 0; bucket && i < 16; i++) {
				char needle[32];
				(void)snprintf(needle, sizeof(needle), "\"10.0.0.%u/24\"", i + 1);
				const char *found = memmem(bucket, length, needle, strlen(needle));
				count[i] += found != NULL;
			}
		}
		for (unsigned i = 0; i < 16; i++)
			assert_true(count[i] <= 1);
	}
	(void)publish_all(tables);
	for (unsigned i = 0; i < 16; i++) {
		if (owner[i])
			assert_int_equal(tables_row_state(tables, owner[i]), ROW_PUBLISHED);
		mem_free(owner[i]);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(an_empty_bucket_is_written_empty_and_once),
	    T(only_the_bucket_that_changed_is_written),
	    T(another_handover_is_another_profile),
	    T(an_address_that_moves_is_removed_before_it_is_added),
	    T(two_addresses_that_change_places_leave_both_buckets_first),
	    T(a_write_under_way_counts_as_published),
	    T(a_damaged_bucket_is_written_before_rows_are_added_elsewhere),
	    T(a_row_that_is_published_does_not_yield_to_a_duplicate),
	    T(rubbish_is_put_right_with_a_higher_generation),
	    T(tables_that_nodes_have_newer_are_written_above_them),
	    T(what_a_start_finds_published_is_not_written_again),
	    T(the_last_row_of_a_network_takes_its_network_row_along),
	    T(a_full_bucket_refuses_newcomers_and_loses_nothing),
	    T(in_any_order_of_writes_no_address_is_in_two_published_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
