/* From objects as the API server sends them to what a status says, and back over a
 * start: world.h, incumbents.h and status.h together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "controller/incumbents.h"
#include "controller/machines.h"
#include "controller/status.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/table.h"

enum { BUCKETS = 1 };

#define TWO "\"addressRanges\":[\"10.0.0.1-10.0.0.2/24\"]"
#define INVALID "\"addressRanges\":[\"10.0.0.255-10.0.0.255/24\"]"

struct fixture {
	struct world *world;
	struct tables *tables;
	struct arbiter *arbiter;
	const struct held_summary *held;
};

static void
on_moved(void *cookie, const char *allocation)
{
	(void)cookie;
	(void)allocation;
}

static void
on_granted(void *cookie, const struct holding *holding, const struct wanted *row)
{
	tables_set(((struct fixture *)cookie)->tables, holding, row);
}

static void
on_withdrawn(void *cookie, const char *key)
{
	tables_drop(((struct fixture *)cookie)->tables, key);
}

static void
on_changed(void *cookie, const struct holding *holding)
{
	(void)cookie;
	(void)holding;
}

static const struct arbiter_events arbiter_events = {on_granted, on_withdrawn, on_changed};
static const struct tables_events tables_events = {on_moved};

static int
setup(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));

	f->world = world_new();
	f->tables = tables_new(BUCKETS, &tables_events, f);
	f->arbiter = arbiter_new(&arbiter_events, f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	arbiter_free(f->arbiter);
	tables_free(f->tables);
	world_free(f->world);
	mem_free(f);
	return 0;
}

/* Gives the world an object; text is its JSON. */
static void
see(struct fixture *f, void (*changed)(void *, const struct object_id *, struct json_object *),
    const char *name, const char *text)
{
	const struct object_id id = {"ns", name, name, "1"};
	scoped_json *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), "test", &object, NULL), 0);
	changed(f->world, &id, object);
}

static void
allocate(struct fixture *f, const char *addresses, int generation)
{
	scoped_free char *text = mem_format(
	    "{\"metadata\":{\"generation\":%d,\"creationTimestamp\":\"2026\"},\"spec\":{\"network\":\"net\","
	    "\"targetRef\":{\"kind\":\"StatefulSet\",\"name\":\"s\"},%s}}",
	    generation, addresses);

	see(f, world_allocation_changed, "a", text);
}

static struct declared *
the_allocation(struct fixture *f)
{
	return world_find(f->world, "a");
}

/* A table with rows s-FIRST... for 10.0.0.1 and on, as a controller before wrote it. */
static void
publish_rows(struct fixture *f, unsigned first, unsigned count)
{
	struct table_writer writer;
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	table_begin(&writer);
	table_line_add(&writer, "!ns/a", "{\"uid\":\"a\"}");
	for (unsigned i = 0; i < count; i++) {
		scoped_free char *key = mem_format("net/ns/s-%u", first + i);
		scoped_free char *json =
		    mem_format("{\"p\":\"ns/a\",\"ips\":[\"10.0.0.%u/24\"]}", i + 1);
		table_line_add(&writer, key, json);
	}
	assert_int_equal(table_end(&writer, 7, &text, NULL), 0);
	assert_true(tables_observe(f->tables, 0, text.data, text.length));
}

static void
a_restart_keeps_the_handover_of_rows_whose_edit_is_refused(void **state)
{
	struct fixture *f = *state;
	struct table_writer writer;
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	table_begin(&writer);
	table_line_add(&writer, "!ns/a", "{\"uid\":\"a\",\"handover\":\"Available\"}");
	table_line_add(&writer, "net/ns/s-0", "{\"p\":\"ns/a\",\"ips\":[\"10.0.0.1/24\"]}");
	assert_int_equal(table_end(&writer, 7, &text, NULL), 0);
	assert_true(tables_observe(f->tables, 0, text.data, text.length));
	allocate(f, INVALID, 2);
	assert_int_equal(incumbents_restore(f->tables, f->world, f->arbiter), 1);
	assert_true(arbiter_find(f->arbiter, "a")->available);
	assert_int_equal(tables_row_state(f->tables, "net/ns/s-0"), ROW_PENDING);
	/* only the network row is new */
	buf_clear(&text);
	assert_int_equal(tables_render(f->tables, 0, 8, &text), 1);
	assert_int_equal(tables_row_state(f->tables, "net/ns/s-0"), ROW_PUBLISHED);
}

