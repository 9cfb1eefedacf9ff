#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>

#include "agent/answer.h"
#include "agent/node_spec.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/table.h"

#define PROFILE "\"profiles\":[{\"name\":\"default/ex\",\"uid\":\"u-ex\",\"gateways\":[\"10.0.2.1\"]}]"
#define GIVEN(key, uid, ip) "{\"key\":\"" key "\",\"uid\":\"" uid "\",\"state\":\"Granted\",\"domain\":\"network/podnet\"," \
	"\"ips\":[\"" ip "\"],\"profile\":\"default/ex\"}"

/* Reads {"spec": {"epoch": "e1", "serial": SERIAL, MORE}}. */
static int
read_spec(const char *serial, const char *more, struct json_object **ret_object,
    struct node_spec *ret_spec, struct err *err)
{
	scoped_free char *text = mem_format("{\"spec\":{\"epoch\":\"e1\",\"serial\":%s%s%s}}", serial, more[0] ? "," : "", more);

	assert_int_equal(json_parse(text, strlen(text), "test", ret_object, err), 0);
	return node_spec_read(*ret_object, "n1", "u-n1", ret_spec, err);
}

static void
refused(const char *serial, const char *more, enum node_rule rule, const char *words)
{
	scoped_json *object = NULL;
	struct node_spec spec;
	struct err err = {0};

	assert_int_equal(read_spec(serial, more, &object, &spec, &err), -(int)rule);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
a_spec_becomes_a_table_in_order(void **state)
{
	scoped_json *object = NULL;
	struct node_spec spec;
	struct table_header header;
	struct table_line line;
	size_t offset = 0;
	struct err err = {0};
	const char *const keys[] = {"!default/ex", "@", "podnet/default/ex-0/net1@u-1", "podnet/default/ex-0@u-1"};

	(void)state;
	assert_int_equal(read_spec("7", PROFILE ",\"rows\":[" GIVEN("podnet/default/ex-0", "u-1", "10.0.2.40/24") ","
	    GIVEN("podnet/default/ex-0/net1", "u-1", "10.0.2.41/24") "],\"revoked\":[{\"uid\":\"u-8\"},{\"uid\":\"u-9\"}]", &object, &spec, &err), 0);
	assert_int_equal(table_verify(buf_string(&spec.text), spec.text.length, &header, &err), 0);
	assert_int_equal(header.generation, 7);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(table_next(buf_string(&spec.text), spec.text.length, &offset, &line));
		assert_int_equal(line.key_length, strlen(keys[i]));
		assert_memory_equal(line.key, keys[i], line.key_length);
	}
	assert_false(table_next(buf_string(&spec.text), spec.text.length, &offset, &line));
	assert_int_equal(spec.revoked_count, 2);
	assert_string_equal(spec.revoked[1].uid, "u-9");
	assert_false(spec.revoked[0].silence);
	node_spec_release(&spec);
}

