/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <json-c/json.h>

#include "net/election.h"
#include "server.h"
#include "table/json.h"

/* A server that has one Lease, or answers nothing, or late: what a real one does rarely.
 * The rest is tests/integration/election.bats. */
struct fixture {
	struct ev_loop *loop;
	struct server *server;
	struct kube *kube;
	struct election *election;

	struct json_object *lease; /* what is stored */
	unsigned version, writes;
	bool mute;                        /* takes requests and never answers */
	struct server_connection *waiting; /* of the last one that it did not answer */
	unsigned failures;                /* of so many writes it says 500 */

	unsigned began, ended, faults;
	char why[640];
	bool released;
	bool release_failed;
};

static void
answer_lease(struct fixture *f, struct server_connection *to, int status)
{
	server_answer(to, status, "", json_print(f->lease));
}

static void
store(struct fixture *f, const char *body)
{
	struct json_object *metadata;
	scoped_free char *version = mem_format("%u", ++f->version);

	(void)json_object_put(f->lease);
	f->lease = json_tokener_parse(body);
	metadata = json_path(f->lease, "metadata");
	json_put_text(metadata, "resourceVersion", version);
	f->writes++;
}

static bool
is_stale(struct fixture *f, const char *body)
{
	scoped_json *object = json_tokener_parse(body);
	const char *version = json_path_text(object, "metadata.resourceVersion");
	scoped_free char *now = mem_format("%u", f->version);

	return f->lease ? !version || strcmp(version, now) != 0 : version != NULL;
}

