#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/cni_error.h"
#include "plugin/ipam.h"
#include "published.h"

static const struct line lines[] = {
    {"!shop/ex", "{\"uid\":\"u-1\",\"gw\":[\"10.0.2.1\"],\"routes\":[{\"dst\":\"10.9.0.0/16\"},{\"dst\":\"fd09::/32\"}]}"},
    {"podnet", "{\"domain\":\"network/podnet\",\"grants\":false}"},
    {"podnet/shop/ex-0", "{\"p\":\"shop/ex\",\"ips\":[\"10.0.2.40/24\"]}"},
};

/* Runs a verb with this configuration (members behind the usual ones). */
static int
call(const struct published *p, int (*act)(const struct cni_request *, struct buf *, struct err *),
    enum cni_verb verb, const char *more, const char *args, struct buf *out, struct err *err)
{
	const struct cni_environment environment = {.args = args, .ifname = "eth0", .container = "c1", .netns = "/nowhere"};
	scoped_free char *text = mem_format("{\"cniVersion\":\"1.1.0\",\"name\":\"podnet\",\"type\":\"macvlan\"%s}", more);
	scoped_request request = {.environment = &environment, .verb = verb, .host_file = p->host_file};

	assert_int_equal(cni_config_parse(text, strlen(text), verb, &request.config, err), 0);
	return act(&request, out, err);
}

#define IPAM ",\"ipam\":{\"type\":\"staticip\"}"
#define POD "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=ex-0"

static void
refused(const struct published *p, const char *more, const char *args, int code, const char *words)
{
	scoped_buf out = buf_make(4096);
	struct err err = {0};

	assert_true(call(p, ipam_add, CNI_ADD, more, args, &out, &err) < 0);
	assert_int_equal(cni_error_code(&err), code);
	assert_int_equal(out.length, 0);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
ADD_prints_the_row_and_the_routes_of_its_families(void **state)
{
	scoped_buf out = buf_make(4096);
	struct err err = {0};

	publish(*state, 64, lines, 3);
	assert_int_equal(call(*state, ipam_add, CNI_ADD, IPAM, POD, &out, &err), 0);
	assert_string_equal(buf_string(&out),
	    "{\"cniVersion\":\"1.1.0\",\"ips\":[{\"address\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\"}],"
	    "\"routes\":[{\"dst\":\"10.9.0.0/16\"}]}\n");
}

static void
ADD_refuses_other_sources_and_other_addresses(void **state)
{
	publish(*state, 64, lines, 3);
	refused(*state, ",\"ipam\":{\"type\":\"staticip\",\"subnet\":\"10.0.0.0/8\"}", POD, 102, "network podnet come from the cluster's");
	refused(*state, IPAM ",\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"10.0.0.0/8\"}]]}", POD, 102, "network podnet come from");
	refused(*state, IPAM, NULL, 4, "K8S_POD_NAMESPACE");
	refused(*state, IPAM, POD ";IP=10.0.2.41", 102, "asks for 10.0.2.41, but StaticIPAllocation shop/ex gives this pod 10.0.2.40/24");
}

static int
check(const struct published *p, const char *ips, struct err *err)
{
	scoped_buf out = buf_make(4096);
	scoped_free char *more = mem_format(IPAM ",\"prevResult\":{\"interfaces\":[{\"name\":\"eth0\",\"sandbox\":\"/n\"},"
	                                         "{\"name\":\"net1\",\"sandbox\":\"/n\"}],\"ips\":[%s]}", ips);

	int rc = call(p, ipam_check, CNI_CHECK, more, POD, &out, err);
	assert_int_equal(out.length, 0);
	return rc;
}

static void
CHECK_wants_exactly_the_rows_addresses_on_the_interface(void **state)
{
	struct err err = {0};

	scoped_buf out = buf_make(4096);

	publish(*state, 64, lines, 3);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\",\"interface\":0}", &err), -CNI_ERROR_NOT_PERMITTED);
	assert_non_null(strstr(err.text, "has no lease of 10.0.2.40/24"));
	assert_int_equal(call(*state, ipam_add, CNI_ADD, IPAM, POD, &out, &err), 0);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\",\"interface\":0}", &err), 0);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\",\"interface\":0},{\"address\":\"10.7.0.1/24\",\"interface\":1}", &err), 0);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/25\",\"interface\":0}", &err), -CNI_ERROR_NOT_PERMITTED);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\",\"interface\":1}", &err), -CNI_ERROR_NOT_PERMITTED);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\"},{\"address\":\"10.0.2.41/24\"}", &err), -CNI_ERROR_NOT_PERMITTED);
	assert_non_null(strstr(err.text, "10.0.2.41/24"));
	assert_int_equal(check(*state, "", &err), -CNI_ERROR_NOT_PERMITTED);
	publish(*state, 64, lines, 2);
	assert_int_equal(check(*state, "{\"address\":\"10.0.2.40/24\"}", &err), -CNI_ERROR_NO_ALLOCATION);
}

static void
STATUS_is_50_until_a_table_was_published(void **state)
{
	scoped_buf out = buf_make(4096);
	struct err err = {0};

	assert_int_equal(call(*state, ipam_status, CNI_STATUS, IPAM, NULL, &out, &err), -CNI_ERROR_NOT_READY);
	publish(*state, 1, lines, 0);
	assert_int_equal(call(*state, ipam_status, CNI_STATUS, IPAM, NULL, &out, &err), 0);
	assert_int_equal(out.length, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_TABLE(ADD_prints_the_row_and_the_routes_of_its_families),
	    WITH_TABLE(ADD_refuses_other_sources_and_other_addresses),
	    WITH_TABLE(CHECK_wants_exactly_the_rows_addresses_on_the_interface),
	    WITH_TABLE(STATUS_is_50_until_a_table_was_published),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
