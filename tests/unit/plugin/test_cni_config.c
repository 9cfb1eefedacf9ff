#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "plugin/cni_config.h"
#include "plugin/cni_error.h"

static int
parse(const char *text, enum cni_verb verb, struct cni_config *config, struct err *err)
{
	return cni_config_parse(text, strlen(text), verb, config, err);
}

static void
refused(const char *text, enum cni_verb verb, int code, const char *words)
{
	scoped_config config = {0};
	struct err err = {0};

	assert_int_equal(parse(text, verb, &config, &err), -code);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
	assert_non_null(config.version); /* the answer is in some version */
}

static void
the_role_follows_from_the_two_types(void **state)
{
	static const struct {
		const char *text;
		enum cni_role role;
	} rows[] = {
	    {"{\"name\":\"n\",\"type\":\"macvlan\",\"ipam\":{\"type\":\"staticip\"}}", CNI_ROLE_IPAM},
	    {"{\"name\":\"n\",\"type\":\"staticip\"}", CNI_ROLE_CHAIN},
	    {"{\"name\":\"n\",\"type\":\"staticip\",\"ipam\":{}}", CNI_ROLE_CHAIN},
	    {"{\"name\":\"n\",\"type\":\"staticip\",\"ipam\":{\"type\":\"static\"}}", CNI_ROLE_CHAIN},
	    {"{\"name\":\"n\",\"type\":\"staticip\",\"ipam\":{\"type\":\"staticip\"}}", CNI_ROLE_BOTH},
	    {"{\"name\":\"n\",\"type\":\"staticip2\",\"ipam\":{\"type\":\"Staticip\"}}", CNI_ROLE_NONE},
	    {"{\"name\":\"n\",\"type\":7,\"ipam\":{\"type\":[]}}", CNI_ROLE_NONE},
	    {"{\"name\":\"n\",\"ipam\":\"staticip\"}", CNI_ROLE_NONE},
	    {"{\"name\":\"n\"}", CNI_ROLE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scoped_config config = {0};
		assert_int_equal(parse(rows[i].text, CNI_ADD, &config, NULL), 0);
		assert_int_equal(config.role, rows[i].role);
	}
}

static void
no_version_is_0_1_0_and_an_unknown_one_is_refused(void **state)
{
	scoped_config config = {0};

	(void)state;
	assert_int_equal(parse("{\"name\":\"n\"}", CNI_ADD, &config, NULL), 0);
	assert_string_equal(config.version->text, "0.1.0");
	refused("{\"name\":\"n\",\"cniVersion\":\"1.2.0\"}", CNI_ADD, CNI_ERROR_VERSION,
	    "incompatible CNI versions; config is \"1.2.0\", plugin supports [\"0.1.0\"");
	refused("{\"name\":\"n\",\"cniVersion\":1}", CNI_ADD, EINVAL, "cniVersion");
}

static void
verbs_need_the_version_that_has_them(void **state)
{
	static const struct {
		const char *version;
		bool check, status;
	} rows[] = {{"0.1.0", false, false}, {"0.2.0", false, false}, {"0.3.0", false, false},
	    {"0.3.1", false, false}, {"0.4.0", true, false}, {"1.0.0", true, false}, {"1.1.0", true, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scoped_free char *text = mem_format("{\"name\":\"n\",\"cniVersion\":\"%s\"}", rows[i].version);
		for (int verb = CNI_ADD; verb < CNI_VERSION; verb++) {
			scoped_config config = {0};
			bool allowed = verb == CNI_CHECK ? rows[i].check
			    : verb == CNI_GC || verb == CNI_STATUS ? rows[i].status : true;
			int rc = parse(text, (enum cni_verb)verb, &config, NULL);
			assert_int_equal(rc, allowed ? 0 : -CNI_ERROR_VERSION);
		}
	}
}

static void
the_name_is_checked_and_answered_in_the_version_asked(void **state)
{
	scoped_config config = {0};
	struct err err = {0};

	(void)state;
	refused("{}", CNI_ADD, CNI_ERROR_CONFIG, "missing network name");
	refused("{\"name\":\"\"}", CNI_DEL, CNI_ERROR_CONFIG, "missing network name");
	refused("{\"name\":\"te%%st\"}", CNI_ADD, CNI_ERROR_CONFIG, "invalid characters found in network name; te%%st");
	refused("{\"name\":[]}", CNI_ADD, EINVAL, "network configuration.name is of type array");
	assert_int_equal(parse("{\"cniVersion\":\"0.3.1\"}", CNI_ADD, &config, &err), -CNI_ERROR_CONFIG);
	assert_string_equal(config.version->text, "0.3.1");
}

static void
the_longest_name_fits_and_one_more_does_not(void **state)
{
	char name[NETWORK_NAME_MAX + 2];
	scoped_config config = {0};

	(void)state;
	memset(name, 'n', sizeof(name));
	scoped_free char *fits = mem_format("{\"name\":\"%.*s\"}", NETWORK_NAME_MAX, name);
	scoped_free char *over = mem_format("{\"name\":\"%.*s\"}", NETWORK_NAME_MAX + 1, name);
	assert_int_equal(parse(fits, CNI_ADD, &config, NULL), 0);
	refused(over, CNI_ADD, CNI_ERROR_CONFIG, "longer than 174 bytes");
}

static void
what_is_no_JSON_object_is_a_decoding_error(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "7", "null", "{}x", "{\"name\":\"n\",}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		scoped_config config = {0};
		struct err err = {0};
		assert_true(parse(texts[i], CNI_ADD, &config, &err) < 0);
		assert_int_equal(cni_error_code(&err), 6);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_role_follows_from_the_two_types),
	    cmocka_unit_test(no_version_is_0_1_0_and_an_unknown_one_is_refused),
	    cmocka_unit_test(verbs_need_the_version_that_has_them),
	    cmocka_unit_test(the_name_is_checked_and_answered_in_the_version_asked),
	    cmocka_unit_test(the_longest_name_fits_and_one_more_does_not),
	    cmocka_unit_test(what_is_no_JSON_object_is_a_decoding_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
