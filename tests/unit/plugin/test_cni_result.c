#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/cni_error.h"
#include "plugin/cni_result.h"

static struct cni_address
address(const char *cidr, const char *gateway)
{
	struct cni_address made = {0};

	assert_int_equal(cidr_parse(cidr, strlen(cidr), &made.cidr, NULL), 0);
	if (gateway)
		assert_int_equal(ip_parse(gateway, strlen(gateway), &made.gateway, NULL), 0);
	return made;
}

static struct route
route(const char *dst, const char *gw)
{
	struct route made = {0};

	assert_int_equal(cidr_parse(dst, strlen(dst), &made.dst, NULL), 0);
	if (gw)
		assert_int_equal(ip_parse(gw, strlen(gw), &made.gw, NULL), 0);
	return made;
}

static void
prints(const struct cni_result *result, const char *version, const char *wanted)
{
	scoped_buf out = buf_make(8192);
	struct err err = {0};

	assert_int_equal(cni_result_print(result, cni_version_find(version), &out, &err), 0);
	assert_string_equal(buf_string(&out), wanted);
}

static struct cni_result
dual(void)
{
	static struct route routes[3];
	struct cni_result result = {.ip_count = 2, .routes = routes, .route_count = 3};

	result.ips[0] = address("10.0.2.40/24", "10.0.2.1");
	result.ips[1] = address("fd00::40/64", NULL);
	routes[0] = route("0.0.0.0/0", NULL);
	routes[1] = route("10.9.0.0/16", "10.0.2.99");
	routes[1].has_priority = routes[1].has_table = true;
	routes[1].priority = 100;
	routes[2] = route("::/0", "fd00::1");
	return result;
}

#define IPS_VERSIONS                                                                     \
	"\"ips\":[{\"version\":\"4\",\"address\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\"},"     \
	"{\"version\":\"6\",\"address\":\"fd00::40/64\"}]"
#define IPS_PLAIN                                                                        \
	"\"ips\":[{\"address\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\"},{\"address\":\"fd00::40/64\"}]"
#define ROUTES                                                                           \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"},{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.99\","       \
	"\"priority\":100,\"table\":0},{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]"
#define FAMILIES                                                                         \
	"\"ip4\":{\"ip\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\",\"routes\":[{\"dst\":\"0.0.0.0/0\"}," \
	"{\"dst\":\"10.9.0.0/16\",\"gw\":\"10.0.2.99\"}]},"                                     \
	"\"ip6\":{\"ip\":\"fd00::40/64\",\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]}"

static void
each_version_has_its_shape(void **state)
{
	struct cni_result result = dual();

	(void)state;
	prints(&result, "0.1.0", "{\"cniVersion\":\"0.1.0\"," FAMILIES "}\n");
	prints(&result, "0.2.0", "{\"cniVersion\":\"0.2.0\"," FAMILIES "}\n");
	for (const char *const *v = (const char *const[]){"0.3.0", "0.3.1", "0.4.0", NULL}; *v; v++) {
		scoped_buf wanted = buf_make(8192);
		(void)buf_print(&wanted, "{\"cniVersion\":\"%s\"," IPS_VERSIONS "," ROUTES "}\n", *v);
		prints(&result, *v, buf_string(&wanted));
	}
	prints(&result, "1.0.0", "{\"cniVersion\":\"1.0.0\"," IPS_PLAIN "," ROUTES "}\n");
	prints(&result, "1.1.0", "{\"cniVersion\":\"1.1.0\"," IPS_PLAIN "," ROUTES "}\n");
}

static void
without_routes_there_is_no_key_for_them(void **state)
{
	struct cni_result result = dual();

	(void)state;
	result.route_count = 0;
	result.ip_count = 1;
	prints(&result, "0.2.0", "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\"}}\n");
	prints(&result, "1.0.0", "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.0.2.40/24\",\"gateway\":\"10.0.2.1\"}]}\n");
}

static void
routes_of_a_family_without_address_have_no_place_before_0_3_0(void **state)
{
	struct cni_result result = dual();

	(void)state;
	result.ips[0] = result.ips[1];
	result.ip_count = 1;
	prints(&result, "0.2.0",
	    "{\"cniVersion\":\"0.2.0\",\"ip6\":{\"ip\":\"fd00::40/64\",\"routes\":[{\"dst\":\"::/0\",\"gw\":\"fd00::1\"}]}}\n");
}

static void
two_addresses_of_a_family_need_0_3_0(void **state)
{
	struct cni_result result = dual();
	scoped_buf out = buf_make(8192);
	struct err err = {0};

	(void)state;
	result.ips[1] = address("10.0.2.41/24", NULL);
	for (const char *const *v = (const char *const[]){"0.1.0", "0.2.0", NULL}; *v; v++) {
		assert_int_equal(cni_result_print(&result, cni_version_find(*v), &out, &err), -CNI_ERROR_CONFIG);
		assert_non_null(strstr(err.text, "does not support more than 1 address per family"));
		assert_non_null(strstr(err.text, *v));
	}
	assert_int_equal(cni_result_print(&result, cni_version_find("0.3.0"), &out, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_version_has_its_shape),
	    cmocka_unit_test(without_routes_there_is_no_key_for_them),
	    cmocka_unit_test(routes_of_a_family_without_address_have_no_place_before_0_3_0),
	    cmocka_unit_test(two_addresses_of_a_family_need_0_3_0),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