static void
N1_and_N2_refuse_what_cannot_be_read(void **state)
{
	(void)state;
	refused("-1", "", NODE_N1_HEAD, "N1: spec.serial");
	refused("\"1\"", "", NODE_N1_HEAD, "N1: spec.serial");
	refused("1", "\"rows\":{}", NODE_N2_ROWS, "N2: spec.rows");
	refused("1", "\"rows\":[7]", NODE_N2_ROWS, "N2: spec.rows[0]");
	refused("1", "\"rows\":[" GIVEN("podnet/default/ex-0", "u-1", "10.0.2.40/24") "]", NODE_N2_ROWS, "names profile default/ex, which is not there");
	refused("1", PROFILE ",\"rows\":[" GIVEN("podnet/default", "u-1", "10.0.2.40/24") "]", NODE_N2_ROWS, "no key of a pod");
	refused("1", PROFILE ",\"rows\":[" GIVEN("podnet/Default/ex", "u-1", "10.0.2.40/24") "]", NODE_N2_ROWS, "'Default' is no namespace name");
	refused("1", PROFILE ",\"rows\":[" GIVEN("podnet/default/ex-0", "", "10.0.2.40/24") "]", NODE_N2_ROWS, "no UID");
	refused("1", PROFILE ",\"rows\":[" GIVEN("podnet/default/ex-0", "u-1", "10.0.2.400/24") "]", NODE_N2_ROWS, "10.0.2.400");
	refused("1", PROFILE ",\"rows\":[" GIVEN("podnet/default/ex-0", "u-1", "10.0.2.4/24") "," GIVEN("podnet/default/ex-0", "u-1", "10.0.2.5/24") "]",
	    NODE_N2_ROWS, "podnet/default/ex-0@u-1 is there twice");
	refused("1", "\"rows\":[{\"key\":\"podnet/default/ex-0\",\"uid\":\"u-1\",\"state\":\"Held\"}]", NODE_N2_ROWS, "why is missing");
	refused("1", "\"profiles\":[{\"name\":\"default/ex\"}]", NODE_N2_ROWS, "uid is missing");
	refused("1", "\"profiles\":[{\"name\":\"a\\tb/c\",\"uid\":\"u\"}]", NODE_N2_ROWS, "no name of an allocation");
	refused("1", "\"profiles\":[{\"name\":\"ab\",\"uid\":\"u\"}]", NODE_N2_ROWS, "no name of an allocation");
	refused("1", "\"revoked\":[{}]", NODE_N2_ROWS, "N2: spec.revoked[0].uid is missing");
}

static void
a_revocation_may_say_silence(void **state)
{
	scoped_json *object = NULL;
	struct node_spec spec;
	struct err err = {0};

	(void)state;
	assert_int_equal(read_spec("1", "\"revoked\":[{\"uid\":\"u-8\",\"silence\":true,\"addresses\":[\"network/podnet 10.0.2.40\"]},"
	    "{\"uid\":\"u-9\",\"silence\":false}]", &object, &spec, &err), 0);
	assert_true(spec.revoked[0].silence);
	assert_false(spec.revoked[1].silence);
	node_spec_release(&spec);
	refused("1", "\"revoked\":[{\"uid\":\"u-8\",\"silence\":1}]", NODE_N2_ROWS, "N2: spec.revoked[0].silence");
}

/* The row's text of a message of this many times a piece. */
static size_t
held_with(const char *piece, unsigned times, char *ret_end, struct grant *ret_grant)
{
	scoped_buf words = buf_make(4096);
	scoped_json *object = NULL;
	struct table_line line;
	struct node_spec spec;
	struct err err = {0};

	for (unsigned i = 0; i < times; i++)
		(void)buf_text(&words, piece);
	scoped_free char *row = mem_format("\"rows\":[{\"key\":\"podnet/default/ex-0\",\"uid\":\"u-1\",\"state\":\"Held\",\"message\":\"%s\"}]", buf_string(&words));
	assert_int_equal(read_spec("1", row, &object, &spec, &err), 0);
	assert_int_equal(table_find(buf_string(&spec.text), spec.text.length, "podnet/default/ex-0@u-1", &line, &err), 1);
	assert_int_equal(grant_decode("row", line.json, line.json_length, ret_grant, &err), 0);
	node_spec_release(&spec);
	size_t length = strlen(ret_grant->why);
	*ret_end = ret_grant->why[length - 1];
	return length;
}

static void
a_message_of_512_characters_is_cut_between_two(void **state)
{
	struct grant grant;
	char end = 0;

	(void)state;
	assert_int_equal(held_with("x", 512, &end, &grant), 512);
	assert_int_equal(held_with("x", 513, &end, &grant), 512);
	assert_int_equal(held_with("\xc3\xa4", 512, &end, &grant), 512); /* ä */
	assert_int_equal(end, '\xa4');
	assert_int_equal(held_with("\xe2\x82\xac", 512, &end, &grant), 510); /* € */
	assert_int_equal(end, '\xac');
	assert_int_equal(held_with("\xf0\x9f\x98\x80", 512, &end, &grant), 512);
	assert_int_equal(end, '\x80');
}