static void
expect_ready(struct fixture *f, const char *reason, const char *part)
{
	struct condition conditions[CONDITIONS];

	status_judge(f->world, the_allocation(f), arbiter_find(f->arbiter, "a"), f->tables, f->held, conditions);
	assert_string_equal(conditions[CONDITION_READY].reason, reason);
	if (!strstr(conditions[CONDITION_READY].message, part))
		fail_msg("'%s' lacks '%s'", conditions[CONDITION_READY].message, part);
}

static void
published_rows_are_ready_as_far_as_the_target_is(void **state)
{
	struct fixture *f = *state;
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	publish_rows(f, 0, 2);
	allocate(f, TWO, 1);
	assert_int_equal(incumbents_restore(f->tables, f->world, f->arbiter), 2);
	/* the network row is missing: it is written, the rows stay as they are */
	assert_int_equal(tables_render(f->tables, 0, 8, &text), 1);
	assert_true(tables_observe(f->tables, 0, text.data, text.length));
	expect_ready(f, "TargetNotFound", "no StatefulSet s in namespace ns");
	see(f, world_stateful_set_changed, "s", "{\"spec\":{\"replicas\":3}}");
	expect_ready(f, "TooFewAddresses", "pods from s-2 on have no address");
	see(f, world_stateful_set_changed, "s", "{\"spec\":{\"replicas\":2}}");
	expect_ready(f, "Ready", "StatefulSet s");
}

static void
an_invalid_edit_keeps_the_rows_also_over_a_start(void **state)
{
	struct fixture *f = *state;

	publish_rows(f, 0, 2);
	allocate(f, INVALID, 2);
	assert_int_equal(incumbents_restore(f->tables, f->world, f->arbiter), 2);
	assert_int_not_equal(tables_row_state(f->tables, "net/ns/s-1"), ROW_NONE);
	expect_ready(f, "Invalid", "the rows of the last valid version stay");
	expect_ready(f, "Invalid", "spec.addressRanges: entry 0: 10.0.0.255/24");
}

static void
ordinals_of_a_set_that_is_gone_are_learned_from_the_rows(void **state)
{
	struct fixture *f = *state;

	publish_rows(f, 5, 2);
	allocate(f, TWO, 1);
	(void)incumbents_restore(f->tables, f->world, f->arbiter);
	scoped_free char *pod = world_pod_name(the_allocation(f), 1);
	assert_string_equal(pod, "s-6");
}

static void
ordinals_never_become_negative(void **state)
{
	struct fixture *f = *state;

	publish_rows(f, 0, 1);
	/* an entry was put in front of 10.0.0.1 meanwhile */
	allocate(f, "\"addresses\":[{\"ips\":[\"10.0.0.9/24\"]},{\"ips\":[\"10.0.0.1/24\"]}]", 1);
	(void)incumbents_restore(f->tables, f->world, f->arbiter);
	scoped_free char *pod = world_pod_name(the_allocation(f), 0);
	assert_string_equal(pod, "s-0");
}

static void
an_invalid_edit_does_not_forget_where_ordinals_start(void **state)
{
	struct fixture *f = *state;

	allocate(f, TWO, 1);
	see(f, world_stateful_set_changed, "s", "{\"spec\":{\"ordinals\":{\"start\":5}}}");
	world_stateful_set_gone(f->world, &(struct object_id){"ns", "s", "s", "2"});
	allocate(f, INVALID, 2);
	allocate(f, TWO, 3);
	scoped_free char *pod = world_pod_name(the_allocation(f), 0);
	assert_string_equal(pod, "s-5");
}

