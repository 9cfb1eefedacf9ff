#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/controller/one_desk.h"

#define EPOCH "1-a-b"
#define PROFILE "{\"name\":\"ns/ex\",\"uid\":\"a1\"}"
#define ROW(pod, uid, last)                                                            \
	"{\"key\":\"net/ns/" pod "\",\"uid\":\"" uid "\",\"state\":\"Granted\",\"domain\":" \
	"\"network/net\",\"ips\":[\"10.0.2." last "/24\"],\"profile\":\"ns/ex\"}"
#define SPEC(serial, rows, profiles, revoked)                                          \
	"{\"epoch\":\"" EPOCH "\",\"serial\":" serial ",\"profiles\":[" profiles          \
	"],\"rows\":[" rows "],\"revoked\":[" revoked "]}"

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

/* ---- what is ---------------------------------------------------------------------- */

/* Entry i of the allocation: 10.0.2.1i/24 for pod ex-i, and "ips" of its own for ex-0. */
static void
allocate(struct one_desk *one, unsigned pods, const char *ips)
{
	struct holding *holding = mem_new(1, sizeof(*holding));

	*holding = (struct holding){.uid = mem_text("a1"), .name = mem_text("ns/ex"),
	    .created = mem_text("1"), .network = mem_text("net"),
	    .domain = mem_text("network/net"), .routes = mem_new(1, sizeof(*holding->routes)),
	    .rows = mem_new(pods, sizeof(*holding->rows)), .row_count = pods};
	for (unsigned i = 0; i < pods; i++) {
		struct wanted *row = &holding->rows[i];
		scoped_free char *text =
		    i || !ips ? mem_format("10.0.2.1%u/24", i) : mem_text(ips);
		char *rest = text;
		*row = (struct wanted){.key = mem_format("net/ns/ex-%u", i)};
		row->entry.ips = mem_new(ENTRY_IPS_MAX, sizeof(*row->entry.ips));
		for (char *ip = strsep(&rest, ","); ip; ip = strsep(&rest, ","))
			assert_int_equal(cidr_parse(ip, strlen(ip),
			    &row->entry.ips[row->entry.ip_count++], NULL), 0);
	}
	arbiter_put(one->arbiter, holding);
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

/* A pod of the StatefulSet on n1, and what is decided about it. */
static struct claimant *
pod(struct one_desk *one, const char *name, const char *uid, enum word word)
{
	const struct object_id id = {.namespace = "ns", .name = name, .uid = uid, .version = "1"};
	scoped_free char *path = mem_format("ns/%s", name);
	scoped_free char *text = mem_format(
	    "{\"metadata\":{\"uid\":\"%s\"},\"spec\":{\"nodeName\":\"n1\"}}", uid);
	scoped_json *object = parse(text);

	if (word != WORD_REVOKE)
		world_pod_changed(one->world, &id, object);
	struct claimant *claimant = claimant_make(one->holders, uid, path);
	desk_join(one->holders, claimant, "n1");
	claimant->word = word;
	return claimant;
}

/* entries: "ADDRESS UID [NODE], …" of the first one's block. */
static void
ledger(struct one_desk *one, const char *entries, uint64_t live)
{
	struct held list[8] = {0};
	scoped_free char *copy = mem_text(entries);
	char *rest = copy;
	unsigned count = 0;
	struct block *block = NULL;

	for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
		char address[64], uid[16], node[16];
		int words = sscanf(item, " %63s %15s %15s", address, uid, node);
		struct held *held = &list[count];
		assert_int_equal(ip_parse(address, strlen(address), &held->ip, NULL), 0);
		block = ledger_block(one->holders->ledger, "network/net", &held->ip);
		if (words < 2) /* only the block was to be named */
			continue;
		if (words > 2)
			held->node = mem_text(node);
		held->uid = mem_text(uid);
		held->pod = mem_text("ns/ex-0");
		count++;
	}
	if (!block)
		fail_msg("no block in \"%s\"", entries);
	scoped_json *object = block ? block_encode(block, list, count) : NULL;
	scoped_free char *name = mem_text(block ? block->name : "");
	assert_int_equal(ledger_observe(one->holders->ledger, name, object, live, NULL), 0);
	for (unsigned i = 0; i < count; i++)
		held_release(&list[i]);
}

