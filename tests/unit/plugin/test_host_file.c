#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plugin/cni_error.h"
#include "plugin/host_file.h"
#include "published.h"

static void
reads(const struct published *p, const char *text, const char *wanted)
{
	struct err err = {0};
	scoped_free char *root = NULL;

	write_file(p->host_file, text, strlen(text));
	int rc = host_file_root(p->host_file, &root, &err);
	if (!wanted) {
		assert_int_equal(rc, -CNI_ERROR_CONFIG);
		assert_non_null(strstr(err.text, p->host_file));
		assert_null(root);
		return;
	}
	assert_int_equal(rc, 0);
	assert_string_equal(root, wanted);
}

static void
it_names_the_root(void **state)
{
	reads(*state, "{\"root\":\"/var/x\"}", "/var/x");
	reads(*state, "{}", HOST_FILE_ROOT);
	reads(*state, "{\"later\":[1]}", HOST_FILE_ROOT);
}

static void
one_that_is_wrong_is_refused_and_not_guessed(void **state)
{
	reads(*state, "", NULL);
	reads(*state, "{", NULL);
	reads(*state, "[]", NULL);
	reads(*state, "{\"root\":7}", NULL);
	reads(*state, "{\"root\":\"x\"}", NULL);
	reads(*state, "{\"root\":\"\"}", NULL);
	reads(*state, "{\"root\":\"/\\u0000\"}", NULL);
}

static void
none_at_all_is_the_usual_root(void **state)
{
	struct err err = {0};
	scoped_free char *root = NULL;
	scoped_free char *again = NULL;

	(void)state;
	assert_int_equal(host_file_root("/gone/plugin.json", &root, &err), 0);
	assert_string_equal(root, HOST_FILE_ROOT);
	assert_int_equal(host_file_root("/dev/null/plugin.json", &again, &err), 0);
	assert_string_equal(again, HOST_FILE_ROOT);
}

static void
permits(const struct published *p, const char *text, const char *wanted, bool yes)
{
	struct err err = {0};

	write_file(p->host_file, text, strlen(text));
	int rc = host_file_permits_resolv_conf(p->host_file, wanted, &err);
	assert_int_equal(rc, yes ? 0 : -CNI_ERROR_CONFIG);
	if (!yes && !strstr(err.text, p->host_file))
		fail_msg("'%s' does not name the file", err.text);
}

/* I10: the network configuration may be a tenant's. */
static void
a_resolv_conf_is_one_of_the_usual_two_or_listed(void **state)
{
	permits(*state, "{}", "/etc/resolv.conf", true);
	permits(*state, "{}", "/run/systemd/resolve/resolv.conf", true);
	permits(*state, "{}", "/etc/shadow", false);
	permits(*state, "{\"resolvConf\":[\"/a\",\"/b\"]}", "/b", true);
	permits(*state, "{\"resolvConf\":[\"/a\",\"/b\",7,null]}", "/c", false);
	permits(*state, "{\"resolvConf\":[\"b\"]}", "b", false);
	permits(*state, "{\"resolvConf\":\"/a\"}", "/a", false);
	permits(*state, "{", "/a", false);
}

static void
the_command_line_is_the_kernels_unless_the_file_says_otherwise(void **state)
{
	const struct published *p = *state;
	struct err err = {0};
	scoped_free char *usual = NULL;
	scoped_free char *other = NULL;
	scoped_free char *wrong = NULL;

	write_file(p->host_file, "{}", 2);
	assert_int_equal(host_file_cmdline(p->host_file, &usual, &err), 0);
	assert_string_equal(usual, "/proc/cmdline");
	write_file(p->host_file, "{\"cmdline\":\"/x\"}", 16);
	assert_int_equal(host_file_cmdline(p->host_file, &other, &err), 0);
	assert_string_equal(other, "/x");
	write_file(p->host_file, "{\"cmdline\":\"x\"}", 15);
	assert_int_equal(host_file_cmdline(p->host_file, &wrong, &err), -CNI_ERROR_CONFIG);
	assert_non_null(strstr(err.text, "cmdline 'x' is not an absolute path"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_TABLE(it_names_the_root),
	    WITH_TABLE(one_that_is_wrong_is_refused_and_not_guessed),
	    cmocka_unit_test(none_at_all_is_the_usual_root),
	    WITH_TABLE(a_resolv_conf_is_one_of_the_usual_two_or_listed),
	    WITH_TABLE(the_command_line_is_the_kernels_unless_the_file_says_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
