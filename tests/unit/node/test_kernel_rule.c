#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/mem.h"
#include "node/kernel_rule.h"
#include "namespaces.h"

static struct kernel_rule
rule_of(const char *from, const char *to, uint32_t table, uint32_t priority)
{
	struct kernel_rule rule = {.table = table, .priority = priority};

	if (from)
		assert_int_equal(cidr_parse(from, strlen(from), &rule.from, NULL), 0);
	if (to)
		assert_int_equal(cidr_parse(to, strlen(to), &rule.to, NULL), 0);
	rule.family = from ? rule.from.ip.family : rule.to.ip.family;
	return rule;
}

static size_t
count(struct kernel *kernel, const struct kernel_rule *wanted)
{
	scoped_free struct kernel_rule *list = NULL;
	size_t all = 0;
	size_t found = 0;

	assert_int_equal(kernel_rules(kernel, &list, &all, NULL), 0);
	for (size_t i = 0; i < all; i++)
		found += kernel_rule_equal(&list[i], wanted);
	return found;
}

static void
a_rule_is_added_found_refused_twice_and_removed(void **state)
{
	const struct kernel_rule rules[] = {
	    rule_of("10.0.0.2/32", NULL, 100, 10), rule_of("10.0.0.0/8", "192.0.2.0/24", 70000, 11),
	    rule_of(NULL, "192.0.2.0/24", 254, 0), rule_of("fd00::2/128", NULL, 100, 10),
	    rule_of(NULL, "fd00::/8", UINT32_MAX, UINT32_MAX)};
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	assert_int_equal(kernel_open(-1, &kernel, NULL), 0);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct err err = {0};
		assert_int_equal(count(kernel, &rules[i]), 0);
		if (kernel_rule_add(kernel, &rules[i], &err))
			fail_msg("%s", err.text);
		assert_int_equal(count(kernel, &rules[i]), 1);
		assert_int_equal(kernel_rule_add(kernel, &rules[i], &err), -EEXIST);
		assert_non_null(strstr(err.text, "cannot add rule from "));
		assert_int_equal(kernel_rule_delete(kernel, &rules[i], &err), 0);
		assert_int_equal(count(kernel, &rules[i]), 0);
		assert_int_equal(kernel_rule_delete(kernel, &rules[i], &err), -ENOENT);
	}
}

static void
a_rule_that_selects_by_more_is_another(void **state)
{
	static const char *const others[] = {"fwmark 7", "iif lo", "oif lo", "tos 4", "ipproto tcp", "uidrange 1-2",
	    "suppress_prefixlength 0", "suppress_ifgroup 3", "sport 5", "realms 5"};
	const struct kernel_rule plain = rule_of("10.0.0.2/32", NULL, 100, 10);
	scoped_kernel *kernel = NULL;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(own_namespace(NULL), 0);
	assert_int_equal(kernel_open(-1, &kernel, NULL), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		scoped_free char *command =
		    mem_format("ip rule add from 10.0.0.2 lookup 100 priority 10 %s", others[i]);
		run(command);
		if (count(kernel, &plain) != 0)
			fail_msg("'%s' is not seen", others[i]);
	}
	/* the kernel tells these from the others by their protocol only (rule_exists) */
	run("ip rule add not from 10.0.0.2 lookup 100 priority 10 protocol 97");
	run("ip rule add from 10.0.0.2 goto 32766 priority 10 protocol 98");
	assert_int_equal(count(kernel, &plain), 0);
	run("ip rule add from 10.0.0.2 lookup 100 priority 10 protocol 99");
	assert_int_equal(count(kernel, &plain), 1);
}

static void
any_difference_makes_two_rules(void **state)
{
	const struct kernel_rule rules[] = {rule_of("10.0.0.2/32", NULL, 100, 10), rule_of("10.0.0.2/31", NULL, 100, 10),
	    rule_of("10.0.0.2/32", NULL, 101, 10), rule_of("10.0.0.2/32", NULL, 100, 11), rule_of(NULL, "10.0.0.2/32", 100, 10),
	    rule_of("10.0.0.2/32", "10.0.0.2/32", 100, 10), rule_of("fd00::2/128", NULL, 100, 10)};
	enum { COUNT = sizeof(rules) / sizeof(rules[0]) };

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		for (unsigned j = 0; j < COUNT; j++)
			assert_int_equal(kernel_rule_equal(&rules[i], &rules[j]), i == j);
}

static void
a_rule_is_printed_as_people_write_it(void **state)
{
	char text[KERNEL_RULE_TEXT_MAX];
	struct kernel_rule rule = rule_of("10.0.0.0/8", "192.0.2.0/24", 7, 10);

	(void)state;
	assert_string_equal(kernel_rule_print(&rule, text), "from 10.0.0.0/8 to 192.0.2.0/24 lookup 7 priority 10");
	rule = rule_of(NULL, "fd00::/8", 7, 10);
	assert_string_equal(kernel_rule_print(&rule, text), "from all to fd00::/8 lookup 7 priority 10");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_rule_is_added_found_refused_twice_and_removed),
	    cmocka_unit_test(a_rule_that_selects_by_more_is_another),
	    cmocka_unit_test(any_difference_makes_two_rules),
	    cmocka_unit_test(a_rule_is_printed_as_people_write_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