/* The StaticIPNode: its spec, and the serial that was answered (0: none) with who is busy. */
static void
node(struct one_desk *one, const char *spec, unsigned answered, const char *busy,
    uint64_t received)
{
	scoped_free char *answer = answered
	    ? mem_format("\"answer\":{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":%u,"
	          "\"busy\":[%s]},\"protocol\":2", answered, busy) : mem_text("");
	scoped_free char *text = mem_format("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\"},"
	    "\"spec\":%s,\"status\":{%s}}", spec, answer);

	one_desk_see(one, parse(text), received);
}

/* ---- what shall be ---------------------------------------------------------------------- */

static void
expect_drop(struct one_desk *one, bool drop, const char *spec)
{
	scoped_json *next = one_desk_plan(one, EPOCH, drop);
	const char *is = next ? json_print(json_path(next, "spec")) : "as it is";

	assert_string_equal(is, spec);
}

static void
expect(struct one_desk *one, const char *spec)
{
	expect_drop(one, false, spec);
}

static void
a_node_that_was_never_told_anything_gets_an_empty_spec(void **state)
{
	struct one_desk *one = *state;
	scoped_json *next = one_desk_plan(one, EPOCH, false);

	assert_string_equal(json_path_text(next, "metadata.name"), "n1");
	assert_string_equal(json_path_text(next, "kind"), "StaticIPNode");
	assert_string_equal(json_print(json_path(next, "spec")), SPEC("1", "", "", ""));
}

static void
what_does_not_change_is_not_written(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	node(one, SPEC("7", "", "", ""), 7, "", 10);
	expect(one, "as it is");
	pod(one, "ex-0", "u1", WORD_KEEP);
	expect(one, "as it is");
}

static void
a_pod_is_granted_what_the_ledger_read_after_the_node_says_is_its_own(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	pod(one, "ex-0", "u1", WORD_GRANT);
	ledger(one, "10.0.2.10 u1 n1", 11);
	node(one, SPEC("7", "", "", ""), 0, "", 10);
	expect(one, SPEC("8", ROW("ex-0", "u1", "10"), PROFILE, ""));
	assert_int_equal(one->reads, 0);
}

static void
an_entry_read_before_the_node_is_read_again_first(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	pod(one, "ex-0", "u1", WORD_GRANT);
	ledger(one, "10.0.2.10 u1 n1", 0); /* by the watch */
	node(one, SPEC("7", "", "", ""), 0, "", 10);
	expect(one, "as it is");
	assert_int_equal(one->reads, 1);
	ledger(one, "10.0.2.10 u1 n1", 9); /* directly, and too early */
	expect(one, "as it is");
	ledger(one, "10.0.2.10 u1 n1", 10);
	expect(one, "as it is");
	assert_int_equal(one->reads, 1);
	ledger(one, "10.0.2.10 u1 n1", 11);
	expect(one, SPEC("8", ROW("ex-0", "u1", "10"), PROFILE, ""));
}

static void
a_pod_without_all_its_entries_gets_nothing(void **state)
{
	static const char *const entries[] = {"10.0.2.10 u1 n1", "10.0.2.10 u1 n1, 10.0.2.11 u9 n1",
	    "10.0.2.10 u1 n1, 10.0.2.11 u1", "10.0.2.10 u1 n1, 10.0.2.11 u1 n2", "10.0.2.10"};
	struct one_desk *one = *state;

	allocate(one, 1, "10.0.2.10/24,10.0.2.11/24");
	pod(one, "ex-0", "u1", WORD_GRANT);
	node(one, SPEC("7", "", "", ""), 0, "", 10);
	for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		ledger(one, entries[i], 11);
		scoped_json *next = one_desk_plan(one, EPOCH, false);
		if (next)
			fail_msg("with \"%s\": %s", entries[i], json_print(next));
	}
	ledger(one, "10.0.2.10 u1 n1, 10.0.2.11 u1 n1", 11);
	scoped_json *next = one_desk_plan(one, EPOCH, false);
	assert_non_null(strstr(json_print(next), "[\"10.0.2.10/24\",\"10.0.2.11/24\"]"));
}

