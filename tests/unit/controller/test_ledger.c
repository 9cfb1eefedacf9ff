#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "controller/ledger.h"
#include "controller/ledger_text.h"
#include "core/buf.h"
#include "core/mem.h"
#include "table/json.h"

#define DOMAIN "network/net"
#define NOW "2026-11-21T15:00:00Z"

/* Writes down what the ledger says: "u1 " touched, "~ns/a " moved, "!" dirty. */
static struct buf heard;

static void
on_touched(void *cookie, const char *uid)
{
	(void)cookie;
	(void)buf_print(&heard, "%s ", uid);
}

static void
on_moved(void *cookie, const char *allocation)
{
	(void)cookie;
	(void)buf_print(&heard, "~%s ", allocation);
}

static void
on_dirty(void *cookie, struct block *block)
{
	(void)cookie;
	(void)block;
	(void)buf_print(&heard, "! ");
}

static const struct ledger_events events = {on_touched, on_moved, on_dirty};

static int
setup(void **state)
{
	heard = buf_make(1 << 16);
	*state = ledger_new(&events, NULL);
	return 0;
}

static int
teardown(void **state)
{
	ledger_free(*state);
	buf_release(&heard);
	return 0;
}

static void
expect(const char *text)
{
	assert_string_equal(buf_string(&heard), text);
	buf_clear(&heard);
}

static struct ip
ip(const char *text)
{
	struct ip result;

	assert_int_equal(ip_parse(text, strlen(text), &result, NULL), 0);
	return result;
}

static struct block *
block_at(struct ledger *ledger, const char *address)
{
	const struct ip one = ip(address);

	return ledger_block(ledger, DOMAIN, &one);
}

/* The UID of the holder, or "-". */
static const char *
holder(struct ledger *ledger, const char *address)
{
	const struct ip one = ip(address);
	const struct held *held = ledger_find(ledger, DOMAIN, &one);

	return held ? held->uid : "-";
}

static unsigned
count_of(struct ledger *ledger, const char *uid)
{
	const struct holdings *holdings = ledger_holdings(ledger, uid);

	return holdings ? holdings->count : 0;
}

/* entries: "ADDRESS UID [NODE], …", all in the block of the first. NULL: the object is gone. */
static void
see(struct ledger *ledger, const char *any, const char *entries, uint64_t live)
{
	struct block *block = block_at(ledger, any);
	struct held list[64] = {0};
	char *copy = entries ? mem_text(entries) : NULL;
	char *rest = copy;
	unsigned count = 0;
	char node[16], uid[16], address[64];

	for (char *one = strsep(&rest, ","); one && *one; one = strsep(&rest, ",")) {
		int words = sscanf(one, " %63s %15s %15s", address, uid, node);
		list[count++] = (struct held){.ip = ip(address), .uid = mem_text(uid),
		    .pod = mem_text("ns/p"), .node = words > 2 ? mem_text(node) : NULL,
		    .allocation = mem_text("ns/ex")};
	}
	scoped_json *object = entries ? block_encode(block, list, count) : NULL;
	scoped_free char *name = mem_text(block->name);
	assert_int_equal(ledger_observe(ledger, name, object, live, NULL), 0);
	for (unsigned i = 0; i < count; i++)
		held_release(&list[i]);
	mem_free(copy);
}

static void
claim(struct ledger *ledger, const char *address, const char *uid)
{
	const struct claim one = {.ip = ip(address), .uid = uid, .pod = "ns/p",
	    .allocation = "ns/ex"};

	ledger_claim(ledger, block_at(ledger, address), &one);
}

