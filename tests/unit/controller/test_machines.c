#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controller/machines.h"
#include "core/bounds.h"
#include "core/mem.h"
#include "table/json.h"

#define READY "\"conditions\":[{\"type\":\"MemoryPressure\",\"status\":\"False\"}," \
	      "{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"T0\"}]"
#define UNKNOWN(time) "\"conditions\":[{\"type\":\"Ready\",\"status\":\"Unknown\",\"lastTransitionTime\":\"" time "\"}]"
#define TAINT "\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}," \
	      "{\"key\":\"node.kubernetes.io/out-of-service\",\"effect\":\"NoExecute\"}]"
#define CLOUD "\"providerID\":\"aws:///eu-1/i-1\""
#define INFO(uuid) "\"nodeInfo\":{\"systemUUID\":\"" uuid "\",\"bootID\":\"b1\"}"

static int
setup(void **state)
{
	*state = machines_new(NODE_GONE_SECONDS);
	return 0;
}

static int
teardown(void **state)
{
	machines_free(*state);
	return 0;
}

static unsigned version = 100;

/* The API server has Node n1 with this UID, spec and status now. */
static void
see_version(struct machines *m, const char *uid, const char *spec, const char *status, const char *rv)
{
	const struct object_id id = {"", "n1", uid, rv};
	scoped_free char *text = mem_format("{\"spec\":{%s},\"status\":{%s}}", spec, status);
	scoped_json *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), "test", &object, NULL), 0);
	machines_changed(m, &id, object);
}

static void
see(struct machines *m, const char *uid, const char *spec, const char *status)
{
	scoped_free char *rv = mem_format("%u", ++version);

	see_version(m, uid, spec, status, rv);
}

static void
lose(struct machines *m, const char *uid)
{
	machines_gone(m, &(struct object_id){"", "n1", uid, "1"});
}

static void
stamp(struct machines *m, double now)
{
	scoped_free char *wall = mem_format("W%.0f", now);

	machines_stamp(m, now, wall);
}

static void
expect(struct machines *m, const char *uid, double now, enum assertion wanted)
{
	enum assertion found = machines_assert(m, "n1", uid, false, 0, now);

	if (found != wanted)
		fail_msg("%s at %.0f: '%s', not '%s'", uid, now, assertion_name(found),
		    assertion_name(wanted));
}

static void
expect_grace(struct machines *m, const char *uid, double now, enum assertion wanted)
{
	enum assertion found = machines_assert(m, "n1", uid, true, 60, now);

	if (found != wanted)
		fail_msg("%s at %.0f with grace: '%s', not '%s'", uid, now, assertion_name(found),
		    assertion_name(wanted));
}

static void
says(struct machines *m, const char *uid, double grace_s, const char *wanted)
{
	scoped_free char *text = machines_describe(m, "n1", uid, "u-pod", grace_s);

	if (!strstr(text, wanted))
		fail_msg("'%s' lacks '%s'", text, wanted);
}

static void
facts_of_a_node_are_what_it_says(void **state)
{
	struct machines *m = *state;
	const struct object_id id = {"", "n1", "A", "1"};
	scoped_json *object = NULL;
	static const char text[] = "{\"metadata\":{\"labels\":{\"staticip.dev/agent\":\"none\"}},"
	    "\"spec\":{" CLOUD "," TAINT "},\"status\":{" READY "," INFO("s1") "}}";

	assert_int_equal(json_parse(text, strlen(text), "test", &object, NULL), 0);
	machines_changed(m, &id, object);
	const struct machine *machine = machines_find(m, "n1");
	assert_non_null(machine);
	assert_string_equal(machine->uid, "A");
	assert_string_equal(machine->provider_id, "aws:///eu-1/i-1");
	assert_string_equal(machine->system_uuid, "s1");
	assert_string_equal(machine->boot_id, "b1");
	assert_true(machine->ready && machine->out_of_service && machine->no_agent);
	see(m, "A", "", "");
	assert_false(machine->ready || machine->out_of_service || machine->no_agent);
	assert_string_equal(machine->provider_id, "");
	assert_null(machines_find(m, "n2"));
	assert_null(machines_find_uid(m, "n1", "B"));
}