static void
nothing_new_is_granted_while_the_ledger_is_rebuilt_or_cannot_be_read(void **state)
{
	struct one_desk *one = *state;
	struct ip ip = {.family = 4, .bytes = {10, 0, 2, 10}};

	allocate(one, 1, NULL);
	pod(one, "ex-0", "u1", WORD_GRANT);
	ledger(one, "10.0.2.10 u1 n1", 11);
	node(one, SPEC("7", "", "", ""), 0, "", 10);
	one->holders->rebuilding = true;
	expect(one, "as it is");
	one->holders->rebuilding = false;
	struct block *block = ledger_block(one->holders->ledger, "network/net", &ip);
	block->unreadable = true;
	expect(one, "as it is");
	block->unreadable = false;
	expect(one, SPEC("8", ROW("ex-0", "u1", "10"), PROFILE, ""));
}

/* What the API server shows as granted may be somebody else's by now. */
static void
no_grant_stays_when_the_api_server_went_back_in_time(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_HOLD);
	claimant->why = mem_text("why");
	ledger(one, "10.0.2.10 u1 n1", 11);
	node(one, SPEC("7", ROW("ex-0", "u1", "10"), PROFILE, ""), 0, "", 10);
	one->holders->rebuilding = one->holders->withdrawn = true;
	expect(one, SPEC("8",
	    "{\"key\":\"net/ns/ex-0\",\"uid\":\"u1\",\"state\":\"Held\",\"message\":\"why\"}", "", ""));
}

static void
a_grant_stays_as_it_was_given_whatever_becomes_of_allocation_and_ledger(void **state)
{
	static const enum word words[] = {WORD_KEEP, WORD_GRANT, WORD_HOLD, WORD_REFUSE};
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_KEEP);
	claimant->why = mem_text("why");
	node(one, SPEC("7", ROW("ex-0", "u1", "99"), PROFILE, ""), 7, "", 10);
	assert_int_equal(claimant->rows_granted, 1);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		claimant->word = words[i];
		expect(one, "as it is");
	}
	arbiter_remove(one->arbiter, "a1");
	expect(one, "as it is");
}

static void
a_grant_whose_profile_is_lost_gets_one_so_that_the_agent_can_read_the_rest(void **state)
{
	struct one_desk *one = *state;

	pod(one, "ex-0", "u1", WORD_KEEP);
	node(one, SPEC("7", ROW("ex-0", "u1", "10"), "", ""), 7, "", 10);
	expect(one, SPEC("8", ROW("ex-0", "u1", "10"),
	    "{\"name\":\"ns/ex\",\"uid\":\"unknown\"}", ""));
}

static void
who_waits_or_is_refused_is_told_why(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant;

	allocate(one, 2, NULL);
	claimant = pod(one, "ex-1", "u2", WORD_REFUSE);
	claimant->why = mem_text("it is not yours");
	claimant = pod(one, "ex-0", "u1", WORD_HOLD);
	claimant->why = mem_format("%0*d", GRANT_WORDS_MAX + 50, 0);
	node(one, SPEC("7", "", "", ""), 0, "", 10);
	scoped_json *next = one_desk_plan(one, EPOCH, false);
	struct json_object *rows = json_path(next, "spec.rows");
	assert_int_equal(json_object_array_length(rows), 2);
	struct json_object *held = json_object_array_get_idx(rows, 0);
	assert_string_equal(json_path_text(held, "state"), "Held");
	assert_string_equal(json_path_text(held, "uid"), "u1");
	assert_int_equal(strlen(json_path_text(held, "message")), GRANT_WORDS_MAX);
	assert_string_equal(json_print(json_object_array_get_idx(rows, 1)),
	    "{\"key\":\"net/ns/ex-1\",\"uid\":\"u2\",\"state\":\"Refused\","
	    "\"message\":\"it is not yours\"}");
}

