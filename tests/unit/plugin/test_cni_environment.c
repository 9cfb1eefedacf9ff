#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/cni_environment.h"
#include "plugin/cni_error.h"

static struct cni_environment
whole(const char *command)
{
	return (struct cni_environment){.command = command, .container = "c0", .netns = "/n",
	    .ifname = "eth0", .args = "", .path = "/opt/cni/bin"};
}

static void
refused(struct cni_environment environment, const char *words)
{
	enum cni_verb verb = CNI_VERBS;
	struct err err = {0};

	assert_int_equal(cni_environment_read(&environment, &verb, &err), -CNI_ERROR_ENVIRONMENT);
	if (strcmp(err.text, words) != 0)
		fail_msg("'%s' instead of '%s'", err.text, words);
}

static void
each_verb_is_known_in_upper_case_only(void **state)
{
	static const char *const names[] = {"ADD", "CHECK", "DEL", "GC", "STATUS", "VERSION"};

	(void)state;
	for (int i = 0; i < CNI_VERBS; i++) {
		struct cni_environment environment = whole(names[i]);
		enum cni_verb verb = CNI_VERBS;
		assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
		assert_int_equal(verb, i);
	}
	refused(whole("add"), "unknown CNI_COMMAND: add");
	refused(whole("NOPE"), "unknown CNI_COMMAND: NOPE");
}

static void
nothing_and_empty_are_no_command(void **state)
{
	struct cni_environment environment = {0};

	(void)state;
	assert_false(cni_environment_asked(&environment));
	environment.command = "";
	assert_false(cni_environment_asked(&environment));
	environment.command = "x";
	assert_true(cni_environment_asked(&environment));
}

static void
all_missing_variables_are_named_at_once(void **state)
{
	struct cni_environment environment = {.command = "ADD", .container = "c0", .netns = ""};

	(void)state;
	refused(environment, "required env variables [CNI_NETNS,CNI_IFNAME,CNI_PATH] missing");
	environment.container = NULL;
	environment.command = "DEL";
	refused(environment, "required env variables [CNI_CONTAINERID,CNI_IFNAME,CNI_PATH] missing");
	environment.command = "GC";
	refused(environment, "required env variables [CNI_PATH] missing");
	environment.command = "STATUS";
	refused(environment, "required env variables [CNI_PATH] missing");
	environment.command = "VERSION";
	enum cni_verb verb;
	assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
}

static void
container_ids_are_of_the_specifications_characters(void **state)
{
	static const char *const good[] = {"a", "Z9", "0_.-", "a-b_c.d"};
	static const char *const bad[] = {"-a", ".a", "_a", "a b", "a/b", "a%", "\xc3\xa4", "a\n"};
	struct cni_environment environment = whole("ADD");
	enum cni_verb verb;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		environment.container = good[i];
		assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = {0};
		environment.container = bad[i];
		assert_int_equal(cni_environment_read(&environment, &verb, &err), -CNI_ERROR_ENVIRONMENT);
		assert_non_null(strstr(err.text, "invalid characters in containerID; "));
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static void
interface_names_are_those_of_linux(void **state)
{
	struct cni_environment environment = whole("DEL");
	enum cni_verb verb;

	(void)state;
	environment.ifname = "123456789012345";
	assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
	environment.ifname = "1234567890123456";
	refused(environment, "interface name is too long; interface name should be less than 16 characters");
	environment.ifname = "..";
	refused(environment, "interface name is . or ..");
	environment.ifname = ".";
	refused(environment, "interface name is . or ..");
	static const char *const bad[] = {"a/b", "a:b", "a b", "a\tb", "\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		environment.ifname = bad[i];
		refused(environment, "interface name contains / or : or whitespace characters");
	}
	environment.ifname = "eth\xff";
	refused(environment, "interface name is no UTF-8");
	environment.ifname = "eth\xc3\xa9";
	assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
}

static void
an_invalid_value_is_told_before_a_missing_one(void **state)
{
	struct cni_environment environment = whole("ADD");

	(void)state;
	environment.container = NULL;
	environment.ifname = "..";
	refused(environment, "interface name is . or ..");
}

static void
variables_that_a_verb_does_not_need_are_not_looked_at(void **state)
{
	struct cni_environment environment = {.command = "GC", .container = "%", .ifname = "..", .path = "/"};
	enum cni_verb verb;

	(void)state;
	assert_int_equal(cni_environment_read(&environment, &verb, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_verb_is_known_in_upper_case_only),
	    cmocka_unit_test(nothing_and_empty_are_no_command),
	    cmocka_unit_test(all_missing_variables_are_named_at_once),
	    cmocka_unit_test(container_ids_are_of_the_specifications_characters),
	    cmocka_unit_test(interface_names_are_those_of_linux),
	    cmocka_unit_test(an_invalid_value_is_told_before_a_missing_one),
	    cmocka_unit_test(variables_that_a_verb_does_not_need_are_not_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