static void
rubbish_says_nothing(void **state)
{
	static const char *const rubbish[][2] = {
	    {"\"taints\":7,\"providerID\":[]", "\"conditions\":{},\"nodeInfo\":3"},
	    {"\"taints\":[7,{\"key\":7},null]", "\"conditions\":[null,{\"type\":\"Ready\",\"status\":true}]"},
	};
	struct machines *m = *state;

	for (size_t i = 0; i < 2; i++) {
		see(m, "A", rubbish[i][0], rubbish[i][1]);
		assert_false(machines_find(m, "n1")->ready);
		assert_false(machines_find(m, "n1")->out_of_service);
	}
	stamp(m, 10);
	expect(m, "A", 1e9, ASSERTION_NONE);
}

static void
the_taint_counts_only_when_the_node_is_not_ready(void **state)
{
	struct machines *m = *state;

	see(m, "A", TAINT, READY);
	stamp(m, 10);
	expect(m, "A", 1e9, ASSERTION_NONE);
	see(m, "A", "", UNKNOWN("T1"));
	expect(m, "A", 1e9, ASSERTION_NONE);
	see(m, "A", TAINT, UNKNOWN("T1"));
	expect(m, "A", 10, ASSERTION_OUT_OF_SERVICE);
	see(m, "A", TAINT, READY);
	expect(m, "A", 10, ASSERTION_NONE);
}

static void
a_node_without_a_ready_condition_is_not_ready(void **state)
{
	struct machines *m = *state;

	see(m, "A", TAINT, "");
	expect(m, "A", 0, ASSERTION_OUT_OF_SERVICE);
}

static void
a_cloud_s_node_asserts_after_it_was_gone_for_long(void **state)
{
	struct machines *m = *state;

	see(m, "A", CLOUD, READY);
	stamp(m, 10);
	expect(m, "A", 1e9, ASSERTION_NONE);
	lose(m, "A");
	/* not dated yet: nothing counts */
	expect(m, "A", 1e9, ASSERTION_NONE);
	stamp(m, 100);
	expect(m, "A", 399, ASSERTION_NONE);
	assert_true(machines_next_deadline(m, "n1", "A", false, 0, 399) == 400);
	expect(m, "A", 400, ASSERTION_NODE_GONE);
	assert_true(isinf(machines_next_deadline(m, "n1", "A", false, 0, 400)));
	/* later stamps date nothing anew, a second end ends nothing */
	lose(m, "A");
	stamp(m, 5000);
	expect(m, "A", 400, ASSERTION_NODE_GONE);
	assert_null(machines_find(m, "n1"));
	assert_string_equal(machines_find_uid(m, "n1", "A")->gone_at, "W100");
}

static void
the_time_that_a_node_must_be_gone_is_an_option(void **state)
{
	struct machines *m = machines_new(2);

	(void)state;
	see(m, "A", CLOUD, READY);
	lose(m, "A");
	stamp(m, 10);
	expect(m, "A", 11.9, ASSERTION_NONE);
	expect(m, "A", 12, ASSERTION_NODE_GONE);
	machines_free(m);
}

static void
only_a_cloud_ends_the_machine_with_its_node(void **state)
{
	static const char *const none[] = {"", "\"providerID\":\"\"", "\"providerID\":\"k3s://n1\"",
	    "\"providerID\":\"k3s\"", "\"providerID\":\"rke2://n1\"", "\"providerID\":\"kind://docker/kind/n1\"",
	    "\"providerID\":\"k0s-cloud-provider://n1\"", "\"providerID\":\"://n1\""};
	struct machines *m = *state;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char uid[2] = {(char)('A' + i), '\0'};
		see(m, uid, none[i], READY);
		lose(m, uid);
		stamp(m, 10);
		if (machines_assert(m, "n1", uid, false, 0, 1e9) != ASSERTION_NONE)
			fail_msg("%s", none[i]);
	}
	see(m, "Z", "\"providerID\":\"k3sx://n1\"", READY);
	lose(m, "Z");
	stamp(m, 10);
	expect(m, "Z", 1e9, ASSERTION_NODE_GONE);
}

