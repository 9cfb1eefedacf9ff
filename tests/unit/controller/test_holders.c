/* What nodes and the ledger say about a pod, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/controller/one_desk.h"

static int
setup(void **state)
{
	*state = one_desk_new();
	return 0;
}

static int
teardown(void **state)
{
	one_desk_free(*state);
	return 0;
}

static struct json_object *
parse(const char *text)
{
	struct json_object *object = NULL;
	struct err err = {0};

	if (json_parse(text, strlen(text), "text", &object, &err))
		fail_msg("%s: %s", err.text, text);
	return object;
}

static struct block *
block(struct one_desk *one)
{
	const struct ip ip = {.family = 4, .bytes = {10, 0, 2, 10}};

	return ledger_block(one->holders->ledger, "network/net", &ip);
}

/* The block of 10.0.2.10 has that address, held by u1 of ns/ex-0. node NULL: not placed. */
static void
hold(struct one_desk *one, char *node)
{
	char uid[] = "u1";
	char pod[] = "ns/ex-0";
	struct held held = {.ip = {.family = 4, .bytes = {10, 0, 2, 10}}, .uid = uid, .pod = pod,
	    .node = node};
	scoped_json *object = block_encode(block(one), &held, 1);
	scoped_free char *name = mem_text(block(one)->name);

	assert_int_equal(ledger_observe(one->holders->ledger, name, object, 1, NULL), 0);
}

/* What comes of the block when all that was asked is written. */
static void
expect_entries(struct one_desk *one, const char *entries)
{
	scoped_json *next = ledger_next(block(one), "now");

	assert_string_equal(
	    next ? json_print(json_path(next, "spec.entries")) : "as it is", entries);
}

static void see_pod(struct one_desk *one, const char *spec);

/* ---- the end of a pod ----------------------------------------------------------------- */

static void
see_revocation(struct one_desk *one, unsigned answered, const char *busy, const char *silence)
{
	scoped_free char *text = mem_format("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\"},"
	    "\"spec\":{\"epoch\":\"1-a-b\",\"serial\":7,\"revoked\":[{\"uid\":\"u1\","
	    "\"pod\":\"ns/ex-0\"%s}]},\"status\":{\"answer\":{\"objectUID\":\"o1\",\"epoch\":"
	    "\"1-a-b\",\"serial\":%u,\"busy\":[%s]},\"protocol\":2}}", silence, answered, busy);

	one_desk_see(one, parse(text), 10);
}

static struct claimant *
gone_pod(struct one_desk *one)
{
	struct claimant *claimant = claimant_make(one->holders, "u1", "ns/ex-0");

	claimant->gone = true;
	return claimant;
}

/* It ended between the two writes that were to place it, and what had been placed is given
 * back: nothing else would ever free the rest. */
static void
an_entry_that_was_never_placed_goes_when_its_pods_revocation_is_answered(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = gone_pod(one);

	hold(one, NULL);
	see_revocation(one, 6, "", "");
	claimant_let_go(claimant);
	expect_entries(one, "as it is");
	see_revocation(one, 7, "\"u1\"", "");
	claimant_let_go(claimant);
	expect_entries(one, "as it is");
	see_revocation(one, 7, "", "");
	claimant_let_go(claimant);
	expect_entries(one, "[]");
}

static void
an_entry_that_was_never_placed_goes_when_its_pod_is_silenced(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = gone_pod(one);

	hold(one, NULL);
	see_revocation(one, 6, "", ",\"silence\":true");
	claimant_let_go(claimant);
	expect_entries(one, "[]");
}

static void
a_static_pod_that_comes_back_gives_up_what_was_never_placed(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = gone_pod(one);

	hold(one, NULL);
	see_revocation(one, 6, "", "");
	claimant_begin_again(claimant);
	expect_entries(one, "as it is");
	see_revocation(one, 7, "", "");
	claimant_begin_again(claimant);
	expect_entries(one, "[]");
}

/* Its next end is one to be looked at like the first. */
static void
a_static_pod_that_comes_back_is_not_gone(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = gone_pod(one);

	claimant->freed = claimant->contradicted = claimant->silence = true;
	see_pod(one, "{}");
	claimant_want(claimant);
	assert_false(claimant->gone);
	assert_false(claimant->freed);
	assert_false(claimant->contradicted);
	assert_false(claimant->silence);
	/* one that lives, and was never gone, is as contradicted as before */
	claimant->contradicted = claimant->silence = true;
	claimant_want(claimant);
	assert_true(claimant->contradicted);
	assert_true(claimant->silence);
}