static int
follows(const char *in_force_serial, const char *in_force_more, const char *serial, const char *more, struct err *err)
{
	scoped_json *old = NULL;
	scoped_json *new = NULL;
	struct node_spec before;
	struct node_spec after;

	assert_int_equal(read_spec(in_force_serial, in_force_more, &old, &before, err), 0);
	assert_int_equal(read_spec(serial, more, &new, &after, err), 0);
	int step = node_spec_successor(&after, buf_string(&before.text), before.text.length, err);
	node_spec_release(&before);
	node_spec_release(&after);
	return step;
}

static void
N3_and_N4_within_an_epoch_nothing_goes_back(void **state)
{
	scoped_json *object = NULL;
	struct node_spec spec;
	struct err err = {0};

	(void)state;
	assert_int_equal(follows("4", "", "5", PROFILE, &err), NODE_PUBLISH);
	assert_int_equal(follows("5", PROFILE, "5", PROFILE, &err), NODE_SAME);
	assert_int_equal(follows("5", "", "4", "", &err), -NODE_N3_SERIAL);
	assert_int_equal(follows("5", "", "5", PROFILE, &err), -NODE_N4_BYTES);
	assert_int_equal(read_spec("1", "", &object, &spec, &err), 0);
	assert_int_equal(node_spec_successor(&spec, NULL, 0, &err), NODE_PUBLISH);
	assert_int_equal(node_spec_successor(&spec, "rubbish", 7, &err), NODE_PUBLISH);
	(void)memcpy(spec.head.epoch, "e2", 3);
	scoped_json *older = NULL;
	struct node_spec before;
	assert_int_equal(read_spec("9", "", &older, &before, &err), 0);
	assert_int_equal(node_spec_successor(&spec, buf_string(&before.text), before.text.length, &err), NODE_PUBLISH);
	node_spec_release(&before);
	node_spec_release(&spec);
}

/* What may follow the table of epoch `before`, serial 9, with serial 1. */
static int
epoch_follows(const char *before, const char *after, struct err *err)
{
	scoped_json *old_object = NULL;
	scoped_json *new_object = NULL;
	struct node_spec old;
	struct node_spec next;

	assert_int_equal(read_spec("9", "", &old_object, &old, NULL), 0);
	assert_int_equal(read_spec("1", "", &new_object, &next, NULL), 0);
	(void)snprintf(next.head.epoch, sizeof(next.head.epoch), "%s", after);
	/* the table in force, under its epoch */
	json_object_object_add(json_path(old_object, "spec"), "epoch", json_object_new_string(before));
	node_spec_release(&old);
	assert_int_equal(node_spec_read(old_object, "n1", "u-n1", &old, NULL), 0);
	int rc = node_spec_successor(&next, buf_string(&old.text), old.text.length, err);
	node_spec_release(&old);
	node_spec_release(&next);
	return rc;
}

static void
N3_an_epoch_of_a_lower_number_is_refused(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(epoch_follows("100-a-b", "99-a-b", &err), -NODE_N3_SERIAL);
	assert_string_equal(err.text, "N3: its epoch 99-a-b is before the 100-a-b in force");
	assert_int_equal(epoch_follows("100", "99", &err), -NODE_N3_SERIAL);
	assert_int_equal(epoch_follows("100-a-b", "100-a-c", &err), NODE_PUBLISH);
	assert_int_equal(epoch_follows("100-a-b", "101-a-b", &err), NODE_PUBLISH);
	/* what has no number cannot be compared */
	assert_int_equal(epoch_follows("100-a-b", "e1", &err), NODE_PUBLISH);
	assert_int_equal(epoch_follows("e2", "1-a", &err), NODE_PUBLISH);
	assert_int_equal(epoch_follows("100-a", "99e", &err), NODE_PUBLISH);
	assert_int_equal(epoch_follows("100-a", "9223372036854775808-a", &err), NODE_PUBLISH);
}

