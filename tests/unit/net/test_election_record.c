/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <json-c/json.h>

#include "core/mem.h"
#include "net/election_record.h"
#include "table/json.h"

#define US "n1_me"

static struct json_object *
parse(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	assert_non_null(object);
	return object;
}

static void
observe(struct election_seen *seen, const char *lease, double now)
{
	scoped_json *object = lease ? parse(lease) : NULL;

	election_observe(seen, object, now);
}

#define LEASE(version, holder, seconds, renewed)                                         \
	"{\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"" version                   \
	"\"},\"spec\":{\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":" seconds \
	",\"acquireTime\":\"2020-01-01T00:00:00.000000Z\",\"renewTime\":\"" renewed      \
	"\",\"leaseTransitions\":7,\"strategy\":\"Old\"}}"
#define EARLY "2020-01-01T00:00:00.000000Z"
#define LATE "2099-01-01T00:00:00.000000Z"

/* ---- what comes next ------------------------------------------------------------ */

static void
what_a_candidate_does_follows_from_holder_and_age(void **state)
{
	static const struct {
		const char *name, *lease;
		double age;
		enum election_step want;
	} rows[] = {
	    {"no Lease", NULL, 0, ELECTION_CREATE},
	    {"ours", LEASE("1", US, "15", EARLY), 0, ELECTION_RENEW},
	    {"ours, old", LEASE("1", US, "15", EARLY), 1000, ELECTION_RENEW},
	    {"another's", LEASE("1", "n2_x", "15", EARLY), 0, ELECTION_WAIT},
	    {"another's, at the last moment", LEASE("1", "n2_x", "15", EARLY), 14.99, ELECTION_WAIT},
	    {"another's, over", LEASE("1", "n2_x", "15", EARLY), 15, ELECTION_TAKE},
	    {"another's, over, renewed in the future", LEASE("1", "n2_x", "15", LATE), 15, ELECTION_TAKE},
	    {"another's, renewed in the past", LEASE("1", "n2_x", "15", EARLY), 1, ELECTION_WAIT},
	    {"its own duration counts", LEASE("1", "n2_x", "60", EARLY), 59, ELECTION_WAIT},
	    {"given up", LEASE("1", "", "1", EARLY), 0, ELECTION_TAKE},
	    {"a name that begins with ours", LEASE("1", US "2", "15", EARLY), 0, ELECTION_WAIT},
	    {"another's without an end", LEASE("1", "n2_x", "2147483647", EARLY), 1e9, ELECTION_WAIT},
	    {"a negative duration is over", LEASE("1", "n2_x", "-5", EARLY), 0, ELECTION_TAKE},
	    {"no spec", "{\"metadata\":{}}", 0, ELECTION_TAKE},
	    {"an empty spec", "{\"spec\":{}}", 0, ELECTION_TAKE},
	    {"a holder that is no text of ours",
	        "{\"spec\":{\"holderIdentity\":\"\\u0000\",\"leaseDurationSeconds\":15}}", 1, ELECTION_WAIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct election_seen seen = {0};
		observe(&seen, rows[i].lease, 1000);
		enum election_step step = election_next(&seen, US, 1000 + rows[i].age);
		if (step != rows[i].want)
			print_error("%s: step %d\n", rows[i].name, (int)step);
		assert_int_equal(step, rows[i].want);
		election_seen_release(&seen);
	}
}

static void
only_another_spec_begins_the_time_anew(void **state)
{
	struct election_seen seen = {0};

	(void)state;
	observe(&seen, LEASE("1", "n2_x", "15", EARLY), 100);
	observe(&seen, LEASE("2", "n2_x", "15", EARLY), 110); /* a label, say */
	assert_int_equal(election_next(&seen, US, 115), ELECTION_TAKE);
	/* what is written is made from the newest one all the same */
	assert_string_equal(json_path_text(seen.lease, "metadata.resourceVersion"), "2");
	observe(&seen, LEASE("3", "n2_x", "15", LATE), 114);
	assert_int_equal(election_next(&seen, US, 115), ELECTION_WAIT);
	assert_int_equal(election_next(&seen, US, 128.9), ELECTION_WAIT);
	assert_int_equal(election_next(&seen, US, 129), ELECTION_TAKE);
	/* deleted and made again */
	observe(&seen, NULL, 129);
	assert_int_equal(election_next(&seen, US, 129), ELECTION_CREATE);
	observe(&seen, LEASE("9", "n2_x", "15", LATE), 130);
	assert_int_equal(election_next(&seen, US, 144), ELECTION_WAIT);
	election_seen_release(&seen);
}

/* ---- what is written ------------------------------------------------------------ */

static void
each_step_writes_its_own_fields_and_keeps_the_rest(void **state)
{
	static const struct {
		enum election_step step;
		const char *holder;
		int64_t seconds, transitions;
		const char *acquired;
	} rows[] = {
	    {ELECTION_RENEW, US, 20, 7, EARLY},
	    {ELECTION_TAKE, US, 20, 8, LATE},
	    {ELECTION_RELEASE, "", 1, 7, LATE},
	};
	struct election_seen seen = {0};

	(void)state;
	observe(&seen, LEASE("5", "n2_x", "15", EARLY), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scoped_json *lease = election_lease(&seen, rows[i].step, US, 20, LATE);
		struct json_object *spec = json_path(lease, "spec");
		assert_string_equal(json_path_text(spec, "holderIdentity"), rows[i].holder);
		assert_int_equal(json_path_number(spec, "leaseDurationSeconds", -1), rows[i].seconds);
		assert_int_equal(json_path_number(spec, "leaseTransitions", -1), rows[i].transitions);
		assert_string_equal(json_path_text(spec, "acquireTime"), rows[i].acquired);
		assert_string_equal(json_path_text(spec, "renewTime"), LATE);
		assert_string_equal(json_path_text(spec, "strategy"), "Old");
		assert_string_equal(json_path_text(lease, "metadata.resourceVersion"), "5");
		/* what was seen stays as it was */
		assert_string_equal(json_path_text(seen.lease, "spec.holderIdentity"), "n2_x");
	}
	election_seen_release(&seen);
}

static void
a_lease_that_is_not_there_is_made(void **state)
{
	struct election_seen seen = {0};
	scoped_json *lease = election_lease(&seen, ELECTION_CREATE, US, 15, EARLY);

	(void)state;
	assert_string_equal(json_print(lease),
	    "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"spec\":"
	    "{\"holderIdentity\":\"" US "\",\"leaseDurationSeconds\":15,\"renewTime\":\"" EARLY
	    "\",\"acquireTime\":\"" EARLY "\",\"leaseTransitions\":0}}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_candidate_does_follows_from_holder_and_age),
	    cmocka_unit_test(only_another_spec_begins_the_time_anew),
	    cmocka_unit_test(each_step_writes_its_own_fields_and_keeps_the_rest),
	    cmocka_unit_test(a_lease_that_is_not_there_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
