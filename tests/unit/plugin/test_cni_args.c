#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "plugin/cni_args.h"
#include "plugin/cni_error.h"

static void
refused(const char *text, const char *words)
{
	struct cni_args args = {0};
	struct err err = {0};

	assert_int_equal(cni_args_parse(text, &args, &err), -CNI_ERROR_ENVIRONMENT);
	assert_null(args.text);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not have '%s'", err.text, words);
}

static void
what_a_runtime_sends_is_understood(void **state)
{
	scoped_args args = {0};

	(void)state;
	assert_int_equal(cni_args_parse("IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=ex-0;"
	                                "K8S_POD_INFRA_CONTAINER_ID=abc;K8S_POD_UID=u-1;MAC=aa:bb;IP=10.0.0.1,fd00::1",
	                     &args, NULL),
	    0);
	assert_string_equal(args.namespace, "shop");
	assert_string_equal(args.pod, "ex-0");
	assert_string_equal(args.ip, "10.0.0.1,fd00::1");
	assert_null(args.gateway);
}

static void
nothing_is_no_pair(void **state)
{
	scoped_args args = {0};

	(void)state;
	assert_int_equal(cni_args_parse(NULL, &args, NULL), 0);
	assert_int_equal(cni_args_parse("", &args, NULL), 0);
	assert_null(args.pod);
}

static void
a_pair_has_exactly_one_equals_sign(void **state)
{
	static const char *const bad[] = {"x", ";", "IP=1;", ";IP=1", "IP==", "IP=1=2", "IgnoreUnknown=1;x", "="};

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], "ARGS: invalid pair");
	refused("=", "unknown args [\"\"]");
}

static void
an_unknown_key_needs_IgnoreUnknown_wherever_that_stands(void **state)
{
	static const char *const good[] = {
	    "X=1;IgnoreUnknown=1", "IgnoreUnknown=true;X=1", "X=1;IgnoreUnknown=TRUE", "IgnoreUnknown=0;X=1;IgnoreUnknown=1"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		scoped_args args = {0};
		assert_int_equal(cni_args_parse(good[i], &args, NULL), 0);
	}
	refused("X=1", "unknown args [\"X\"]");
	refused("X=1;Y=2;IgnoreUnknown=false", "unknown args [\"X\"]");
	refused("ip=1", "unknown args [\"ip\"]");
	refused("IgnoreUnknown=2", "boolean unmarshal error");
	refused("IgnoreUnknown=", "boolean unmarshal error");
}

static void
the_last_of_two_counts(void **state)
{
	scoped_args args = {0};

	(void)state;
	assert_int_equal(cni_args_parse("K8S_POD_NAME=a;K8S_POD_NAME=b", &args, NULL), 0);
	assert_string_equal(args.pod, "b");
}

static void
more_than_the_kernel_passes_is_refused(void **state)
{
	scoped_free char *text = mem_new(CNI_ARGS_MAX + 2, 1);
	scoped_args args = {0};

	(void)state;
	memset(text, 'x', CNI_ARGS_MAX + 1);
	memcpy(text, "IP=", 3);
	refused(text, "more than 131072 bytes");
	text[CNI_ARGS_MAX] = '\0';
	assert_int_equal(cni_args_parse(text, &args, NULL), 0);
}

static void
both_names_of_the_pod_are_needed(void **state)
{
	static const struct {
		struct cni_args args;
		const char *missing;
	} rows[] = {
	    {{0}, "K8S_POD_NAMESPACE"},
	    {{.pod = "p"}, "K8S_POD_NAMESPACE"},
	    {{.pod = "p", .namespace = ""}, "K8S_POD_NAMESPACE"},
	    {{.namespace = "n"}, "K8S_POD_NAME;"},
	    {{.namespace = "n", .pod = ""}, "K8S_POD_NAME;"},
	};
	const struct cni_args whole = {.namespace = "n", .pod = "p"};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = {0};
		assert_int_equal(cni_args_need_pod(&rows[i].args, &err), -CNI_ERROR_ENVIRONMENT);
		assert_non_null(strstr(err.text, rows[i].missing));
	}
	assert_int_equal(cni_args_need_pod(&whole, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_runtime_sends_is_understood),
	    cmocka_unit_test(nothing_is_no_pair),
	    cmocka_unit_test(a_pair_has_exactly_one_equals_sign),
	    cmocka_unit_test(an_unknown_key_needs_IgnoreUnknown_wherever_that_stands),
	    cmocka_unit_test(the_last_of_two_counts),
	    cmocka_unit_test(more_than_the_kernel_passes_is_refused),
	    cmocka_unit_test(both_names_of_the_pod_are_needed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