static void
a_node_made_anew_for_another_machine_leaves_the_former_one_s_facts(void **state)
{
	struct machines *m = *state;

	see(m, "A", CLOUD, READY "," INFO("s1"));
	stamp(m, 10);
	/* no word of its end: the new UID says it */
	see(m, "B", "\"providerID\":\"aws:///eu-1/i-2\"", READY "," INFO("s2"));
	stamp(m, 100);
	assert_string_equal(machines_find(m, "n1")->uid, "B");
	assert_false(machine_same(m, "n1", "A"));
	assert_true(machine_same(m, "n1", "B"));
	expect(m, "A", 399, ASSERTION_NONE);
	expect(m, "A", 400, ASSERTION_NODE_GONE);
	expect(m, "B", 1e9, ASSERTION_NONE);
	/* the taint on the new one says nothing of the former machine */
	see(m, "B", TAINT, UNKNOWN("T1") "," INFO("s2"));
	expect(m, "A", 101, ASSERTION_NONE);
	expect(m, "B", 101, ASSERTION_OUT_OF_SERVICE);
}

static void
a_node_made_anew_for_the_same_machine_speaks_for_it(void **state)
{
	struct machines *m = *state;

	see(m, "A", CLOUD, READY "," INFO("4c4c4544-0001"));
	lose(m, "A");
	stamp(m, 10);
	/* registered before its cloud's controller gave it an ID; the case is the kubelet's */
	see(m, "B", "", READY "," INFO("4C4C4544-0001"));
	stamp(m, 20);
	assert_true(machine_same(m, "n1", "A"));
	expect(m, "A", 1e9, ASSERTION_NONE);
	expect_grace(m, "A", 1e9, ASSERTION_NONE);
	see(m, "B", TAINT, UNKNOWN("T1") "," INFO("4C4C4544-0001"));
	expect(m, "A", 21, ASSERTION_OUT_OF_SERVICE);
	see(m, "B", "", UNKNOWN("T1") "," INFO("4C4C4544-0001"));
	stamp(m, 30);
	expect_grace(m, "A", 89, ASSERTION_NONE);
	expect_grace(m, "A", 90, ASSERTION_AFTER_GRACE);
	/* gone with its second Node: the first one's deletion counts no more than the second's */
	see(m, "B", CLOUD, READY "," INFO("4C4C4544-0001"));
	lose(m, "B");
	stamp(m, 1000);
	expect(m, "A", 1299, ASSERTION_NONE);
	expect(m, "A", 1300, ASSERTION_NODE_GONE);
}

static void
numbers_that_tell_no_machine_apart_make_none_the_same(void **state)
{
	static const char *const infos[] = {"", INFO(""), INFO("00000000-0000-0000-0000-000000000000"),
	    INFO("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"), INFO("03000200-0400-0500-0006-000700080009")};
	struct machines *m = *state;

	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		char before[3] = {'x', (char)('0' + i), '\0'};
		char after[3] = {'y', (char)('0' + i), '\0'};
		see(m, before, "", infos[i]);
		see(m, after, "", infos[i]);
		if (machine_same(m, "n1", before) || !machine_same(m, "n1", after))
			fail_msg("'%s'", infos[i]);
	}
	/* two machines of a cloud, whatever their images say */
	see(m, "C", "\"providerID\":\"aws:///eu-1/i-1\"", INFO("s1"));
	see(m, "D", "\"providerID\":\"aws:///eu-1/i-2\"", INFO("s1"));
	assert_false(machine_same(m, "n1", "C"));
}