static void
an_answer_of_a_node_that_is_ahead_names_everybody(void **state)
{
	static const struct conditions conditions = {0};
	const struct grant_head head = {.object = "u-n1", .epoch = "e1", .serial = 7};
	const struct lease leases[] = {{.holder = {.uid = "u-9"}}, {.holder = {.uid = "u-2"}},
	    {.holder = {.uid = "u-9"}}, {.holder = {.uid = ""}}};
	const struct answer_facts facts = {.head = &head, .leases = leases, .lease_count = 4,
	    .boot_id = "b", .ahead = true, .tables_ahead = 17, .conditions = &conditions};
	scoped_json *patch = answer_patch(&facts);

	(void)state;
	assert_string_equal(json_print(json_path(patch, "status.answer")),
	    "{\"objectUID\":\"u-n1\",\"epoch\":\"e1\",\"serial\":7,\"busy\":[\"u-9\",\"u-2\"],"
	    "\"grantsRequired\":false,\"ahead\":true,\"tablesAhead\":17}");
}

static void
an_answer_names_who_of_the_revoked_still_has_a_lease(void **state)
{
	static const struct revocation revoked[] = {{"u-1", false}, {"u-2", true}, {"u-3", false}};
	static const struct conditions conditions = {.list = {[CONDITION_READY] = {true, true, "Serving", "", "2026-11-21T15:00:00Z"}}};
	const struct grant_head head = {.object = "u-n1", .epoch = "e1", .serial = 7};
	const struct lease leases[] = {
	    {.holder = {.network = "podnet", .container = "c9", .ifname = "eth0", .uid = "u-9"}, .domain = "network/podnet"},
	    {.holder = {.network = "podnet", .container = "c2", .ifname = "eth0", .uid = "u-2"}, .domain = "network/podnet", .closing = true},
	    {.holder = {.network = "podnet", .container = "c0", .ifname = "eth0"}, .domain = "network/podnet"}};
	const struct answer_facts facts = {.head = &head, .revoked = revoked, .revoked_count = 3, .leases = leases, .lease_count = 3, .boot_id = "b",
	    .grants_required = true, .conditions = &conditions};
	scoped_json *patch = answer_patch(&facts);

	(void)state;
	assert_string_equal(json_path_text(patch, "metadata.uid"), "u-n1");
	assert_string_equal(json_print(json_path(patch, "status.answer")),
	    "{\"objectUID\":\"u-n1\",\"epoch\":\"e1\",\"serial\":7,\"busy\":[\"u-2\"],\"grantsRequired\":true,\"ahead\":false,\"tablesAhead\":0}");
	assert_string_equal(json_path_text(json_object_array_get_idx(json_path(patch, "status.conditions"), 0), "lastTransitionTime"), "2026-11-21T15:00:00Z");
	assert_int_equal(json_path_number(patch, "status.attachmentCount", -1), 3);
	struct json_object *list = json_path(patch, "status.attachments");
	assert_int_equal(json_object_array_length(list), 3);
	assert_true(json_object_get_boolean(json_path(json_object_array_get_idx(list, 1), "closing")));
	assert_null(json_path(json_object_array_get_idx(list, 2), "uid"));
	/* a lease without a UID makes nobody busy, not even somebody without one */
	assert_true(answer_busy(&facts, "u-9"));
	assert_false(answer_busy(&facts, "u-1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_spec_becomes_a_table_in_order),
	    cmocka_unit_test(N1_and_N2_refuse_what_cannot_be_read),
	    cmocka_unit_test(a_revocation_may_say_silence),
	    cmocka_unit_test(a_message_of_512_characters_is_cut_between_two),
	    cmocka_unit_test(N3_and_N4_within_an_epoch_nothing_goes_back),
	    cmocka_unit_test(N3_an_epoch_of_a_lower_number_is_refused),
	    cmocka_unit_test(an_answer_of_a_node_that_is_ahead_names_everybody),
	    cmocka_unit_test(an_answer_names_who_of_the_revoked_still_has_a_lease),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