static void
silence_ends_with_the_revocation_that_said_it(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = gone_pod(one);

	see_revocation(one, 6, "", ",\"silence\":true");
	assert_true(claimant->silence);
	see_pod(one, "{}");
	claimant_return(claimant);
	assert_true(claimant->silence);
	one_desk_see(one, parse("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\"},\"spec\":{\"epoch\":"
	    "\"1-a-b\",\"serial\":8}}"), 11);
	assert_false(claimant->silence);
}

/* ---- what a node reports ---------------------------------------------------------------- */

/* n1 says that 10.0.2.10 is u1's; what is left to be looked at again. */
static bool
report(struct one_desk *one)
{
	one_desk_see(one, parse("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\"},\"spec\":{\"epoch\":"
	    "\"1-a-b\",\"serial\":7,\"rows\":[]}}"), 10);
	json_object_object_add(json_path(one->seen.object, "spec"), "rows",
	    parse("[{\"key\":\"net/ns/ex-0\",\"uid\":\"u1\",\"state\":\"Granted\",\"domain\":"
	          "\"network/net\",\"ips\":[\"10.0.2.10/24\"]}]"));
	return rebuild_adopt(one->holders, &one->seen);
}

static void
see_pod(struct one_desk *one, const char *spec)
{
	const struct object_id id = {
	    .namespace = "ns", .name = "ex-0", .uid = "u1", .version = "1"};
	scoped_free char *text =
	    mem_format("{\"metadata\":{\"uid\":\"u1\"},\"spec\":%s}", spec);
	scoped_json *object = parse(text);

	world_pod_changed(one->world, &id, object);
}

static void
a_report_of_a_pod_that_nobody_knows_is_entered(void **state)
{
	struct one_desk *one = *state;

	assert_true(report(one));
	scoped_json *next = ledger_next(block(one), "now");
	assert_string_equal(json_path_text(
	    json_object_array_get_idx(json_path(next, "spec.entries"), 0), "node"), "n1");
}

static void
a_node_is_not_believed_about_a_pod_of_another_node(void **state)
{
	struct one_desk *one = *state;
	char node[] = "n2";

	see_pod(one, "{\"nodeName\":\"n2\"}");
	assert_false(report(one));
	expect_entries(one, "as it is");
	assert_int_equal(one->holders->counts.contradictions, 1);
	assert_false(report(one));
	assert_int_equal(one->holders->counts.contradictions, 1); /* said once */
	/* nor when the pod is gone, and the ledger knows where it was */
	hold(one, node);
	desk_join(one->holders, claimant_find(one->holders, "u1"), "n2");
	assert_false(report(one));
	expect_entries(one, "as it is");
}

/* The API server went back in time and forgot a binding: the pod was bound another time, and
 * runs here, too. */
static void
in_a_rebuilding_a_node_is_believed_about_any_pod(void **state)
{
	static const char *const specs[] = {"{\"nodeName\":\"n2\"}", "{}"};
	struct one_desk *one = *state;

	one->holders->rebuilding = true;
	for (unsigned i = 0; i < 2; i++) {
		see_pod(one, specs[i]);
		assert_true(report(one));
		scoped_json *next = ledger_next(block(one), "now");
		assert_non_null(next);
	}
}

/* Else it would be placed there, and never granted where it comes to. */
static void
a_pod_that_is_not_bound_is_not_placed_by_a_report(void **state)
{
	struct one_desk *one = *state;

	see_pod(one, "{}");
	hold(one, NULL);
	assert_true(report(one));
	expect_entries(one, "as it is");
	assert_null(claimant_find(one->holders, "u1")->node);
	see_pod(one, "{\"nodeName\":\"n1\"}");
	assert_true(report(one));
	scoped_json *next = ledger_next(block(one), "now");
	assert_non_null(next);
}

/* ---- the UID of a pod ------------------------------------------------------------------- */