static void
without_a_node_the_name_is_still_the_last_one_s(void **state)
{
	struct machines *m = *state;

	see(m, "A", "", READY);
	see(m, "B", "", READY);
	lose(m, "B");
	assert_true(machine_same(m, "n1", "B"));
	assert_false(machine_same(m, "n1", "A"));
	assert_false(machine_same(m, "n1", "C"));
}

static void
without_a_UID_the_name_must_have_been_one_machine_s(void **state)
{
	struct machines *m = *state;

	assert_true(machine_same(m, "n1", ""));
	assert_true(machine_same(m, "n1", NULL));
	assert_false(machine_same(m, "n1", "A"));
	see(m, "A", CLOUD "," TAINT, UNKNOWN("T1"));
	assert_true(machine_same(m, "n1", ""));
	expect(m, "", 10, ASSERTION_OUT_OF_SERVICE);
	expect(m, NULL, 10, ASSERTION_OUT_OF_SERVICE);
	see(m, "A", CLOUD, UNKNOWN("T1"));
	lose(m, "A");
	stamp(m, 10);
	/* which Node is gone? not known to be the one that it was on */
	expect(m, "", 1e9, ASSERTION_NONE);
	says(m, "", 0, "when it is back and its agent answers, or by kubectl");
	see(m, "B", TAINT, UNKNOWN("T1"));
	assert_false(machine_same(m, "n1", ""));
	expect(m, "", 10, ASSERTION_NONE);
}

static void
what_nobody_knows_asserts_nothing(void **state)
{
	struct machines *m = *state;

	expect_grace(m, "A", 1e9, ASSERTION_NONE);
	see(m, "B", CLOUD "," TAINT, UNKNOWN("T1"));
	stamp(m, 10);
	expect_grace(m, "A", 1e9, ASSERTION_NONE);
	assert_true(isinf(machines_next_deadline(m, "n1", "A", true, 60, 10)));
	says(m, "A", 0, "nothing is known of what was node n1; free by kubectl annotate staticipnode n1 staticip.dev/release=u-pod");
}

static void
grace_counts_from_when_we_saw_it_not_ready(void **state)
{
	struct machines *m = *state;

	see(m, "A", "", READY);
	stamp(m, 10);
	see(m, "A", "", UNKNOWN("T1"));
	expect_grace(m, "A", 1e9, ASSERTION_NONE);
	stamp(m, 100);
	expect(m, "A", 1e9, ASSERTION_NONE);
	expect_grace(m, "A", 159, ASSERTION_NONE);
	assert_true(machines_next_deadline(m, "n1", "A", true, 60, 159) == 160);
	assert_true(isinf(machines_next_deadline(m, "n1", "A", false, 60, 159)));
	expect_grace(m, "A", 160, ASSERTION_AFTER_GRACE);
	/* another change of the Node is none of its readiness */
	see(m, "A", CLOUD, UNKNOWN("T1"));
	stamp(m, 150);
	expect_grace(m, "A", 160, ASSERTION_AFTER_GRACE);
	see(m, "A", CLOUD, READY);
	expect_grace(m, "A", 160, ASSERTION_NONE);
}

static void
grace_counts_anew_when_it_was_ready_unseen(void **state)
{
	struct machines *m = *state;

	see(m, "A", "", UNKNOWN("T1"));
	stamp(m, 100);
	see(m, "A", "", UNKNOWN("T3"));
	stamp(m, 150);
	expect_grace(m, "A", 209, ASSERTION_NONE);
	expect_grace(m, "A", 210, ASSERTION_AFTER_GRACE);
}

static void
a_node_that_is_deleted_is_not_ready_from_then_or_before(void **state)
{
	struct machines *m = *state;

	see(m, "A", "", READY);
	stamp(m, 10);
	lose(m, "A");
	stamp(m, 100);
	expect_grace(m, "A", 159, ASSERTION_NONE);
	expect_grace(m, "A", 160, ASSERTION_AFTER_GRACE);
	see(m, "B", "", UNKNOWN("T1"));
	stamp(m, 200);
	lose(m, "B");
	stamp(m, 250);
	expect_grace(m, "B", 259, ASSERTION_NONE);
	expect_grace(m, "B", 260, ASSERTION_AFTER_GRACE);
}

