#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/cni_error.h"
#include "plugin/lookup.h"
#include "published.h"

static const struct line lines[] = {
    {"!shop/ex", "{\"uid\":\"u-1\",\"gw\":[\"10.0.2.1\",\"fd00::1\"],\"routes\":[{\"dst\":\"10.9.0.0/16\"}]}"},
    {"granted", "{\"domain\":\"pool/x\",\"grants\":true}"},
    {"podnet", "{\"domain\":\"network/podnet\",\"grants\":false}"},
    {"podnet/shop/ex-0", "{\"p\":\"shop/ex\",\"ips\":[\"10.0.2.40/24\",\"fd00::40/64\"]}"},
    {"podnet/shop/ex-0/net1", "{\"p\":\"shop/ex\",\"ips\":[\"10.0.2.50/24\"],\"gw\":[\"10.0.2.2\"]}"},
    {"podnet/shop/lost", "{\"p\":\"shop/gone\",\"ips\":[\"10.0.2.41/24\"]}"},
    {"podnet/shop/rubbish", "{\"p\":\"shop/ex\",\"ips\":[\"10.0.2.41\"]}"},
};
enum { LINES = sizeof(lines) / sizeof(lines[0]) };

static int
ask(const struct published *p, const char *network, const char *pod, const char *ifname,
    struct lookup_answer *answer, struct err *err)
{
	const struct lookup asked = {.network = network, .namespace = "shop", .pod = pod, .ifname = ifname};

	return lookup_pod(p->root, &asked, answer, err);
}

static void
refused(const struct published *p, const char *network, const char *pod, int code, const char *words)
{
	struct lookup_answer answer;
	struct err err = {0};

	assert_int_equal(ask(p, network, pod, "eth0", &answer, &err), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
a_row_is_found_with_its_profile_whatever_the_number_of_buckets(void **state)
{
	static const unsigned counts[] = {1, 64, 1024};

	for (unsigned i = 0; i < 3; i++) {
		struct lookup_answer answer;
		struct err err = {0};
		publish(*state, counts[i], lines, LINES);
		assert_int_equal(ask(*state, "podnet", "ex-0", "eth0", &answer, &err), 0);
		assert_int_equal(answer.row.ip_count, 2);
		assert_int_equal(answer.row.ips[0].ip.bytes[3], 40);
		assert_string_equal(answer.profile.allocation, "shop/ex");
		assert_int_equal(answer.profile.routes.count, 1);
		assert_string_equal(answer.network.domain, "network/podnet");
	}
}

static void
the_interfaces_row_comes_first(void **state)
{
	struct lookup_answer answer;
	struct err err = {0};

	publish(*state, 64, lines, LINES);
	assert_int_equal(ask(*state, "podnet", "ex-0", "net1", &answer, &err), 0);
	assert_int_equal(answer.row.ips[0].ip.bytes[3], 50);
	assert_int_equal(ask(*state, "podnet", "ex-0", "net", &answer, &err), 0);
	assert_int_equal(answer.row.ips[0].ip.bytes[3], 40);
}

static void
a_refusal_says_which_row_is_missing(void **state)
{
	publish(*state, 64, lines, LINES);
	refused(*state, "other", "ex-0", CNI_ERROR_NO_ALLOCATION, "names network other");
	refused(*state, "podnet", "ex-1", CNI_ERROR_NO_ALLOCATION,
	    "no StaticIPAllocation gives pod shop/ex-1 an address on network podnet (interface eth0); "
	    "see: kubectl get staticipallocations -n shop");
	refused(*state, "granted", "ex-0", CNI_ERROR_NO_ALLOCATION, "no StaticIPAllocation gives pod shop/ex-0");
	refused(*state, "podnet", "Ex_0", CNI_ERROR_ENVIRONMENT, "'Ex_0' is no pod name");
	refused(*state, "podnet", "../x", CNI_ERROR_ENVIRONMENT, "is no pod name");
}

static void
a_row_that_does_not_decode_is_the_tables_fault(void **state)
{
	publish(*state, 64, lines, LINES);
	refused(*state, "podnet", "lost", CNI_ERROR_IO, "no line !shop/gone");
	refused(*state, "podnet", "rubbish", CNI_ERROR_IO, "podnet/shop/rubbish");
}

static void
nothing_published_is_told_apart_from_nothing_allocated(void **state)
{
	const struct published *p = *state;
	scoped_free char *bucket = mem_format("%s/table/1/0", p->root);
	struct err err = {0};

	refused(p, "podnet", "ex-0", CNI_ERROR_NO_TABLE, "since it booted");
	assert_int_equal(lookup_ready(p->root, &err), -CNI_ERROR_NO_TABLE);
	publish(p, 1, lines, 0);
	assert_int_equal(lookup_ready(p->root, &err), 0);
	refused(p, "podnet", "ex-0", CNI_ERROR_NO_ALLOCATION, "podnet");
	assert_int_equal(unlink(bucket), 0);
	refused(p, "podnet", "ex-0", CNI_ERROR_NO_TABLE, "since it booted");
}

static void
a_network_is_known_or_not_and_no_table_at_all_knows_none(void **state)
{
	const struct published *p = *state;
	scoped_free char *bucket = mem_format("%s/table/1/0", p->root);
	struct err err = {0};

	assert_int_equal(lookup_knows(p->root, "podnet", &err), 0);
	publish(p, 64, lines, LINES);
	assert_int_equal(lookup_knows(p->root, "podnet", &err), 1);
	assert_int_equal(lookup_knows(p->root, "granted", &err), 1);
	assert_int_equal(lookup_knows(p->root, "other", &err), 0);
	publish(p, 1, lines, 0);
	assert_int_equal(lookup_knows(p->root, "podnet", &err), 0);
	/* there is a cluster, and what it says is not here yet: nobody may guess */
	assert_int_equal(unlink(bucket), 0);
	assert_int_equal(lookup_knows(p->root, "podnet", &err), -CNI_ERROR_NO_TABLE);
	write_file(bucket, "h\npodnet\n", 9);
	assert_int_equal(lookup_knows(p->root, "podnet", &err), -CNI_ERROR_IO);
}

static void
bytes_that_are_no_table_are_an_error_and_no_crash(void **state)
{
	static const char *const texts[] = {"", "x", "\n\n", "h\npodnet/shop/ex-0\n", "h\npodnet/shop/ex-0\t", "h\n\t\n",
	    "h\npodnet/shop/ex-0\t\n", "h\npodnet/shop/ex-0\t{\"p\":7}\n", "\t\n\t\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct table_bucket bucket = {.text = texts[i], .length = strlen(texts[i])};
		const struct lookup asked = {.network = "podnet", .namespace = "shop", .pod = "ex-0", .ifname = "eth0"};
		struct lookup_answer answer;
		struct err err = {0};
		int rc = lookup_in_bucket(&bucket, &asked, &answer, &err);
		assert_true(rc == -CNI_ERROR_IO || rc == -CNI_ERROR_NO_ALLOCATION);
		assert_true(err.text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_TABLE(a_row_is_found_with_its_profile_whatever_the_number_of_buckets),
	    WITH_TABLE(the_interfaces_row_comes_first),
	    WITH_TABLE(a_refusal_says_which_row_is_missing),
	    WITH_TABLE(a_row_that_does_not_decode_is_the_tables_fault),
	    WITH_TABLE(nothing_published_is_told_apart_from_nothing_allocated),
	    WITH_TABLE(a_network_is_known_or_not_and_no_table_at_all_knows_none),
	    cmocka_unit_test(bytes_that_are_no_table_are_an_error_and_no_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