/* "ADDRESS UID NODE since, …" of the block's next text; "" when it stays as it is. */
static void
expect_next(struct ledger *ledger, const char *any, const char *text)
{
	scoped_json *next = ledger_next(block_at(ledger, any), NOW);
	struct json_object *entries = json_path(next, "spec.entries");
	scoped_buf is = buf_make(4096);

	for (size_t i = 0; next && i < json_object_array_length(entries); i++) {
		struct json_object *one = json_object_array_get_idx(entries, i);
		const char *node = json_path_text(one, "node");
		const char *since = json_path_text(one, "since");
		(void)buf_print(&is, "%s%s %s%s%s%s%s", i ? ", " : "",
		    json_path_text(one, "address"), json_path_text(one, "uid"), node ? " " : "",
		    node ? node : "", since ? " " : "", since ? since : "");
	}
	assert_string_equal(next ? buf_string(&is) : "", text);
}

static void
an_address_belongs_to_who_stands_in_its_block(void **state)
{
	assert_string_equal(holder(*state, "10.0.2.1"), "-");
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u2", 0);
	assert_string_equal(holder(*state, "10.0.2.1"), "u1");
	assert_string_equal(holder(*state, "10.0.2.2"), "u2");
	assert_string_equal(holder(*state, "10.0.2.3"), "-");
	assert_int_equal(ledger_count(*state), 2);
	const struct ip one = ip("10.0.2.1");
	assert_null(ledger_find(*state, "network/other", &one));
	see(*state, "10.0.2.1", NULL, 0);
	assert_string_equal(holder(*state, "10.0.2.1"), "-");
	assert_int_equal(ledger_count(*state), 0);
	assert_false(block_at(*state, "10.0.2.1")->exists);
}

static void
what_a_pod_holds_is_known_over_all_blocks_whatever_entry_goes_first(void **state)
{
	see(*state, "10.0.2.1", "10.0.2.1 u1, 10.0.2.2 u1, 10.0.2.3 u2", 0);
	see(*state, "fec0::1", "fec0::1 u1", 0);
	assert_int_equal(count_of(*state, "u1"), 3);
	/* the entry whose text is the index's key goes, others of the pod stay */
	see(*state, "10.0.2.1", "10.0.2.2 u1, 10.0.2.3 u2", 0);
	assert_int_equal(count_of(*state, "u1"), 2);
	see(*state, "10.0.2.1", "10.0.2.1 u2", 0);
	assert_int_equal(count_of(*state, "u1"), 1);
	assert_int_equal(count_of(*state, "u2"), 1);
	assert_string_equal(ledger_holdings(*state, "u2")->list[0]->uid, "u2");
	see(*state, "fec0::1", "", 0);
	assert_null(ledger_holdings(*state, "u1"));
	assert_int_equal(ledger_count(*state), 1);
}

static void
a_claim_takes_a_free_address_and_says_since_when(void **state)
{
	see(*state, "10.0.2.1", "10.0.2.9 u9", 0);
	buf_clear(&heard);
	claim(*state, "10.0.2.1", "u1");
	expect("! ");
	expect_next(*state, "10.0.2.1", "10.0.2.1 u1 " NOW ", 10.0.2.9 u9");
	/* nothing is in force before it is seen, and a change is forgotten once taken */
	assert_string_equal(holder(*state, "10.0.2.1"), "-");
	expect_next(*state, "10.0.2.1", "");
}

static void
of_two_claims_for_one_address_the_first_has_it(void **state)
{
	claim(*state, "10.0.2.1", "u1");
	claim(*state, "10.0.2.1", "u2");
	claim(*state, "10.0.2.2", "u2");
	expect_next(*state, "10.0.2.1", "10.0.2.1 u1 " NOW ", 10.0.2.2 u2 " NOW);
	see(*state, "10.0.2.1", "10.0.2.1 u1", 0);
	claim(*state, "10.0.2.1", "u2");
	expect_next(*state, "10.0.2.1", "");
}

