/* The text of measurements; where a server listens; when a watch is stuck. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/metrics.h"
#include "net/serve_address.h"
#include "net/watch_measures.h"

static void
assert_text(struct metrics *metrics, const char *wanted)
{
	const struct buf *text = NULL;
	struct err err = {0};

	assert_int_equal(metrics_text(metrics, &text, &err), 0);
	assert_string_equal(buf_string(text), wanted);
	metrics_free(metrics);
}

static void
a_family_has_help_type_and_samples(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	metrics_family(metrics, "staticip_a_total", METRIC_COUNTER, "How many.");
	metrics_value(metrics, 3, "b", "c", "d", "", NULL);
	metrics_value(metrics, 0, "b", "e", "d", "f", NULL);
	metrics_one(metrics, "staticip_g", METRIC_GAUGE, "How much.", -1.5);
	assert_text(metrics, "# HELP staticip_a_total How many.\n"
	                     "# TYPE staticip_a_total counter\n"
	                     "staticip_a_total{b=\"c\",d=\"\"} 3\n"
	                     "staticip_a_total{b=\"e\",d=\"f\"} 0\n"
	                     "# HELP staticip_g How much.\n"
	                     "# TYPE staticip_g gauge\n"
	                     "staticip_g -1.5\n");
}

static void
whatever_stands_in_a_label_forges_no_line(void **state)
{
	struct metrics *metrics = metrics_new();

	(void)state;
	metrics_family(metrics, "x", METRIC_GAUGE, "a \\ \"b\"\nc");
	metrics_value(metrics, 1, "l", "\"\n\\\xc3\xa9\xff{},\t", NULL);
	assert_text(metrics, "# HELP x a \\\\ \"b\"\\nc\n# TYPE x gauge\n"
	                     "x{l=\"\\\"\\n\\\\\xc3\xa9\xef\xbf\xbd{},\t\"} 1\n");
}

static void
numbers_read_back_the_same(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{0, "0"}, {0.1, "0.1"}, {1795251234, "1795251234"},
	    {9007199254740991, "9007199254740991"}, {1e300, "1e+300"}, {1. / 3, "0.3333333333333333"},
	    {5e-324, "4.94065645841247e-324"}, {-2.5, "-2.5"}, {HUGE_VAL, "+Inf"},
	    {-HUGE_VAL, "-Inf"}, {(double)NAN, "NaN"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics *metrics = metrics_new();
		char wanted[128];
		metrics_one(metrics, "x", METRIC_GAUGE, "h", rows[i].value);
		(void)snprintf(wanted, sizeof(wanted), "# HELP x h\n# TYPE x gauge\nx %s\n", rows[i].text);
		assert_text(metrics, wanted);
	}
}

static void
a_histogram_counts_up_to_each_bound(void **state)
{
	static const double bounds[] = {0.5, 2};
	struct histogram histogram = {.bounds = bounds, .bound_count = 2};
	struct metrics *metrics = metrics_new();

	(void)state;
	histogram_observe(&histogram, 0.25);
	histogram_observe(&histogram, 0.5); /* a bound belongs to what is below it */
	histogram_observe(&histogram, 1);
	histogram_observe(&histogram, 100);
	metrics_family(metrics, "h", METRIC_HISTOGRAM, "h");
	metrics_histogram(metrics, &histogram, "a", "b", NULL);
	assert_text(metrics, "# HELP h h\n# TYPE h histogram\n"
	                     "h_bucket{a=\"b\",le=\"0.5\"} 2\n"
	                     "h_bucket{a=\"b\",le=\"2\"} 3\n"
	                     "h_bucket{a=\"b\",le=\"+Inf\"} 4\n"
	                     "h_sum{a=\"b\"} 101.75\n"
	                     "h_count{a=\"b\"} 4\n");
}

static void
a_text_over_its_maximum_is_an_error(void **state)
{
	struct metrics *metrics = metrics_new();
	const struct buf *text = NULL;
	struct err err = {0};
	char label[1024];

	(void)state;
	memset(label, 'x', sizeof(label) - 1);
	label[sizeof(label) - 1] = '\0';
	metrics_family(metrics, "x", METRIC_GAUGE, "h");
	for (unsigned i = 0; i < METRICS_BYTES_MAX / 1024 + 1; i++)
		metrics_value(metrics, i, "l", label, NULL);
	assert_int_equal(metrics_text(metrics, &text, &err), -EFBIG);
	assert_null(text);
	metrics_free(metrics);
}