static const char *
uid_of_mirror(struct json_object **ret_pod, const char *hash)
{
	scoped_free char *text = mem_format("{\"metadata\":{\"uid\":\"u1\",\"annotations\":{"
	    "\"kubernetes.io/config.mirror\":\"x\",\"kubernetes.io/config.hash\":\"%s\"}}}", hash);

	json_object_put(*ret_pod);
	*ret_pod = parse(text);
	return world_pod_uid(*ret_pod);
}

/* Any tenant can write the annotations, and a StaticIPNode with such a UID is refused whole. */
static void
a_mirror_pods_hash_that_can_be_no_uid_is_none(void **state)
{
	scoped_json *pod = NULL;
	char longest[POD_UID_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[POD_UID_MAX + 1] = '\0';
	assert_string_equal(uid_of_mirror(&pod, longest), "u1");
	assert_string_equal(uid_of_mirror(&pod, longest + 1), longest + 1);
	assert_string_equal(uid_of_mirror(&pod, ""), "u1");
	assert_string_equal(uid_of_mirror(&pod, "a b"), "u1");
	assert_string_equal(uid_of_mirror(&pod, "a/../b"), "u1");
}

/* ---- epochs ------------------------------------------------------------------------------ */

static bool
goes_back(struct one_desk *one, const char *answered)
{
	scoped_free char *text = mem_format("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\"},"
	    "\"spec\":{\"epoch\":\"100-a-b\",\"serial\":7},\"status\":{\"answer\":{\"objectUID\":"
	    "\"o1\",\"epoch\":\"%s\",\"serial\":7}}}", answered);
	scoped_json *object = parse(text);
	char uid[] = "o1";
	struct stored node = {.uid = uid, .object = object};

	return back_is_seen(one->holders, &node);
}

static void
an_answer_to_an_epoch_that_no_clock_can_have_made_is_nobodys(void **state)
{
	struct one_desk *one = *state;

	one->holders->epoch = mem_text("100-a");
	assert_false(goes_back(one, "100-a-b"));
	assert_true(goes_back(one, "101-a-b"));
	assert_false(goes_back(one, "9223372036854775807-a"));
	assert_false(goes_back(one, "9223372036854775807000-a"));
	assert_int_equal(back_epoch_answered(one->holders, "9223372036854775807-a"), 0);
	assert_int_equal(back_epoch_answered(one->holders, "101-a-b"), 101);
	assert_int_equal(back_epoch_answered(one->holders, NULL), 0);
	/* once the clock was wrong, and its epochs are in use */
	mem_free(one->holders->epoch);
	one->holders->epoch = mem_text("9000000000000000000-a");
	assert_true(back_epoch_answered(one->holders, "9000000000000000001-a") > 0);
}

static void
one_nodes_word_is_followed_once_and_then_after_a_time_that_doubles(void **state)
{
	struct one_desk *one = *state;
	struct desk *desk = one->desk;

	one->holders->now = 1000;
	assert_true(ahead_is_followed(desk));
	for (double wait = 600; wait < 21600; wait *= 2) {
		ahead_charge(desk);
		one->holders->now += wait - 1;
		assert_false(ahead_is_followed(desk));
		one->holders->now += 1;
		assert_true(ahead_is_followed(desk));
	}
	for (unsigned i = 0; i < 100; i++)
		ahead_charge(desk);
	one->holders->now += 21600; /* never for ever */
	assert_true(ahead_is_followed(desk));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(an_entry_that_was_never_placed_goes_when_its_pods_revocation_is_answered),
	    TEST(an_entry_that_was_never_placed_goes_when_its_pod_is_silenced),
	    TEST(a_static_pod_that_comes_back_gives_up_what_was_never_placed),
	    TEST(a_static_pod_that_comes_back_is_not_gone),
	    TEST(silence_ends_with_the_revocation_that_said_it),
	    TEST(a_report_of_a_pod_that_nobody_knows_is_entered),
	    TEST(a_node_is_not_believed_about_a_pod_of_another_node),
	    TEST(in_a_rebuilding_a_node_is_believed_about_any_pod),
	    TEST(a_pod_that_is_not_bound_is_not_placed_by_a_report),
	    TEST(a_mirror_pods_hash_that_can_be_no_uid_is_none),
	    TEST(an_answer_to_an_epoch_that_no_clock_can_have_made_is_nobodys),
	    TEST(one_nodes_word_is_followed_once_and_then_after_a_time_that_doubles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
