#include "tests/unit/agent/fixture.h"

#include "agent/options.h"

/* argv is taken apart at the spaces of a line. */
static int
parse(const char *line, struct options *ret_options, struct err *err)
{
	static char text[400];
	static char *argv[20];
	int argc = 0;

	(void)snprintf(text, sizeof(text), "%s", line);
	argv[argc++] = text;
	for (char *at = text; *at; at++)
		if (*at == ' ') {
			*at = '\0';
			argv[argc++] = at + 1;
		}
	argv[argc] = NULL;
	return options_parse(argc, argv, ret_options, err);
}

static void
without_options_all_defaults_hold(void **state)
{
	struct options options;
	struct err err = {0};
	char host[300];

	(void)state;
	assert_int_equal(parse("agent", &options, &err), OPTIONS_RUN);
	assert_null(options.kubeconfig);
	assert_string_equal(options.tables_namespace, "staticip-tables");
	assert_int_equal(options.buckets, 64);
	assert_string_equal(options.root, "/run/staticip");
	assert_null(options.install_plugin);
	assert_string_equal(options.plugin_file, "/usr/lib/staticip/staticip");
	assert_int_equal(gethostname(host, sizeof(host)), 0);
	assert_string_equal(options.node_name, host);
	assert_false(options.allow_disk);
	assert_int_equal(options.log_level, LOG_LEVEL_INFO);
}

static void
each_option_is_taken_in_both_forms(void **state)
{
	struct options options;
	struct err err = {0};

	(void)state;
	assert_int_equal(parse("agent --kubeconfig /k --tables-namespace=t --buckets 1024 "
	                       "--root=/r --install-plugin /i --plugin-file=/p --node-name n.1 "
	                       "--allow-disk --log-level=debug",
	                     &options, &err),
	    OPTIONS_RUN);
	assert_string_equal(options.kubeconfig, "/k");
	assert_string_equal(options.tables_namespace, "t");
	assert_int_equal(options.buckets, 1024);
	assert_string_equal(options.root, "/r");
	assert_string_equal(options.install_plugin, "/i");
	assert_string_equal(options.plugin_file, "/p");
	assert_string_equal(options.node_name, "n.1");
	assert_true(options.allow_disk);
	assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
}

static void
each_wrong_value_is_refused_and_named(void **state)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
	    {"agent --buckets=63", "--buckets=63: give 1, 64 or 1024"},
	    {"agent --buckets=0", "--buckets=0"},
	    {"agent --buckets=064", "--buckets=064"},
	    {"agent --buckets=99999999999999999999", "1, 64 or 1024"},
	    {"agent --buckets=", "1, 64 or 1024"},
	    {"agent --buckets", "'--buckets' is no option, or its value is missing"},
	    {"agent --tables-namespace=A", "--tables-namespace=A"},
	    {"agent --tables-namespace=a/../b", "--tables-namespace=a/../b"},
	    {"agent --root=run", "--root=run: give a path that starts with '/'"},
	    {"agent --install-plugin=", "--install-plugin="},
	    {"agent --plugin-file=x", "--plugin-file=x"},
	    {"agent --node-name=N1", "--node-name=N1"},
	    {"agent --log-level=loud", "--log-level=loud: give debug, info, warn or error"},
	    {"agent --bukets=64", "'--bukets=64' is no option"},
	    {"agent --allow-disk=yes", "'--allow-disk=yes' is no option"},
	    {"agent -x", "'-x' is no option"},
	    {"agent --allow-disk more", "'more' is no option"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct options options = {.buckets = 7};
		struct err err = {0};
		assert_int_equal(parse(rows[i].line, &options, &err), -EINVAL);
		if (!strstr(err.text, rows[i].said))
			fail_msg("%s: says '%s', not '%s'", rows[i].line, err.text, rows[i].said);
		assert_int_equal(options.buckets, 7); /* written on success only */
	}
}

static void
help_and_version_win_over_what_follows(void **state)
{
	struct options options;
	struct err err = {0};

	(void)state;
	assert_int_equal(parse("agent --help --wrong", &options, &err), OPTIONS_HELP);
	assert_int_equal(parse("agent --version", &options, &err), OPTIONS_VERSION);
}

static void
the_help_has_one_line_for_each_option_and_fits_a_terminal(void **state)
{
	static const char *const names[] = {"kubeconfig", "tables-namespace", "buckets", "root",
	    "install-plugin", "plugin-file", "node-name", "allow-disk", "health-address",
	    "metrics-address", "log-level", "help", "version"};
	scoped_free char *text = NULL;
	char *raw = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&raw, &length);

	(void)state;
	options_help(out);
	assert_int_equal(fclose(out), 0);
	text = raw;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		scoped_free char *wanted = mem_format("\n  --%s", names[i]);
		assert_non_null(strstr(text, wanted));
	}
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		assert_true(strcspn(line, "\n") <= 90);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_options_all_defaults_hold),
	    cmocka_unit_test(each_option_is_taken_in_both_forms),
	    cmocka_unit_test(each_wrong_value_is_refused_and_named),
	    cmocka_unit_test(help_and_version_win_over_what_follows),
	    cmocka_unit_test(the_help_has_one_line_for_each_option_and_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
