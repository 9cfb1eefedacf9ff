/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "net/watch.h"
#include "net/watch_backoff.h"

static void
versions_compare_as_numbers_of_any_length(void **state)
{
	static const struct {
		const char *a, *b;
		int want;
	} rows[] = {
	    {"1", "1", 0},
	    {"1", "2", -1},
	    {"9", "10", -1},
	    {"100", "99", 1},
	    {"0", "1", -1},
	    {"18446744073709551615", "18446744073709551616", -1},
	    {"99999999999999999999999999999999999998", "99999999999999999999999999999999999999", -1},
	    {"123456789", "123456788", 1},
	    /* what is no number sorts first */
	    {"", "0", -1},
	    {"", "", 0},
	    {"abc", "1", -1},
	    {"1", "abc", 1},
	    {"007", "1", -1},
	    {"1x", "1", -1},
	    {"-5", "1", -1},
	    {"abc", "xyz", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = watch_version_compare(rows[i].a, rows[i].b);
		if (got != rows[i].want)
			print_error("'%s' with '%s': %d\n", rows[i].a, rows[i].b, got);
		assert_int_equal(got, rows[i].want);
		assert_int_equal(watch_version_compare(rows[i].b, rows[i].a), -rows[i].want);
	}
}

static void
each_failure_waits_twice_as_long_up_to_the_cap(void **state)
{
	static const double wants[] = {0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30};
	struct watch_backoff backoff = {0};
	double now = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		double wait = watch_backoff_next(&backoff, &watch_times_usual, now, 0);
		assert_float_equal(wait, wants[i], 1e-9);
		now += wait;
	}
}

static void
jitter_makes_a_wait_up_to_twice_as_long_also_at_the_cap(void **state)
{
	struct watch_backoff backoff = {0};

	(void)state;
	assert_float_equal(watch_backoff_next(&backoff, &watch_times_usual, 1, 0.5), 1.2, 1e-9);
	/* the jitter of one wait is not in the next */
	assert_float_equal(watch_backoff_next(&backoff, &watch_times_usual, 2, 0), 1.6, 1e-9);
	for (int i = 0; i < 10; i++)
		(void)watch_backoff_next(&backoff, &watch_times_usual, 3, 0);
	assert_float_equal(
	    watch_backoff_next(&backoff, &watch_times_usual, 4, 0.999), 59.97, 1e-6);
}

static void
two_minutes_without_a_failure_begin_from_the_beginning(void **state)
{
	struct watch_backoff backoff = {0};

	(void)state;
	(void)watch_backoff_next(&backoff, &watch_times_usual, 0, 0);
	(void)watch_backoff_next(&backoff, &watch_times_usual, 1, 0);
	assert_float_equal(watch_backoff_next(&backoff, &watch_times_usual, 120, 0), 3.2, 1e-9);
	assert_float_equal(watch_backoff_next(&backoff, &watch_times_usual, 241, 0), 0.8, 1e-9);
}

static void
the_usual_times_are_those_of_client_go(void **state)
{
	(void)state;
	assert_float_equal(watch_times_usual.stream_min, 300, 0);
	assert_float_equal(watch_times_usual.stream_max, 600, 0);
	assert_float_equal(watch_times_usual.backoff_first, 0.8, 0);
	assert_float_equal(watch_times_usual.backoff_max, 30, 0);
	assert_float_equal(watch_times_usual.backoff_reset, 120, 0);
	assert_float_equal(watch_times_usual.short_stream, 1, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(versions_compare_as_numbers_of_any_length),
	    cmocka_unit_test(each_failure_waits_twice_as_long_up_to_the_cap),
	    cmocka_unit_test(jitter_makes_a_wait_up_to_twice_as_long_also_at_the_cap),
	    cmocka_unit_test(two_minutes_without_a_failure_begin_from_the_beginning),
	    cmocka_unit_test(the_usual_times_are_those_of_client_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
