#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "plugin/cni_error.h"
#include "plugin/prev_result.h"

/* Reads a prevResult (text of JSON) out of a configuration of this version. */
static int
read_prev(const char *version, const char *prev, struct cni_config *config,
    struct prev_result *ret_prev, struct err *err)
{
	scoped_free char *text =
	    mem_format("{\"cniVersion\":\"%s\",\"name\":\"n\",\"type\":\"staticip\",\"prevResult\":%s}", version, prev);

	assert_int_equal(cni_config_parse(text, strlen(text), CNI_ADD, config, err), 0);
	return prev_result_read(config, ret_prev, err);
}

static void
refused(const char *version, const char *text, const char *words)
{
	scoped_config config = {0};
	struct prev_result prev;
	struct err err = {0};

	assert_true(read_prev(version, text, &config, &prev, &err) < 0);
	assert_int_equal(cni_error_code(&err), 7);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
gateway_is(const struct prev_result *prev, const char *interface, uint8_t family, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX] = "none";
	struct ip gateway = prev_result_gateway(prev, interface, family);

	if (gateway.family)
		ip_print(&gateway, text);
	assert_string_equal(text, wanted);
}

#define RICH                                                                             \
	"{\"interfaces\":[{\"name\":\"br0\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"},{\"name\":\"net1\",\"sandbox\":\"/n\"}]," \
	"\"ips\":[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\",\"interface\":1},"          \
	"{\"address\":\"fd00::2/64\",\"interface\":1},{\"address\":\"192.168.0.2/24\",\"interface\":2}," \
	"{\"address\":\"172.16.0.2/24\"}],"                                                   \
	"\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\"},{\"dst\":\"0.0.0.0/0\",\"gw\":\"10.0.0.9\"},{\"dst\":7}]}"

static void
every_later_version_is_one_struct(void **state)
{
	(void)state;
	for (const char *const *v = (const char *const[]){"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", NULL}; *v; v++) {
		scoped_config config = {0};
		struct prev_result prev;
		struct err err = {0};
		assert_int_equal(read_prev(*v, RICH, &config, &prev, &err), 0);
		assert_int_equal(prev.ip_count, 4);
		assert_int_equal(prev.interface_count, 3);
		assert_int_equal(prev.ips[3].interface, -1);
		assert_int_equal(prev.ips[1].cidr.length, 64);
		assert_true(prev_result_is_on(&prev, 0, "eth0"));
		assert_false(prev_result_is_on(&prev, 2, "eth0"));
		assert_true(prev_result_is_on(&prev, 2, "net1"));
		assert_true(prev_result_is_on(&prev, 3, "eth0")); /* no index: any */
		gateway_is(&prev, "eth0", 4, "10.0.0.1");
		gateway_is(&prev, "net1", 4, "10.0.0.9"); /* of the default route */
		gateway_is(&prev, "eth0", 6, "fd00::1");
	}
}

static void
the_two_oldest_versions_are_the_same_struct(void **state)
{
	(void)state;
	for (const char *const *v = (const char *const[]){"", "0.1.0", "0.2.0", NULL}; *v; v++) {
		scoped_config config = {0};
		struct prev_result prev;
		struct err err = {0};
		assert_int_equal(read_prev(*v,
		                     "{\"ip4\":{\"ip\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\"},\"ip6\":{\"ip\":\"fd00::2/64\","
		                     "\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]}}",
		                     &config, &prev, &err),
		    0);
		assert_int_equal(prev.ip_count, 2);
		assert_int_equal(prev.ips[1].cidr.ip.family, 6);
		gateway_is(&prev, "eth0", 4, "10.0.0.1");
		gateway_is(&prev, "eth0", 6, "fd00::1");
	}
}

static void
an_interface_of_the_host_with_the_same_name_does_not_count(void **state)
{
	scoped_config config = {0};
	struct prev_result prev;
	struct err err = {0};

	(void)state;
	assert_int_equal(read_prev("1.0.0",
	                     "{\"interfaces\":[{\"name\":\"eth0\"},{\"name\":\"eth0\",\"sandbox\":\"/n\"},{\"name\":\"net1\"}],"
	                     "\"ips\":[{\"address\":\"10.0.0.1/24\",\"interface\":0},{\"address\":\"10.0.0.2/24\",\"interface\":1},"
	                     "{\"address\":\"10.0.0.3/24\",\"interface\":2},{\"address\":\"10.0.0.4/24\",\"interface\":3}]}",
	                     &config, &prev, &err),
	    0);
	assert_false(prev_result_is_on(&prev, 0, "eth0"));
	assert_true(prev_result_is_on(&prev, 1, "eth0"));
	assert_true(prev_result_is_on(&prev, 2, "net1")); /* nobody says sandbox: the name is enough */
	assert_false(prev_result_is_on(&prev, 3, "eth0")); /* an index that there is not */
}

static void
an_empty_one_is_fine(void **state)
{
	scoped_config config = {0};
	struct prev_result prev;
	struct err err = {0};

	(void)state;
	assert_int_equal(read_prev("1.0.0", "{}", &config, &prev, &err), 0);
	assert_int_equal(prev.ip_count, 0);
	gateway_is(&prev, "eth0", 4, "none");
}

static void
what_cannot_be_one_is_refused(void **state)
{
	(void)state;
	refused("1.0.0", "null", "Required prevResult missing");
	refused("1.0.0", "[]", "prevResult is of type array");
	refused("1.0.0", "{\"cniVersion\":\"0.4.0\"}", "prevResult is of CNI version 0.4.0, the network configuration of 1.0.0");
	refused("0.2.0", "{\"cniVersion\":\"1.0.0\"}", "prevResult is of CNI version 1.0.0");
	refused("1.0.0", "{\"cniVersion\":\"7\"}", "prevResult is of CNI version 7");
	refused("1.0.0", "{\"ips\":{}}", "prevResult.ips");
	refused("1.0.0", "{\"ips\":[{}]}", "prevResult.ips[0].address is missing");
	refused("1.0.0", "{\"ips\":[{\"address\":\"10.0.0.1\"}]}", "prevResult.ips[0].address");
	refused("1.0.0", "{\"ips\":[{\"address\":\"10.0.0.1/24\",\"gateway\":\"10.0.0\"}]}", "prevResult.ips[0]");
	refused("1.0.0", "{\"ips\":[{\"address\":\"10.0.0.1/24\",\"interface\":\"0\"}]}", "prevResult.ips[0].interface");
	refused("1.0.0", "{\"interfaces\":7}", "prevResult.interfaces");
	refused("0.2.0", "{\"ip4\":{}}", "prevResult.ip4.ip is missing");
	refused("0.2.0", "{\"ip6\":[]}", "prevResult.ip6");
}

static void
versions_of_one_shape_are_one(void **state)
{
	scoped_config config = {0};
	struct prev_result prev;
	struct err err = {0};
	scoped_buf out = buf_make(4096);

	(void)state;
	assert_int_equal(read_prev("1.1.0", "{\"cniVersion\":\"1.0.0\",\"ips\":[]}", &config, &prev, &err), 0);
	assert_int_equal(prev_result_print(&prev, config.version, NULL, 0, &out, &err), 0);
	assert_string_equal(buf_string(&out), "{\"cniVersion\":\"1.1.0\",\"ips\":[]}\n");
}

static struct route
to(const char *dst)
{
	struct route made = {.has_table = true, .table = 7};

	assert_int_equal(cidr_parse(dst, strlen(dst), &made.dst, NULL), 0);
	return made;
}

static void
added_routes_stand_behind_those_that_were_there(void **state)
{
	static const struct {
		const char *version, *before, *after;
	} rows[] = {
	    {"1.0.0", "{\"cniVersion\":\"1.0.0\",\"x\":{\"y\":1},\"routes\":[{\"dst\":\"a\",\"z\":1}]}",
	        "{\"cniVersion\":\"1.0.0\",\"x\":{\"y\":1},\"routes\":[{\"dst\":\"a\",\"z\":1},"
	        "{\"dst\":\"10.9.0.0/16\",\"table\":7},{\"dst\":\"fd09::/32\",\"table\":7}]}\n"},
	    {"0.3.1", "{\"cniVersion\":\"0.3.1\",\"routes\":null}",
	        "{\"cniVersion\":\"0.3.1\",\"routes\":[{\"dst\":\"10.9.0.0/16\",\"table\":7},{\"dst\":\"fd09::/32\",\"table\":7}]}\n"},
	    {"0.2.0", "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.1/24\"}}",
	        "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.1/24\",\"routes\":[{\"dst\":\"10.9.0.0/16\"}]}}\n"},
	};
	const struct route added[] = {to("10.9.0.0/16"), to("fd09::/32")};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scoped_config config = {0};
		struct prev_result prev;
		struct err err = {0};
		scoped_buf out = buf_make(4096);
		assert_int_equal(read_prev(rows[i].version, rows[i].before, &config, &prev, &err), 0);
		assert_int_equal(prev_result_print(&prev, config.version, added, 2, &out, &err), 0);
		assert_string_equal(buf_string(&out), rows[i].after);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_later_version_is_one_struct),
	    cmocka_unit_test(the_two_oldest_versions_are_the_same_struct),
	    cmocka_unit_test(an_interface_of_the_host_with_the_same_name_does_not_count),
	    cmocka_unit_test(an_empty_one_is_fine),
	    cmocka_unit_test(what_cannot_be_one_is_refused),
	    cmocka_unit_test(versions_of_one_shape_are_one),
	    cmocka_unit_test(added_routes_stand_behind_those_that_were_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