#define WAITS "{\"key\":\"net/ns/ex-0\",\"uid\":\"u1\",\"state\":\"Held\",\"message\":\"by u0\"}"

static void
what_it_was_told_stays_until_the_grant_takes_its_place(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_KEEP);
	node(one, SPEC("7", WAITS, "", ""), 0, "", 10);
	expect(one, "as it is"); /* its claim is being written */
	claimant->word = WORD_GRANT;
	ledger(one, "10.0.2.10 u1 n1", 9);
	expect(one, "as it is"); /* its entry is read again */
	ledger(one, "10.0.2.10 u1 n1", 11);
	expect(one, SPEC("8", ROW("ex-0", "u1", "10"), PROFILE, ""));
	claimant->word = WORD_REVOKE;
	expect(one, SPEC("8", "", "", "{\"uid\":\"u1\",\"pod\":\"ns/ex-0\",\"addresses\":[\"network/net 10.0.2.10\"]}"));
}

static void
a_pod_that_is_gone_or_wants_nothing_is_told_nothing(void **state)
{
	struct one_desk *one = *state;
	const struct object_id id = {.namespace = "ns", .name = "ex-0", .uid = "u1", .version = "2"};

	(void)pod(one, "ex-0", "u1", WORD_KEEP);
	node(one, SPEC("7", WAITS, "", ""), 0, "", 10);
	expect(one, SPEC("8", "", "", "")); /* no allocation any more */
	allocate(one, 1, NULL);
	expect(one, "as it is");
	world_pod_gone(one->world, &id);
	expect(one, SPEC("8", "", "", ""));
}

static void
words_never_take_the_room_of_a_grant(void **state)
{
	struct one_desk *one = *state;
	scoped_buf rows = buf_make(1 << 20);

	for (unsigned i = 0; i < GRANTS_MAX; i++)
		(void)buf_print(&rows, "%s{\"key\":\"net/ns/b-%04u\",\"uid\":\"v%04u\","
		    "\"state\":\"Granted\",\"profile\":\"ns/ex\"}", i ? "," : "", i, i);
	allocate(one, 1, NULL);
	scoped_free char *spec = mem_format(SPEC("7", "%s", PROFILE, ""), buf_string(&rows));
	node(one, spec, 0, "", 10);
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_HOLD); /* before all others */
	claimant->why = mem_text("why");
	expect(one, "as it is");
}

/* ---- the end of a hold ------------------------------------------------------------------ */

#define REVOKED "{\"uid\":\"u1\",\"pod\":\"ns/ex-0\",\"addresses\":[\"network/net 10.0.2.10\"]}"

static void
a_revocation_takes_the_place_of_the_grant_and_names_the_addresses(void **state)
{
	struct one_desk *one = *state;

	allocate(one, 1, NULL);
	ledger(one, "10.0.2.10 u1 n1", 11);
	pod(one, "ex-0", "u1", WORD_REVOKE);
	node(one, SPEC("7", ROW("ex-0", "u1", "10"), PROFILE, ""), 7, "", 10);
	expect(one, SPEC("8", "", "", REVOKED));
	node(one, SPEC("8", "", "", REVOKED), 7, "", 12);
	expect(one, "as it is");
}

static void
a_revoked_pod_is_not_granted_again_while_it_is_revoked(void **state)
{
	static const enum word words[] = {WORD_KEEP, WORD_GRANT, WORD_HOLD};
	struct one_desk *one = *state;
	struct claimant *claimant;

	allocate(one, 1, NULL);
	ledger(one, "10.0.2.10 u1 n1", 99);
	claimant = pod(one, "ex-0", "u1", WORD_GRANT); /* alive, as our watch has it */
	claimant->why = mem_text("why");
	node(one, SPEC("8", "", "", REVOKED), 8, "", 10);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		claimant->word = words[i];
		expect_drop(one, true, "as it is"); /* the ledger still names it */
	}
}