static void
a_place_is_of_all_that_the_pod_has_there_and_never_changes(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	see(*state, "10.0.2.1", "10.0.2.1 u1, 10.0.2.2 u2, 10.0.2.3 u1", 0);
	ledger_place(*state, block, "u1", "n1", "m1");
	expect_next(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u2, 10.0.2.3 u1 n1");
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0);
	ledger_place(*state, block, "u1", "n2", "m2");
	expect_next(*state, "10.0.2.1", "");
	ledger_place(*state, block, "u7", "n1", NULL); /* holds nothing there any more */
	expect_next(*state, "10.0.2.1", "");
}

static void
a_release_without_proof_leaves_what_has_a_node(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	see(*state, "10.0.2.1", "10.0.2.1 u1, 10.0.2.2 u1 n1, 10.0.2.3 u2", 0);
	ledger_release(*state, block, "u1", false);
	expect_next(*state, "10.0.2.1", "10.0.2.2 u1 n1, 10.0.2.3 u2");
	ledger_release(*state, block, "u1", true);
	expect_next(*state, "10.0.2.1", "10.0.2.3 u2");
	ledger_release(*state, block, "u7", true);
	expect_next(*state, "10.0.2.1", "");
}

static void
changes_apply_in_their_order(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0);
	ledger_release(*state, block, "u1", true);
	claim(*state, "10.0.2.1", "u2");
	ledger_place(*state, block, "u2", "n2", NULL);
	expect_next(*state, "10.0.2.1", "10.0.2.1 u2 n2 " NOW);
	claim(*state, "10.0.2.1", "u2");
	ledger_release(*state, block, "u1", true);
	expect_next(*state, "10.0.2.1", "");
}

static void
a_place_behind_claims_needs_all_of_them(void **state)
{
	const struct claim where = {.uid = "u1", .node = "n1"};
	struct block *block = block_at(*state, "10.0.2.1");

	see(*state, "10.0.2.1", "10.0.2.1 u1", 0);
	claim(*state, "10.0.2.2", "u1");
	claim(*state, "10.0.2.3", "u1");
	ledger_place_claimed(*state, block, &where, 3);
	expect_next(*state, "10.0.2.1",
	    "10.0.2.1 u1 n1, 10.0.2.2 u1 n1 " NOW ", 10.0.2.3 u1 n1 " NOW);
	claim(*state, "10.0.2.3", "u2"); /* was faster */
	claim(*state, "10.0.2.2", "u1");
	claim(*state, "10.0.2.3", "u1");
	ledger_place_claimed(*state, block, &where, 3);
	expect_next(
	    *state, "10.0.2.1", "10.0.2.1 u1, 10.0.2.2 u1 " NOW ", 10.0.2.3 u2 " NOW);
}

static void
who_waits_hears_once_that_an_entry_is_leaving_and_still_waits(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");
	const struct ip first = ip("10.0.2.1");
	const struct ip second = ip("10.0.2.2");

	see(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u1", 0);
	ledger_wait(block, "u2");
	buf_clear(&heard);
	ledger_release(*state, block, "u1", false);
	assert_false(ledger_find(*state, DOMAIN, &first)->leaving);
	assert_true(ledger_find(*state, DOMAIN, &second)->leaving);
	ledger_release(*state, block, "u1", true);
	assert_true(ledger_find(*state, DOMAIN, &first)->leaving);
	ledger_release(*state, block, "u1", true);
	assert_null(strstr(strstr(strstr(buf_string(&heard), "u2 ") + 1, "u2 ") + 1, "u2 "));
	buf_clear(&heard);
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0); /* the write failed */
	assert_non_null(strstr(buf_string(&heard), "u2 "));
	assert_false(ledger_find(*state, DOMAIN, &first)->leaving);
}

static void
a_change_that_is_asked_for_again_counts_once(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	for (unsigned i = 0; i < 3; i++) {
		claim(*state, "10.0.2.1", "u1");
		claim(*state, "10.0.2.2", "u1");
		ledger_place(*state, block, "u1", "n1", NULL);
		ledger_release(*state, block, "u1", false);
		ledger_release(*state, block, "u1", true);
	}
	assert_int_equal(block->change_count, 5);
}

