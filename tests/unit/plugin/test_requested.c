#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "plugin/cni_error.h"
#include "plugin/requested.h"

static struct cni_result
answer(void)
{
	struct cni_result made = {.ip_count = 2};

	assert_int_equal(cidr_parse("10.0.2.40/24", 12, &made.ips[0].cidr, NULL), 0);
	assert_int_equal(cidr_parse("fd00::40/64", 11, &made.ips[1].cidr, NULL), 0);
	assert_int_equal(ip_parse("10.0.2.1", 8, &made.ips[0].gateway, NULL), 0);
	return made;
}

static int
check(const char *more, const struct cni_args *args, struct err *err)
{
	scoped_free char *text = mem_format("{\"name\":\"n\"%s}", more);
	scoped_config config = {0};
	struct requested requested;
	const struct cni_result row = answer();

	assert_int_equal(cni_config_parse(text, strlen(text), CNI_ADD, &config, err), 0);
	int rc = requested_read(&config, args, &requested, err);
	return rc ? rc : requested_check(&requested, &row, "StaticIPAllocation shop/ex", err);
}

static void
in_json(const char *ips, int code)
{
	static const char *const roads[] = {",\"runtimeConfig\":{\"ips\":%s}", ",\"args\":{\"cni\":{\"ips\":%s}}"};
	const struct cni_args none = {0};

	for (unsigned i = 0; i < 2; i++) {
		scoped_free char *more = i == 0 ? mem_format(",\"runtimeConfig\":{\"ips\":%s}", ips)
		                                : mem_format(",\"args\":{\"cni\":{\"ips\":%s}}", ips);
		struct err err = {0};
		int rc = check(more, &none, &err);
		if ((rc ? cni_error_code(&err) : 0) != code)
			fail_msg("%s %s: %d instead of %d", roads[i], ips, rc, code);
	}
}

static void
in_args(const char *ip, const char *gateway, int code)
{
	const struct cni_args args = {.ip = ip, .gateway = gateway};
	struct err err = {0};
	int rc = check("", &args, &err);

	assert_int_equal(rc ? cni_error_code(&err) : 0, code);
}

static void
what_the_row_has_may_be_asked_for(void **state)
{
	(void)state;
	in_json("null", 0);
	in_json("[]", 0);
	in_json("[\"10.0.2.40\"]", 0);
	in_json("[\"FD00:0::40/64\",\"10.0.2.40/24\"]", 0);
	in_args(NULL, NULL, 0);
	in_args("", "", 0);
	in_args("10.0.2.40", NULL, 0);
	in_args("fd00::40/64,10.0.2.40/24", "10.0.2.1", 0);
}

static void
another_address_is_not_permitted(void **state)
{
	(void)state;
	in_json("[\"10.0.2.41\"]", 102);
	in_json("[\"10.0.2.40/25\"]", 102);
	in_json("[\"10.0.2.40\",\"fd00::41\"]", 102);
	in_args("10.0.2.40,10.0.2.41", NULL, 102);
	in_args(NULL, "10.0.2.2", 102);
	in_args(NULL, "fd00::1", 102); /* the row has no gateway of this family */
}

static void
what_is_no_address_is_an_error_of_its_road(void **state)
{
	(void)state;
	in_json("[\"\"]", 7);
	in_json("[\"x\"]", 7);
	in_json("[7]", 7);
	in_json("\"10.0.2.40\"", 7);
	in_args("10.0.2.40,", NULL, 4);
	in_args("10.0.2.40, fd00::40", NULL, 4); /* KI-07: refused, and never "<nil>" */
	in_args("10.0.2.40/", NULL, 4);
	in_args(NULL, "10.0.2.1/24", 4);
}

static void
one_road_carries_sixteen_addresses(void **state)
{
	char ips[12 * (REQUESTED_IPS_MAX + 1)] = "10.0.2.40";

	(void)state;
	for (int i = 1; i < REQUESTED_IPS_MAX; i++)
		memcpy(ips + strlen(ips), ",10.0.2.40", sizeof(",10.0.2.40"));
	in_args(ips, NULL, 0);
	memcpy(ips + strlen(ips), ",10.0.2.40", sizeof(",10.0.2.40"));
	in_args(ips, NULL, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_the_row_has_may_be_asked_for),
	    cmocka_unit_test(another_address_is_not_permitted),
	    cmocka_unit_test(what_is_no_address_is_an_error_of_its_road),
	    cmocka_unit_test(one_road_carries_sixteen_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