static void
serve(void *cookie, struct server_connection *to, const struct server_request *request)
{
	struct fixture *f = cookie;
	bool is_read = strcmp(request->method, "GET") == 0;

	if (f->mute) {
		f->waiting = to;
	} else if (is_read && !f->lease) {
		server_answer(to, 404, "", "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
	} else if (is_read) {
		answer_lease(f, to, 200);
	} else if (f->failures > 0) {
		f->failures--;
		server_answer(to, 500, "", "{\"kind\":\"Status\"}");
	} else if (is_stale(f, request->body)) {
		server_answer(to, 409, "", "{\"kind\":\"Status\",\"reason\":\"Conflict\"}");
	} else {
		store(f, request->body);
		answer_lease(f, to, 200);
	}
}

static void
on_leading(void *cookie)
{
	struct fixture *f = cookie;

	f->began++;
	assert_true(election_may_write(f->election));
}

static void
on_lost(void *cookie, const struct err *why)
{
	struct fixture *f = cookie;

	f->ended++;
	assert_false(election_may_write(f->election));
	(void)snprintf(f->why, sizeof(f->why), "%s", why->text);
}

static void
on_holder(void *cookie, const char *holder)
{
	(void)cookie;
	assert_non_null(holder);
}

static void
on_fault(void *cookie, const struct err *err)
{
	struct fixture *f = cookie;

	assert_true(err->code > 0);
	f->faults++;
}

static void
on_released(void *cookie, const struct err *err)
{
	struct fixture *f = cookie;

	assert_false(f->released);
	f->released = true;
	f->release_failed = err != NULL;
}

static const struct election_events events = {
    .leading = on_leading, .lost = on_lost, .holder = on_holder, .fault = on_fault};
static const struct election_options options = {.namespace = "ns", .name = "x",
    .identity = "me", .lease_s = 4, .renew_s = 3, .retry_s = 1};

static int
set_up(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct kube_config config = {0};

	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->server = server_start(f->loop, serve, f);
	config.server = mem_format("http://127.0.0.1:%d", f->server->port);
	f->kube = kube_new(f->loop, &config, "staticip-test/1");
	f->election = election_new(f->loop, f->kube, &options, &events, f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	election_free(f->election);
	kube_free(f->kube);
	server_stop(f->server);
	ev_loop_destroy(f->loop);
	(void)json_object_put(f->lease);
	mem_free(f);
	return 0;
}

static void
put_lease(struct fixture *f, const char *holder)
{
	scoped_free char *text = mem_format(
	    "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":2}}", holder);

	store(f, text);
}

static bool
has_begun(void *cookie)
{
	return ((struct fixture *)cookie)->began > 0;
}

static bool
has_ended(void *cookie)
{
	return ((struct fixture *)cookie)->ended > 0;
}

static bool
is_released(void *cookie)
{
	return ((struct fixture *)cookie)->released;
}

static bool
has_waiting(void *cookie)
{
	return ((struct fixture *)cookie)->waiting != NULL;
}

static void
lead_now(struct fixture *f)
{
	assert_true(loop_until(f->loop, has_begun, f, 10));
}

/* ---- leading and losing ---------------------------------------------------------- */

static void
a_lease_of_nobody_is_made_and_renewed(void **state)
{
	struct fixture *f = *state;

	assert_false(election_may_write(f->election));
	lead_now(f);
	unsigned writes = f->writes;
	loop_for(f->loop, 4);
	assert_true(f->writes > writes);
	assert_true(election_may_write(f->election));
	assert_int_equal(f->began, 1);
	assert_int_equal(f->ended, 0);
	assert_int_equal(json_path_number(f->lease, "spec.leaseTransitions", -1), 0);
}

/* Nothing of the loop runs, as in a process that is stopped. */
static void
the_permission_ends_by_the_clock_alone(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	assert_true(election_may_write(f->election));
	(void)sleep(4);
	assert_false(election_may_write(f->election));
	assert_int_equal(f->ended, 0); /* no timer ran yet */
	assert_true(loop_until(f->loop, has_ended, f, 5));
	assert_string_equal(f->why, "the lease ns/x was not renewed for 3 s");
}

static void
a_server_that_does_not_answer_costs_the_lead_in_time(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	f->mute = true;
	assert_true(loop_until(f->loop, has_ended, f, 10));
	assert_false(election_may_write(f->election));
	/* it is there again: the record still names us */
	f->mute = false;
	f->began = 0;
	lead_now(f);
	assert_int_equal(json_path_number(f->lease, "spec.leaseTransitions", -1), 0);
}

static void
one_failed_write_costs_nothing(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	f->failures = 1;
	loop_for(f->loop, 4);
	assert_int_equal(f->failures, 0);
	assert_int_equal(f->faults, 1);
	assert_int_equal(f->ended, 0);
	assert_true(election_may_write(f->election));
}

/* The renewal is answered, but so late that the others count no more on it: it is worth
 * what it was worth when it was sent. */
static void
an_answer_that_lay_there_while_we_were_stopped_renews_nothing(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	f->mute = true;
	assert_true(loop_until(f->loop, has_waiting, f, 5));
	answer_lease(f, f->waiting, 200);
	(void)sleep(4);
	assert_false(election_may_write(f->election));
	assert_true(loop_until(f->loop, has_ended, f, 5));
	assert_false(election_may_write(f->election));
	assert_int_equal(f->began, 1);
}

static void
a_lease_that_names_another_ends_the_lead_at_once(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	put_lease(f, "other");
	assert_true(loop_until(f->loop, has_ended, f, 10));
	assert_non_null(strstr(f->why, "held by 'other'"));
	f->began = 0;
	lead_now(f); /* its 2 s are over */
	assert_int_equal(json_path_number(f->lease, "spec.leaseTransitions", -1), 1);
}

static void
a_lease_that_was_deleted_is_made_again_by_its_leader(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	(void)json_object_put(f->lease);
	f->lease = NULL;
	loop_for(f->loop, 2);
	assert_string_equal(json_path_text(f->lease, "spec.holderIdentity"), "me");
	assert_int_equal(f->ended, 0);
}

/* ---- giving it up ----------------------------------------------------------------- */

static void
release(struct fixture *f)
{
	election_release(f->election, on_released);
	assert_true(loop_until(f->loop, is_released, f, 10));
}

static void
a_leader_gives_the_lease_up(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	release(f);
	assert_false(f->release_failed);
	assert_false(election_may_write(f->election));
	assert_int_equal(f->ended, 0);
	assert_string_equal(json_path_text(f->lease, "spec.holderIdentity"), "");
	assert_int_equal(json_path_number(f->lease, "spec.leaseDurationSeconds", -1), 1);
	loop_for(f->loop, 3);
	assert_string_equal(json_path_text(f->lease, "spec.holderIdentity"), "");
}

static void
who_has_no_lease_gives_none_up(void **state)
{
	struct fixture *f = *state;

	put_lease(f, "other");
	loop_for(f->loop, 0.2);
	unsigned writes = f->writes;
	release(f);
	assert_int_equal(f->writes, writes);
	assert_false(f->release_failed);
}

/* What is under way may make the lease ours after we are gone. */
static void
a_write_under_way_is_answered_before_the_release(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	f->mute = true;
	assert_true(loop_until(f->loop, has_waiting, f, 5)); /* a renewal */
	election_release(f->election, on_released);
	loop_for(f->loop, 0.1);
	assert_false(f->released);
	f->mute = false;
	answer_lease(f, f->waiting, 200);
	assert_true(loop_until(f->loop, is_released, f, 5));
	assert_string_equal(json_path_text(f->lease, "spec.holderIdentity"), "");
}

static void
a_release_that_nobody_hears_ends_all_the_same(void **state)
{
	struct fixture *f = *state;

	lead_now(f);
	f->mute = true;
	release(f);
	assert_true(f->release_failed);
}

/* ---- settings ---------------------------------------------------------------------- */

static void
durations_must_fit_together(void **state)
{
	static const struct {
		unsigned lease, renew, retry;
		bool fine;
	} rows[] = {{15, 10, 2, true}, {3, 2, 1, true}, {10, 10, 2, false}, {15, 12, 10, false},
	    {15, 13, 10, true}, {15, 10, 0, false}, {0, 0, 0, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		struct election_options o = {.lease_s = rows[i].lease, .renew_s = rows[i].renew,
		    .retry_s = rows[i].retry};
		assert_int_equal(election_check(&o, &err) == 0, rows[i].fine);
		assert_int_equal(err.code != 0, !rows[i].fine);
	}
}

static void
an_identity_is_of_one_process(void **state)
{
	scoped_free char *one = election_identity("n1");
	scoped_free char *two = election_identity("n1");

	(void)state;
	assert_string_not_equal(one, two);
	assert_int_equal(strncmp(one, "n1_", 3), 0);
	assert_int_equal(strlen(one), 19);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_lease_of_nobody_is_made_and_renewed),
	    TEST(the_permission_ends_by_the_clock_alone),
	    TEST(a_server_that_does_not_answer_costs_the_lead_in_time),
	    TEST(one_failed_write_costs_nothing),
	    TEST(an_answer_that_lay_there_while_we_were_stopped_renews_nothing),
	    TEST(a_lease_that_names_another_ends_the_lead_at_once),
	    TEST(a_lease_that_was_deleted_is_made_again_by_its_leader),
	    TEST(a_leader_gives_the_lease_up),
	    TEST(who_has_no_lease_gives_none_up),
	    TEST(a_write_under_way_is_answered_before_the_release),
	    TEST(a_release_that_nobody_hears_ends_all_the_same),
	    cmocka_unit_test(durations_must_fit_together),
	    cmocka_unit_test(an_identity_is_of_one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