static void
silence_is_said_once_decided_and_stays(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant;

	ledger(one, "10.0.2.10 u1 n1", 11);
	claimant = pod(one, "ex-0", "u1", WORD_REVOKE);
	claimant->silence = true;
	node(one, SPEC("8", "", "", REVOKED), 0, "", 10);
	assert_false(claimant->silenced);
	expect(one, SPEC("9", "", "", "{\"uid\":\"u1\",\"pod\":\"ns/ex-0\",\"silence\":true,"
	    "\"addresses\":[\"network/net 10.0.2.10\"]}"));
	claimant->silence = false; /* another controller, that only reads it */
	node(one, SPEC("9", "", "", "{\"uid\":\"u1\",\"pod\":\"ns/ex-0\",\"silence\":true,"
	    "\"addresses\":[\"network/net 10.0.2.10\"]}"), 0, "", 12);
	assert_true(claimant->silenced);
	expect(one, "as it is");
}

static void
a_revocation_goes_when_answered_not_busy_and_the_ledger_read_after_it_is_empty(void **state)
{
	struct one_desk *one = *state;
	const char *spec = SPEC("8", "", "", REVOKED);

	ledger(one, "10.0.2.10 u1 n1", 99);
	pod(one, "ex-0", "u1", WORD_REVOKE);
	node(one, spec, 8, "", 10);
	expect_drop(one, true, "as it is"); /* an entry */
	ledger(one, "10.0.2.10", 99);
	node(one, spec, 7, "", 10);
	expect_drop(one, true, "as it is"); /* not answered */
	node(one, spec, 8, "\"u0\",\"u1\"", 10);
	expect_drop(one, true, "as it is"); /* busy */
	node(one, spec, 8, "\"u0\"", 10);
	expect_drop(one, false, "as it is"); /* not worth a write yet */
	ledger(one, "10.0.2.10 u9 n1", 10);
	expect_drop(one, true, "as it is"); /* read too early */
	assert_int_equal(one->reads, 1);
	ledger(one, "10.0.2.10 u9 n1", 11); /* the successor's */
	expect_drop(one, true, SPEC("9", "", "", ""));
}

static char *
answered_by(int protocol, const char *answer)
{
	return mem_format("{\"metadata\":{\"uid\":\"o1\"},\"spec\":" SPEC("9", "", "", REVOKED)
	    ",\"status\":{\"protocol\":%d,\"answer\":%s}}", protocol, answer);
}

static void
only_an_answer_of_this_object_and_epoch_counts(void **state)
{
	static const char *const answers[] = {
	    "{\"objectUID\":\"o0\",\"epoch\":\"" EPOCH "\",\"serial\":9}",
	    "{\"objectUID\":\"o1\",\"epoch\":\"0-a-b\",\"serial\":9}",
	    "{\"epoch\":\"" EPOCH "\",\"serial\":9}", "{\"objectUID\":\"o1\",\"serial\":9}",
	    "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\"}",
	    "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":7}",
	    "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":10}",
	    "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":9,\"ahead\":true}", "null"};
	struct one_desk *one = *state;
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_REVOKE);

	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		scoped_free char *text = answered_by(2, answers[i]);
		one_desk_see(one, parse(text), 10);
		assert_true(claimant->revoked);
		if (claimant->answered)
			fail_msg("%s was taken", answers[i]);
	}
	scoped_free char *old = answered_by(
	    0, "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":9}");
	one_desk_see(one, parse(old), 10);
	assert_false(claimant->answered);
	scoped_free char *right = answered_by(
	    1, "{\"objectUID\":\"o1\",\"epoch\":\"" EPOCH "\",\"serial\":9}");
	one_desk_see(one, parse(right), 10);
	assert_true(claimant->answered);
}