static void
a_block_that_was_seen_anew_has_no_changes_and_wakes_who_wanted_some(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0);
	claim(*state, "10.0.2.5", "u5");
	ledger_release(*state, block, "u1", true);
	ledger_place(*state, block, "u1", "n1", NULL);
	buf_clear(&heard);
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 7);
	assert_non_null(strstr(buf_string(&heard), "u5 "));
	assert_non_null(strstr(buf_string(&heard), "u1 "));
	assert_int_equal(block->live, 7);
	expect_next(*state, "10.0.2.1", "");
}

static void
who_asks_again_for_a_change_under_way_hears_of_its_end(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	claim(*state, "10.0.2.1", "u1");
	ledger_touch_waiting(*state, block);
	claim(*state, "10.0.2.1", "u1");
	buf_clear(&heard);
	see(*state, "10.0.2.1", "", 0);
	expect("u1 ");
}

static void
who_waits_is_touched_once(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");

	ledger_wait(block, "u1");
	ledger_wait(block, "u2");
	ledger_wait(block, "u1");
	see(*state, "10.0.2.1", "", 0);
	expect("u1 u2 ");
	see(*state, "10.0.2.1", "", 0);
	expect("");
	ledger_wait(block, "u1");
	ledger_touch_waiting(*state, block);
	expect("u1 ");
	ledger_touch_waiting(*state, block);
	expect("");
}

static void
who_waits_learns_that_a_block_is_gone_or_was_never_there(void **state)
{
	ledger_wait(block_at(*state, "10.0.2.1"), "u1");
	see(*state, "10.0.2.1", NULL, 0);
	expect("u1 ");
	assert_int_equal(ledger_observe(*state, "never-heard-of", NULL, 0, NULL), 0);
	assert_null(ledger_block_named(*state, "never-heard-of"));
}

static void
only_those_are_touched_whose_entry_came_changed_or_went(void **state)
{
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u2, 10.0.2.3 u3 n1", 0);
	buf_clear(&heard);
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u2 n1, 10.0.2.4 u4", 0);
	expect("u2 ~ns/ex u3 ~ns/ex u2 ~ns/ex u4 ~ns/ex ");
}

static void
a_block_that_cannot_be_read_keeps_its_entries_and_is_never_written_over(void **state)
{
	struct block *block = block_at(*state, "10.0.2.1");
	const char text[] = "{\"spec\":{\"domain\":\"network/net\",\"cidr\":\"10.0.9.0/26\"}}";
	scoped_json *bad = NULL;
	struct err err = {0};

	assert_int_equal(json_parse(text, strlen(text), "block", &bad, NULL), 0);
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0);
	claim(*state, "10.0.2.2", "u2");
	buf_clear(&heard);
	assert_int_equal(ledger_observe(*state, block->name, bad, 3, &err), -EINVAL);
	assert_non_null(strstr(err.text, block->name));
	assert_true(block->unreadable);
	assert_string_equal(holder(*state, "10.0.2.1"), "u1");
	assert_non_null(strstr(buf_string(&heard), "u2 "));
	claim(*state, "10.0.2.2", "u2");
	ledger_release(*state, block, "u1", true);
	expect_next(*state, "10.0.2.1", "");
	see(*state, "10.0.2.1", "10.0.2.1 u1 n1", 0);
	assert_false(block->unreadable);
	claim(*state, "10.0.2.2", "u2");
	expect_next(*state, "10.0.2.1", "10.0.2.1 u1 n1, 10.0.2.2 u2 " NOW);
}