static void
a_taint_outlives_the_node_that_had_it_while_not_ready(void **state)
{
	struct machines *m = *state;

	see(m, "A", TAINT, UNKNOWN("T1"));
	lose(m, "A");
	expect(m, "A", 0, ASSERTION_OUT_OF_SERVICE);
	see(m, "B", TAINT, READY);
	lose(m, "B");
	expect(m, "B", 0, ASSERTION_NONE);
	/* the machine came back: its new Node counts */
	see(m, "C", TAINT, UNKNOWN("T1") "," INFO("s1"));
	lose(m, "C");
	see(m, "D", "", READY "," INFO("s1"));
	expect(m, "C", 0, ASSERTION_NONE);
}

static void
what_an_earlier_controller_wrote_down_counts_from_now(void **state)
{
	struct machines *m = *state;

	machines_remember(m, "n1", "A", "aws:///eu-1/i-1", "s1", 100);
	expect(m, "A", 399, ASSERTION_NONE);
	expect(m, "A", 400, ASSERTION_NODE_GONE);
	machines_remember(m, "n1", "A", "x://", "s1", 300);
	expect(m, "A", 400, ASSERTION_NODE_GONE);
	machines_remember(m, "n1", "A0", NULL, NULL, 100);
	expect(m, "A0", 1e9, ASSERTION_NONE);
	/* the Node that is there stays the newest, in either order */
	see(m, "B", "", READY);
	machines_remember(m, "n1", "A1", "aws:///eu-1/i-1", "s1", 100);
	assert_string_equal(machines_find(m, "n1")->uid, "B");
	assert_true(machine_same(m, "n1", "B"));
	/* not gone after all: it is there */
	machines_remember(m, "n1", "B", "aws:///eu-1/i-1", "s1", 100);
	expect(m, "B", 1e9, ASSERTION_NONE);
	see(m, "A1", CLOUD, READY);
	assert_string_equal(machines_find(m, "n1")->uid, "A1");
	expect(m, "A1", 1e9, ASSERTION_NONE);
	assert_false(machines_find_uid(m, "n1", "A1")->gone);
}

static void
an_older_answer_brings_nothing_back(void **state)
{
	struct machines *m = *state;

	see_version(m, "A", CLOUD, READY, "9");
	lose(m, "A");
	see_version(m, "A", CLOUD, READY, "9");
	assert_null(machines_find(m, "n1"));
	see_version(m, "B", "", READY, "12");
	see_version(m, "A", CLOUD, READY, "11");
	assert_string_equal(machines_find(m, "n1")->uid, "B");
	see_version(m, "B", TAINT, READY, "10");
	assert_false(machines_find(m, "n1")->out_of_service);
	/* what is there may be seen again, and change */
	see_version(m, "B", TAINT, READY, "12");
	assert_true(machines_find(m, "n1")->out_of_service);
	/* seen as gone by a GET, but the watch knows better */
	lose(m, "B");
	see_version(m, "B", "", READY, "13");
	assert_false(machines_find_uid(m, "n1", "B")->gone);
}

static bool
is_A(void *cookie, const char *name, const struct machine *machine)
{
	(*(int *)cookie)++;
	assert_string_equal(name, "n1");
	return strcmp(machine->uid, "A") == 0;
}

static void
count(void *cookie, const char *name, const struct machine *machine)
{
	(void)name;
	(void)machine;
	(*(int *)cookie)++;
}

static void
what_nobody_needs_is_forgotten(void **state)
{
	struct machines *m = *state;
	int asked = 0;
	int left = 0;

	see(m, "A", "", READY);
	see(m, "B", "", READY);
	see(m, "C", "", READY);
	machines_forget(m, is_A, &asked);
	assert_int_equal(asked, 2); /* not about the one that is there */
	machines_each(m, count, &left);
	assert_int_equal(left, 2);
	assert_null(machines_find_uid(m, "n1", "B"));
	assert_non_null(machines_find_uid(m, "n1", "A"));
	lose(m, "C");
	machines_forget(m, is_A, &asked);
	assert_true(machine_same(m, "n1", "A"));
}