static void
addresses_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		int family; /* 0 = off, -1 = wrong */
	} rows[] = {{"", 0}, {"0", 0}, {":1", AF_INET6}, {":65535", AF_INET6},
	    {"127.0.0.1:80", AF_INET}, {"0.0.0.0:80", AF_INET}, {"[::1]:80", AF_INET6},
	    {"[::]:0", AF_INET6}, {"::1:80", -1}, {"80", -1}, {"127.0.0.1", -1}, {"127.0.0.1:", -1},
	    {"127.0.0.1:65536", -1}, {"127.0.0.1:-1", -1}, {"127.0.0.1:080", -1}, {"[::1]", -1},
	    {"[127.0.0.1]:80", -1}, {"[]:80", -1}, {"[::1]x:80", -1}, {"localhost:80", -1},
	    {"127.1:80", -1}, {" 127.0.0.1:80", -1}, {"[fe80::1%lo]:80", -1},
	    {"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:80", -1}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct serve_address address;
		struct err err = {0};
		int rc = serve_address_parse("o", rows[i].text, &address, &err);
		if ((rc == 0) != (rows[i].family >= 0))
			fail_msg("'%s' gave %d %s", rows[i].text, rc, err.text);
		if (rc == 0 && address.off != (rows[i].family == 0))
			fail_msg("'%s': off is %d", rows[i].text, address.off);
		if (rc == 0 && !address.off)
			assert_int_equal(address.socket.base.sa_family, rows[i].family);
	}
}

static void
a_taken_port_is_said_with_the_way_out(void **state)
{
	struct serve_address address;
	char text[SERVE_ADDRESS_TEXT_MAX];
	struct err err = {0};

	(void)state;
	assert_int_equal(serve_address_parse("o", "127.0.0.1:0", &address, &err), 0);
	int fd = serve_listen("o", &address, &err);
	assert_true(fd >= 0);
	serve_address_print(fd, text);
	assert_int_equal(serve_address_parse("o", text, &address, &err), 0);
	assert_int_equal(serve_listen("o", &address, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "ss -ltnp"));
	assert_non_null(strstr(err.text, text));
	(void)close(fd);
	fd = serve_listen("o", &address, &err);
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
a_watch_that_does_anything_is_not_stuck(void **state)
{
	struct watch_progress progress = {0};
	struct watch_stats stats = {.lists = 1};

	(void)state;
	assert_true(watch_progress_look(&progress, &stats, 1000));
	assert_true(watch_progress_look(&progress, &stats, 1000 + WATCH_STUCK_S - 1));
	assert_false(watch_progress_look(&progress, &stats, 1000 + WATCH_STUCK_S));
	stats.faults++; /* an API server that is away is no reason to start anew */
	assert_true(watch_progress_look(&progress, &stats, 1001 + WATCH_STUCK_S));
	assert_true(watch_progress_look(&progress, &stats, 1000 + 2 * WATCH_STUCK_S));
	stats.last_contact = 5; /* a byte is something, too */
	assert_true(watch_progress_look(&progress, &stats, 1002 + 2 * WATCH_STUCK_S));
	assert_false(watch_progress_look(&progress, &stats, 1002 + 3 * WATCH_STUCK_S));
}

static void
a_watch_may_be_silent_as_long_as_it_may_wait(void **state)
{
	const struct watch_times *times = &watch_times_usual;

	(void)state;
	assert_true(WATCH_STUCK_S > times->stream_max + times->stream_slack +
	        2 * times->backoff_max + times->list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_family_has_help_type_and_samples),
	    cmocka_unit_test(whatever_stands_in_a_label_forges_no_line),
	    cmocka_unit_test(numbers_read_back_the_same),
	    cmocka_unit_test(a_histogram_counts_up_to_each_bound),
	    cmocka_unit_test(a_text_over_its_maximum_is_an_error),
	    cmocka_unit_test(addresses_are_read_strictly),
	    cmocka_unit_test(a_taken_port_is_said_with_the_way_out),
	    cmocka_unit_test(a_watch_that_does_anything_is_not_stuck),
	    cmocka_unit_test(a_watch_may_be_silent_as_long_as_it_may_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
