#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/chain_link.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static int
decode(const char *text, struct chain_link *ret_link, struct err *err)
{
	scoped_json *config = NULL;

	assert_int_equal(json_parse(text, strlen(text), "x", &config, err), 0);
	return chain_link_decode(config, ret_link, err);
}

static void
what_is_not_written_is_announced_and_no_more(void **state)
{
	static const char *const texts[] = {"{}", "{\"announce\":null,\"probe\":null,\"ipv6\":null}",
	    "{\"ipv6\":{}}", "{\"ipv6\":{\"dad\":null}}", "{\"announce\":true,\"probe\":false}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct chain_link link;
		struct err err = {0};
		memset(&link, 0x55, sizeof(link));
		assert_int_equal(decode(texts[i], &link, &err), 0);
		assert_true(link.announce);
		assert_false(link.probe);
		assert_false(chain_ipv6_is_written(&link.ipv6));
	}
}

static void
each_key_is_read_on_its_own(void **state)
{
	static const char *const keys[CHAIN_IPV6_KEYS] = {"acceptRA", "autoconf", "dad"};
	struct chain_link link;
	struct err err = {0};

	(void)state;
	assert_int_equal(decode("{\"announce\":false,\"probe\":true}", &link, &err), 0);
	assert_false(link.announce);
	assert_true(link.probe);
	for (int i = 0; i < 2 * CHAIN_IPV6_KEYS; i++) {
		char text[64];
		bool on = i % 2;
		(void)snprintf(text, sizeof(text), "{\"ipv6\":{\"%s\":%s}}", keys[i / 2], on ? "true" : "false");
		assert_int_equal(decode(text, &link, &err), 0);
		assert_true(chain_ipv6_is_written(&link.ipv6));
		for (int j = 0; j < CHAIN_IPV6_KEYS; j++) {
			assert_int_equal(link.ipv6.written[j], i / 2 == j);
			assert_int_equal(chain_ipv6_is_off(&link.ipv6, (enum chain_ipv6_key)j), i / 2 == j && !on);
		}
	}
}

static void
other_types_and_unknown_keys_are_refused_by_name(void **state)
{
	static const char *const cases[][2] = {
	    {"{\"announce\":1}", "network configuration.announce is of type int"},
	    {"{\"probe\":\"true\"}", "network configuration.probe is of type string"},
	    {"{\"ipv6\":[]}", "network configuration.ipv6 is of type array"},
	    {"{\"ipv6\":{\"dad\":0}}", "ipv6.dad is of type int"},
	    {"{\"ipv6\":{\"nodad\":true}}", "ipv6.nodad is of type boolean"},
	    {"{\"ipv6\":{\"nodad\":\"fd00::/64\"}}", "ipv6.nodad is of type string"},
	    {"{\"ipv6\":{\"nodad\":[\"fd00::1\"]}}", "ipv6.nodad: "},
	    {"{\"ipv6\":{\"nodad\":[7]}}", "ipv6.nodad: "},
	    {"{\"ipv6\":{\"nodad\":[null]}}", "ipv6.nodad: "},
	    {"{\"ipv6\":{\"nodad\":[\"fd00::1/64\"]}}", "ipv6.nodad has fd00::1/64; it takes IPv6 prefixes without host bits"},
	    {"{\"ipv6\":{\"nodad\":[\"10.0.0.0/8\"]}}", "ipv6.nodad has 10.0.0.0/8"},
	    {"{\"ipv6\":{\"nodad\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}}", "ipv6.nodad"},
	    {"{\"ipv6\":{\"acceptRa\":false}}", "ipv6.acceptRa is not known; the keys are"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chain_link link = {.probe = true};
		struct err err = {0};
		assert_int_equal(decode(cases[i][0], &link, &err), -(int)CNI_ERROR_CONFIG);
		assert_int_equal(cni_error_code(&err), 7);
		if (!strstr(err.text, cases[i][1]))
			fail_msg("'%s' is not in '%s'", cases[i][1], err.text);
		assert_true(link.probe); /* nothing was written */
	}
}

static void
nodad_is_about_its_prefixes_and_dad_about_all(void **state)
{
	static const struct {
		const char *config;
		bool first, second;
	} cases[] = {
	    {"{}", false, false},
	    {"{\"ipv6\":{\"nodad\":[]}}", false, false},
	    {"{\"ipv6\":{\"nodad\":[\"fd01::/64\",\"fd00::/64\"]}}", true, false},
	    {"{\"ipv6\":{\"nodad\":[\"fd02::9/128\"]}}", false, true},
	    {"{\"ipv6\":{\"nodad\":[\"::/0\"]}}", true, true},
	    {"{\"ipv6\":{\"dad\":false}}", true, true},
	    {"{\"ipv6\":{\"dad\":true,\"nodad\":[\"fd00::/64\"]}}", true, false},
	};
	const struct ip first = {.family = 6, .bytes = {0xfd, [15] = 9}};
	const struct ip second = {.family = 6, .bytes = {0xfd, 2, [15] = 9}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct chain_link link;
		struct err err = {0};
		assert_int_equal(decode(cases[i].config, &link, &err), 0);
		assert_int_equal(chain_ipv6_skips_dad(&link.ipv6, &first), cases[i].first);
		assert_int_equal(chain_ipv6_skips_dad(&link.ipv6, &second), cases[i].second);
		if (cases[i].first || cases[i].second)
			assert_true(chain_ipv6_is_written(&link.ipv6));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_written_is_announced_and_no_more),
	    cmocka_unit_test(each_key_is_read_on_its_own),
	    cmocka_unit_test(nodad_is_about_its_prefixes_and_dad_about_all),
	    cmocka_unit_test(other_types_and_unknown_keys_are_refused_by_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