static void
a_name_has_a_bounded_past(void **state)
{
	struct machines *m = *state;
	char uid[24];
	int left = 0;

	for (int i = 0; i < 3 * MACHINES_OF_NAME_MAX; i++) {
		(void)snprintf(uid, sizeof(uid), "u%d", i);
		see(m, uid, CLOUD, READY);
		(void)snprintf(uid, sizeof(uid), "r%d", i);
		machines_remember(m, "n1", uid, NULL, NULL, 1);
	}
	machines_each(m, count, &left);
	assert_int_equal(left, MACHINES_OF_NAME_MAX);
	(void)snprintf(uid, sizeof(uid), "u%d", 3 * MACHINES_OF_NAME_MAX - 1);
	assert_string_equal(machines_find(m, "n1")->uid, uid);
}

static void
a_sentence_says_state_and_ways_out(void **state)
{
	struct machines *m = *state;

	see(m, "A", CLOUD, READY);
	says(m, "A", 0, "node n1 is Ready, its agent has not answered for the pod yet; free when it does, or by kubectl annotate staticipnode n1 staticip.dev/release=u-pod");
	see(m, "A", CLOUD, UNKNOWN("2026-11-21T15:00:00Z"));
	says(m, "A", 0, "node n1 is not Ready since 2026-11-21T15:00:00Z; free when it is back and its agent answers, "
	                "when it is off with the taint node.kubernetes.io/out-of-service, "
	                "300 s after its Node is deleted, or by kubectl");
	says(m, "A", 120, "deleted, 120 s after it became not Ready, or by");
	see(m, "A", "", UNKNOWN("2026-11-21T15:00:00Z"));
	says(m, "A", 0, "out-of-service, or by kubectl");
	lose(m, "A");
	says(m, "A", 0, "Node n1 is deleted; free when it is back and its agent answers, or by kubectl");
	stamp(m, 7);
	says(m, "A", 0, "Node n1 is deleted since W7;");
	see(m, "B", CLOUD, READY);
	says(m, "A", 0, "node n1 is another machine since W7; free by kubectl");
	lose(m, "B");
	see(m, "C", "", READY);
	says(m, "B", 0, "another machine; free 300 s after its Node was deleted, or by kubectl");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(facts_of_a_node_are_what_it_says),
	    T(rubbish_says_nothing),
	    T(the_taint_counts_only_when_the_node_is_not_ready),
	    T(a_node_without_a_ready_condition_is_not_ready),
	    T(a_cloud_s_node_asserts_after_it_was_gone_for_long),
	    T(the_time_that_a_node_must_be_gone_is_an_option),
	    T(only_a_cloud_ends_the_machine_with_its_node),
	    T(a_node_made_anew_for_another_machine_leaves_the_former_one_s_facts),
	    T(a_node_made_anew_for_the_same_machine_speaks_for_it),
	    T(numbers_that_tell_no_machine_apart_make_none_the_same),
	    T(without_a_node_the_name_is_still_the_last_one_s),
	    T(without_a_UID_the_name_must_have_been_one_machine_s),
	    T(what_nobody_knows_asserts_nothing),
	    T(grace_counts_from_when_we_saw_it_not_ready),
	    T(grace_counts_anew_when_it_was_ready_unseen),
	    T(a_node_that_is_deleted_is_not_ready_from_then_or_before),
	    T(a_taint_outlives_the_node_that_had_it_while_not_ready),
	    T(what_an_earlier_controller_wrote_down_counts_from_now),
	    T(an_older_answer_brings_nothing_back),
	    T(what_nobody_needs_is_forgotten),
	    T(a_name_has_a_bounded_past),
	    T(a_sentence_says_state_and_ways_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