static void
pods_are_told_by_name_whoever_owns_them(void **state)
{
	struct fixture *f = *state;
	struct condition conditions[CONDITIONS] = {{.reason = "x"}, {.reason = "x"}, {.reason = "x"}};

	publish_rows(f, 0, 2);
	allocate(f, TWO, 1);
	(void)incumbents_restore(f->tables, f->world, f->arbiter);
	world_reported(f->world, the_allocation(f));
	see(f, world_pod_changed, "s-1", "{\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\"}}");
	assert_true(the_allocation(f)->report);
	scoped_json *status = status_encode(f->world, the_allocation(f),
	    arbiter_find(f->arbiter, "a"), conditions, NULL, "2026-01-01T00:00:00Z");
	const char *text = json_print(status);
	assert_non_null(strstr(text, "{\"index\":0,\"ips\":[\"10.0.0.1\"],\"pod\":\"s-0\",\"state\":\"Free\"}"));
	assert_non_null(strstr(text,
	    "{\"index\":1,\"ips\":[\"10.0.0.2\"],\"node\":\"n1\",\"pod\":\"s-1\",\"state\":\"Running\",\"uid\":\"s-1\"}"));
	assert_non_null(strstr(text, "\"inUse\":1,"));
	assert_non_null(strstr(text, "\"summary\":\"10.0.0.1 +1\",\"target\":\"StatefulSet/s\",\"total\":2"));
	world_pod_gone(f->world, &(struct object_id){"ns", "s-1", "s-1", "2"});
	assert_null(world_find_pod(f->world, "ns", "s-1"));
}

/* The status of two published rows, s-0 and s-1, with these holders. */
static char *
status_with(struct fixture *f, const struct held_summary held[2])
{
	struct condition conditions[CONDITIONS] = {{.reason = "x"}, {.reason = "x"}, {.reason = "x"}};
	scoped_json *status = status_encode(f->world, the_allocation(f),
	    arbiter_find(f->arbiter, "a"), conditions, held, "2026-01-01T00:00:00Z");

	return mem_text(json_print(status));
}

static void
has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' lacks '%s'", text, part);
}

static void
an_address_that_a_former_pod_holds_is_held(void **state)
{
	struct fixture *f = *state;
	struct held_summary held[2] = {{.uid = "u-0", .pod = "ns/s-0", .node = "n9", .since = "T0"},
	    {.uid = "s-1", .pod = "ns/s-1", .node = "n1", .since = "T1"}};
	static const char running[] = "{\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Running\"}}";
	static const char ended[] = "{\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"phase\":\"Failed\"}}";

	publish_rows(f, 0, 2);
	allocate(f, TWO, 1);
	(void)incumbents_restore(f->tables, f->world, f->arbiter);
	see(f, world_pod_changed, "s-1", running);
	scoped_free char *gone = status_with(f, held);
	has(gone, "{\"index\":0,\"ips\":[\"10.0.0.1\"],\"node\":\"n9\",\"pod\":\"s-0\",\"since\":\"T0\",\"state\":\"Held\",\"uid\":\"u-0\"}");
	has(gone, "{\"index\":1,\"ips\":[\"10.0.0.2\"],\"node\":\"n1\",\"pod\":\"s-1\",\"since\":\"T1\",\"state\":\"Running\",\"uid\":\"s-1\"}");
	has(gone, "\"held\":1,\"inUse\":1,");
	/* another pod of the name is there already, and on a node: it waits */
	see(f, world_pod_changed, "s-0", running);
	scoped_free char *replaced = status_with(f, held);
	has(replaced, "\"node\":\"n9\",\"pod\":\"s-0\",\"since\":\"T0\",\"state\":\"Held\",\"uid\":\"u-0\"}");
	has(replaced, "\"held\":1,\"inUse\":1,");
	/* who ended has it until that is proven, and then no more */
	see(f, world_pod_changed, "s-1", ended);
	scoped_free char *over = status_with(f, held);
	has(over, "\"pod\":\"s-1\",\"since\":\"T1\",\"state\":\"Held\",\"uid\":\"s-1\"}");
	has(over, "\"held\":2,\"inUse\":0,");
	held[0].uid = held[1].uid = NULL;
	scoped_free char *free = status_with(f, held);
	has(free, "\"pod\":\"s-1\",\"state\":\"Ended\",\"uid\":\"s-1\"}");
	has(free, "\"pod\":\"s-0\",\"state\":\"Running\",\"uid\":\"s-0\"}");
	has(free, "\"held\":0,\"inUse\":1,");
}

