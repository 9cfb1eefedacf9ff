#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/wants.h"
#include "core/mem.h"

static int
setup(void **state)
{
	struct wants *wants = mem_new(1, sizeof(*wants));

	*wants = wants_make();
	*state = wants;
	return 0;
}

static int
teardown(void **state)
{
	wants_release(*state);
	mem_free(*state);
	return 0;
}

static void
put(struct wants *wants, const char *key, const char *allocation, const char *pod)
{
	scoped_free char *name = wants_put(wants, key, allocation);

	assert_string_equal(name ? name : "-", pod);
}

static void
drop(struct wants *wants, const char *key, const char *pod)
{
	scoped_free char *name = wants_drop(wants, key);

	assert_string_equal(name ? name : "-", pod);
}

static void
rows_are_found_by_the_name_of_their_pod_and_sorted_by_key(void **state)
{
	put(*state, "net/ns/p-0/eth1", "a", "ns/p-0");
	put(*state, "net/ns/p-0", "b", "ns/p-0");
	put(*state, "back/ns/p-0", "c", "ns/p-0");
	put(*state, "net/ns/p-1", "b", "ns/p-1");
	const struct wants_of_pod *pod = wants_find(*state, "ns/p-0");
	assert_int_equal(pod->count, 3);
	assert_string_equal(pod->list[0].key, "back/ns/p-0");
	assert_string_equal(pod->list[1].key, "net/ns/p-0");
	assert_string_equal(pod->list[2].key, "net/ns/p-0/eth1");
	assert_int_equal(wants_find(*state, "ns/p-1")->count, 1);
	assert_null(wants_find(*state, "ns/p"));
	assert_null(wants_find(*state, "other/p-0"));
}

static void
a_key_that_is_given_again_is_the_new_allocations(void **state)
{
	put(*state, "net/ns/p", "a", "ns/p");
	put(*state, "net/ns/p", "b", "ns/p");
	assert_int_equal(wants_find(*state, "ns/p")->count, 1);
	assert_string_equal(wants_find(*state, "ns/p")->list[0].allocation, "b");
}

static void
a_row_that_is_taken_leaves_the_others(void **state)
{
	put(*state, "a/ns/p", "1", "ns/p");
	put(*state, "b/ns/p", "2", "ns/p");
	put(*state, "c/ns/p", "3", "ns/p");
	drop(*state, "b/ns/p", "ns/p");
	drop(*state, "b/ns/p", "ns/p"); /* not there any more */
	const struct wants_of_pod *pod = wants_find(*state, "ns/p");
	assert_int_equal(pod->count, 2);
	assert_string_equal(pod->list[0].key, "a/ns/p");
	assert_string_equal(pod->list[1].allocation, "3");
	drop(*state, "a/ns/p", "ns/p");
	drop(*state, "c/ns/p", "ns/p");
	assert_null(wants_find(*state, "ns/p"));
	drop(*state, "c/ns/p", "ns/p");
}

static void
keys_that_are_no_pods_are_left_out(void **state)
{
	put(*state, "net", "a", "-");
	put(*state, "!ns/ex", "a", "-");
	put(*state, "net/ns/", "a", "-");
	drop(*state, "net", "-");
	assert_int_equal(((struct wants *)*state)->pods.count, 0);
}

static void
on_granted(void *cookie, const struct holding *holding, const struct wanted *row)
{
	put(cookie, row->key, holding->uid, "ns/p");
}

static void
on_withdrawn(void *cookie, const char *key)
{
	(void)cookie;
	(void)key;
}

static void
on_changed(void *cookie, const struct holding *holding)
{
	(void)cookie;
	(void)holding;
}

static void
a_row_is_found_for_as_long_as_the_arbiter_gives_it(void **state)
{
	static const struct arbiter_events events = {on_granted, on_withdrawn, on_changed};
	struct arbiter *arbiter = arbiter_new(&events, *state);
	struct holding *made = mem_new(1, sizeof(*made));
	const struct holding *holding = NULL;

	*made = (struct holding){.uid = mem_text("a"), .name = mem_text("ns/a"),
	    .created = mem_text("1"), .network = mem_text("net"),
	    .domain = mem_text("network/net"), .routes = mem_new(1, sizeof(*made->routes)),
	    .rows = mem_new(1, sizeof(*made->rows)), .row_count = 1};
	made->rows[0] = (struct wanted){.key = mem_text("net/ns/p"),
	    .entry = {.ips = mem_new(1, sizeof(struct cidr)), .ip_count = 1}};
	assert_int_equal(cidr_parse("10.0.0.1/24", 11, made->rows[0].entry.ips, NULL), 0);
	arbiter_put(arbiter, made);
	const struct want *want = &wants_find(*state, "ns/p")->list[0];
	const struct wanted *row = wants_row(arbiter, want, &holding);
	assert_string_equal(row ? row->key : "-", "net/ns/p");
	assert_string_equal(holding->name, "ns/a");
	arbiter_remove(arbiter, "a");
	assert_null(wants_row(arbiter, want, &holding));
	arbiter_free(arbiter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(rows_are_found_by_the_name_of_their_pod_and_sorted_by_key),
	    TEST(a_key_that_is_given_again_is_the_new_allocations),
	    TEST(a_row_that_is_taken_leaves_the_others),
	    TEST(keys_that_are_no_pods_are_left_out),
	    TEST(a_row_is_found_for_as_long_as_the_arbiter_gives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
