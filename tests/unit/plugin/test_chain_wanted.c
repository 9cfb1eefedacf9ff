/* The chained role's configuration, and what args.cni may change of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "plugin/chain_wanted.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static struct chain_wanted wanted;

static int
decode(const char *text, struct err *err)
{
	scoped_json *config = NULL;

	assert_int_equal(json_parse(text, strlen(text), "x", &config, err), 0);
	return chain_wanted_decode(config, &wanted, err);
}

static void
refused(const char *text, int code, const char *words)
{
	struct err err = {0};

	if (decode(text, &err) == 0)
		fail_msg("%s was taken", text);
	assert_int_equal(cni_error_code(&err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
nothing_is_wanted_by_default(void **state)
{
	(void)state;
	assert_int_equal(decode("{}", NULL), 0);
	assert_true(chain_wanted_empty(&wanted));
	assert_null(wanted.interface);
	assert_int_equal(decode("{\"routes\":null,\"rules\":[],\"delRoutes\":[],\"flushRoutes\":false,\"flushGateway\":false,"
	                        "\"sourceRouting\":false,\"args\":{\"cni\":{\"ips\":[\"10.0.0.1\"]}},\"unknown\":7}", NULL), 0);
	assert_true(chain_wanted_empty(&wanted));
}

static void
each_key_alone_is_something(void **state)
{
	static const char *const texts[] = {"{\"routes\":[{\"dst\":\"10.9.0.0/16\"}]}", "{\"rules\":[{\"to\":\"10.9.0.0/16\",\"table\":7}]}",
	    "{\"delRoutes\":[{\"dst\":\"10.9.0.0/16\"}]}", "{\"flushRoutes\":true}", "{\"flushGateway\":true}",
	    "{\"sourceRouting\":true}", "{\"sourceRouting\":{}}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(decode(texts[i], NULL), 0);
		if (chain_wanted_empty(&wanted))
			fail_msg("%s is nothing", texts[i]);
	}
}

static void
rules_have_a_family_and_a_priority(void **state)
{
	(void)state;
	assert_int_equal(decode("{\"rules\":[{\"from\":\"10.0.0.7/8\",\"to\":\"0.0.0.0/0\",\"table\":4294967295},"
	                        "{\"to\":\"::/0\",\"table\":1,\"priority\":0}]}", NULL), 0);
	assert_int_equal(wanted.rules.count, 2);
	assert_int_equal(wanted.rules.list[0].priority, CHAIN_RULE_PRIORITY);
	assert_int_equal(wanted.rules.list[0].from.ip.bytes[3], 0); /* no host bits */
	assert_int_equal(wanted.rules.list[0].to.ip.family, 0);     /* any */
	assert_int_equal(wanted.rules.list[1].family, 6);
	assert_int_equal(wanted.rules.list[1].priority, 0);
	refused("{\"rules\":[{\"table\":1}]}", 7, "rules[0] has neither from nor to");
	refused("{\"rules\":[{\"to\":\"10.0.0.0/8\",\"table\":4294967296}]}", 7, "rules[0].table");
}

static void
args_replace_key_by_key_where_they_are_allowed(void **state)
{
	static const char text[] = "{\"allowArgs\":true,\"flushRoutes\":true,\"routes\":[{\"dst\":\"10.1.0.0/16\"}],"
	                           "\"delRoutes\":[{\"dst\":\"10.2.0.0/16\"}],\"args\":{\"cni\":{\"flushRoutes\":false,"
	                           "\"routes\":[{\"dst\":\"10.3.0.0/16\"},{\"dst\":\"10.4.0.0/16\"}]}}}";

	(void)state;
	assert_int_equal(decode(text, NULL), 0);
	assert_false(wanted.removal.flush_routes);
	assert_int_equal(wanted.routes.count, 2);
	assert_int_equal(wanted.removal.deletes.count, 1);
	refused("{\"args\":{\"cni\":{\"routes\":[]}}}", 102, "args.cni.routes is not permitted");
	refused("{\"allowArgs\":false,\"args\":{\"cni\":{\"flushGateway\":false}}}", 102, "args.cni.flushGateway");
	refused("{\"allowArgs\":true,\"args\":{\"cni\":{\"sourceRouting\":true}}}", 102, "args.cni.sourceRouting");
	refused("{\"allowArgs\":1}", 7, "allowArgs");
	refused("{\"addroutes\":[]}", 7, "staticip has \"routes\"");
}

static void
an_interface_has_a_name_of_one(void **state)
{
	(void)state;
	refused("{\"interface\":\"a b\"}", 7, "interface");
	refused("{\"interface\":\"sixteen-letters-\"}", 7, "interface");
	assert_int_equal(decode("{\"interface\":\"eth0\"}", NULL), 0);
	assert_non_null(wanted.interface);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_wanted_by_default),
	    cmocka_unit_test(each_key_alone_is_something),
	    cmocka_unit_test(rules_have_a_family_and_a_priority),
	    cmocka_unit_test(args_replace_key_by_key_where_they_are_allowed),
	    cmocka_unit_test(an_interface_has_a_name_of_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