static void
a_uid_that_is_revoked_another_time_has_to_be_answered_anew(void **state)
{
	struct one_desk *one = *state;
	struct claimant *claimant = pod(one, "ex-0", "u1", WORD_REVOKE);

	node(one, SPEC("8", "", "", REVOKED), 8, "", 10);
	assert_true(claimant->answered);
	node(one, SPEC("9", "", "", ""), 9, "", 11);
	assert_false(claimant->revoked);
	node(one, SPEC("20", "", "", REVOKED), 19, "", 12);
	assert_false(claimant->answered);
	node(one, SPEC("20", "", "", REVOKED), 20, "", 12);
	assert_true(claimant->answered);
	/* later changes of the same spec need no other answer */
	node(one, SPEC("21", "", "", REVOKED), 20, "", 13);
	assert_true(claimant->answered);
}

static void
a_new_epoch_is_a_change(void **state)
{
	struct one_desk *one = *state;

	node(one, SPEC("7", "", "", ""), 7, "", 10);
	scoped_json *next = one_desk_plan(one, "2-a-b", false);
	assert_string_equal(json_path_text(next, "spec.epoch"), "2-a-b");
	assert_int_equal(json_path_number(next, "spec.serial", 0), 8);
}

static void
annotations_of_others_stay_and_done_releases_go(void **state)
{
	struct one_desk *one = *state;
	const struct object_id id = {.namespace = "", .name = "n1", .uid = "m1", .version = "1"};
	scoped_json *machine = parse("{\"spec\":{\"providerID\":\"cloud://1\"},"
	    "\"status\":{\"nodeInfo\":{\"systemUUID\":\"s1\"}}}");

	machines_changed(one->machines, &id, machine);
	ledger(one, "10.0.2.10 u1 n1", 11);
	one_desk_see(one, parse("{\"metadata\":{\"name\":\"n1\",\"uid\":\"o1\",\"labels\":{\"l\":\"1\"},"
	    "\"annotations\":{\"other\":\"x\",\"staticip.dev/release\":\"u7, u1,,u8\"}},"
	    "\"spec\":" SPEC("7", "", "", "") "}"), 10);
	scoped_json *next = one_desk_plan(one, EPOCH, false);
	assert_string_equal(json_print(json_path(next, "metadata.annotations")),
	    "{\"other\":\"x\",\"staticip.dev/release\":\"u1\",\"staticip.dev/node-uid\":\"m1\","
	    "\"staticip.dev/provider-id\":\"cloud://1\",\"staticip.dev/system-uuid\":\"s1\"}");
	assert_string_equal(json_path_text(next, "metadata.labels.l"), "1");
	assert_null(json_path(next, "status"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_node_that_was_never_told_anything_gets_an_empty_spec),
	    TEST(what_does_not_change_is_not_written),
	    TEST(a_pod_is_granted_what_the_ledger_read_after_the_node_says_is_its_own),
	    TEST(an_entry_read_before_the_node_is_read_again_first),
	    TEST(a_pod_without_all_its_entries_gets_nothing),
	    TEST(nothing_new_is_granted_while_the_ledger_is_rebuilt_or_cannot_be_read),
	    TEST(no_grant_stays_when_the_api_server_went_back_in_time),
	    TEST(a_grant_stays_as_it_was_given_whatever_becomes_of_allocation_and_ledger),
	    TEST(a_grant_whose_profile_is_lost_gets_one_so_that_the_agent_can_read_the_rest),
	    TEST(who_waits_or_is_refused_is_told_why),
	    TEST(what_it_was_told_stays_until_the_grant_takes_its_place),
	    TEST(a_pod_that_is_gone_or_wants_nothing_is_told_nothing),
	    TEST(words_never_take_the_room_of_a_grant),
	    TEST(a_revocation_takes_the_place_of_the_grant_and_names_the_addresses),
	    TEST(a_revoked_pod_is_not_granted_again_while_it_is_revoked),
	    TEST(silence_is_said_once_decided_and_stays),
	    TEST(a_revocation_goes_when_answered_not_busy_and_the_ledger_read_after_it_is_empty),
	    TEST(only_an_answer_of_this_object_and_epoch_counts),
	    TEST(a_uid_that_is_revoked_another_time_has_to_be_answered_anew),
	    TEST(a_new_epoch_is_a_change),
	    TEST(annotations_of_others_stay_and_done_releases_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