static void
a_block_that_could_never_be_read_is_found_by_its_name(void **state)
{
	const struct ip one = ip("10.0.2.1");
	const struct cidr cidr = block_cidr(&one);
	scoped_free char *name = block_name(DOMAIN, &cidr);
	scoped_json *bad = json_object_new_object();

	assert_int_equal(ledger_observe(*state, name, bad, 0, NULL), -EINVAL);
	assert_true(block_at(*state, "10.0.2.1")->unreadable);
	claim(*state, "10.0.2.1", "u1");
	expect_next(*state, "10.0.2.1", "");
	/* somebody deleted it */
	assert_int_equal(ledger_observe(*state, name, NULL, 0, NULL), 0);
	claim(*state, "10.0.2.1", "u1");
	scoped_json *next = ledger_next(block_at(*state, "10.0.2.1"), NOW);
	assert_string_equal(json_path_text(next, "spec.domain"), DOMAIN);
	assert_string_equal(json_path_text(next, "spec.cidr"), "10.0.2.0/26");
}

/* Whoever names an address has its block looked for. */
static void
a_block_that_nobody_uses_is_forgotten(void **state)
{
	struct ledger *ledger = *state;
	const struct ip free_ip = ip("10.0.9.1"), waited = ip("10.0.9.65"), wanted = ip("10.0.9.129");
	scoped_free char *name = mem_text(ledger_block(ledger, DOMAIN, &free_ip)->name);
	struct block *block = ledger_block(ledger, DOMAIN, &waited);
	scoped_free char *waited_name = mem_text(block->name);

	ledger_wait(block, "u1");
	block = ledger_block(ledger, DOMAIN, &wanted);
	scoped_free char *wanted_name = mem_text(block->name);
	ledger_claim(ledger, block, &(struct claim){.ip = wanted, .uid = "u2", .pod = "ns/p"});
	ledger_forget_unused(ledger);
	assert_null(ledger_block_named(ledger, name));
	assert_non_null(ledger_block_named(ledger, waited_name));
	assert_non_null(ledger_block_named(ledger, wanted_name));
	/* one that is there stays, also when it is empty */
	scoped_json *object = ledger_next(ledger_block_named(ledger, wanted_name), NOW);
	assert_int_equal(ledger_observe(ledger, wanted_name, object, 1, NULL), 0);
	ledger_forget_unused(ledger);
	assert_non_null(ledger_find(ledger, DOMAIN, &wanted));
	/* gone, and nobody asks any more */
	assert_int_equal(ledger_observe(ledger, wanted_name, NULL, 2, NULL), 0);
	ledger_touch_waiting(ledger, ledger_block_named(ledger, waited_name));
	ledger_forget_unused(ledger);
	assert_null(ledger_block_named(ledger, wanted_name));
	assert_null(ledger_block_named(ledger, waited_name));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_address_belongs_to_who_stands_in_its_block),
	    TEST(what_a_pod_holds_is_known_over_all_blocks_whatever_entry_goes_first),
	    TEST(a_claim_takes_a_free_address_and_says_since_when),
	    TEST(of_two_claims_for_one_address_the_first_has_it),
	    TEST(a_place_is_of_all_that_the_pod_has_there_and_never_changes),
	    TEST(a_release_without_proof_leaves_what_has_a_node),
	    TEST(changes_apply_in_their_order),
	    TEST(a_place_behind_claims_needs_all_of_them),
	    TEST(who_waits_hears_once_that_an_entry_is_leaving_and_still_waits),
	    TEST(a_change_that_is_asked_for_again_counts_once),
	    TEST(a_block_that_was_seen_anew_has_no_changes_and_wakes_who_wanted_some),
	    TEST(who_asks_again_for_a_change_under_way_hears_of_its_end),
	    TEST(who_waits_is_touched_once),
	    TEST(who_waits_learns_that_a_block_is_gone_or_was_never_there),
	    TEST(only_those_are_touched_whose_entry_came_changed_or_went),
	    TEST(a_block_that_cannot_be_read_keeps_its_entries_and_is_never_written_over),
	    TEST(a_block_that_could_never_be_read_is_found_by_its_name),
	    TEST(a_block_that_nobody_uses_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