static void
a_hold_that_lasts_is_a_condition_with_its_way_out(void **state)
{
	struct fixture *f = *state;
	struct held_summary held[2] = {{.uid = "u-0", .pod = "ns/s-0", .node = "n9", .since = "T0"}};
	scoped_buf text = buf_make(TABLE_BYTES_MAX);

	publish_rows(f, 0, 2);
	allocate(f, TWO, 1);
	(void)incumbents_restore(f->tables, f->world, f->arbiter);
	assert_int_equal(tables_render(f->tables, 0, 8, &text), 1);
	assert_true(tables_observe(f->tables, 0, text.data, text.length));
	see(f, world_stateful_set_changed, "s", "{\"spec\":{\"replicas\":2}}");
	f->held = held;
	/* it will be over soon: no condition comes and goes at each restart of a pod */
	expect_ready(f, "Ready", "StatefulSet s");
	/* nor is it anybody's matter that waits for nothing */
	held[0].why = "node n9 is not Ready; free when it is back";
	expect_ready(f, "Ready", "StatefulSet s");
	held[0].waits = "10.0.0.1 is held by pod ns/s-0 since T0; node n9 is not Ready";
	expect_ready(f, "AddressHeld",
	    "entry 0: 10.0.0.1 is held by pod ns/s-0 since T0; node n9 is not Ready");
	held[1] = held[0];
	expect_ready(f, "AddressHeld", "more pods wait, see status.addresses");
	/* what it waits for need not be an address of its own row */
	held[0] = (struct held_summary){.uid = NULL};
	expect_ready(f, "AddressHeld", "entry 1: 10.0.0.1 is held");
}

/* A whole sentence with names as long as clouds make them. */
static void
a_sentence_about_a_hold_fits_with_its_way_out(void **state)
{
	static const char node[] = "ip-10-200-100-123.eu-central-1.compute.internal";
	static const char uid[] = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
	static const char text[] = "{\"spec\":{\"providerID\":\"aws:///eu-central-1a/i-1\"},\"status\":{\"conditions\":"
	    "[{\"type\":\"Ready\",\"status\":\"Unknown\",\"lastTransitionTime\":\"2026-11-21T15:00:00Z\"}]}}";
	struct machines *machines = machines_new(NODE_GONE_SECONDS);
	scoped_json *object = NULL;
	struct ip ip;
	char sentence[GRANT_WORDS_MAX + 1];

	(void)state;
	assert_int_equal(ip_parse("fec0:aaaa:1::40", 15, &ip, NULL), 0);
	assert_int_equal(json_parse(text, strlen(text), "test", &object, NULL), 0);
	machines_changed(machines, &(struct object_id){"", node, "A", "1"}, object);
	scoped_free char *why = machines_describe(machines, node, "A", uid, 600);
	struct held_summary held = {.uid = uid, .pod = "production/postgres-primary-0",
	    .node = node, .since = "2026-11-21T14:00:00Z", .why = why};
	held_describe(&held, &ip, sentence);
	has(sentence, "fec0:aaaa:1::40 is held by pod production/postgres-primary-0 since 2026-11-21T14:00:00Z; node ip-10");
	has(sentence, "out-of-service, 300 s after its Node is deleted, 600 s after it became not Ready, or by kubectl annotate staticipnode ");
	has(sentence, "staticip.dev/release=0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0");
	held.why = NULL;
	held_describe(&held, &ip, sentence);
	has(sentence, "(0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0) on node ip-10-200-100-123.eu-central-1.compute.internal since");
	has(sentence, "agent has answered");
	held.node = NULL;
	held_describe(&held, &ip, sentence);
	has(sentence, "which is on no node yet, since 2026-11-21T14:00:00Z; it is free when that pod is gone");
	/* longer ones are cut, not written past the end */
	static char huge[4096];
	memset(huge, 'x', sizeof(huge) - 1);
	held.why = huge;
	held_describe(&held, &ip, sentence);
	assert_int_equal(strlen(sentence), GRANT_WORDS_MAX);
	machines_free(machines);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(published_rows_are_ready_as_far_as_the_target_is),
	    T(a_restart_keeps_the_handover_of_rows_whose_edit_is_refused),
	    T(an_invalid_edit_keeps_the_rows_also_over_a_start),
	    T(ordinals_of_a_set_that_is_gone_are_learned_from_the_rows),
	    T(ordinals_never_become_negative),
	    T(an_invalid_edit_does_not_forget_where_ordinals_start),
	    T(pods_are_told_by_name_whoever_owns_them),
	    T(an_address_that_a_former_pod_holds_is_held),
	    T(a_hold_that_lasts_is_a_condition_with_its_way_out),
	    T(a_sentence_about_a_hold_fits_with_its_way_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
