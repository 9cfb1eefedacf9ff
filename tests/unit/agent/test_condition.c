#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "agent/condition.h"
#include "table/json.h"

static const char *
printed(const struct conditions *conditions)
{
	static char text[2048];
	scoped_json *array = conditions_array(conditions);

	(void)snprintf(text, sizeof(text), "%s", json_print(array));
	return text;
}

static void
a_condition_keeps_its_time_until_it_changes(void **state)
{
	struct conditions conditions = {0};

	(void)state;
	assert_string_equal(printed(&conditions), "[]");
	condition_put(&conditions, CONDITION_READY, true, "Serving", "", 1795251600);
	condition_put(&conditions, CONDITION_READY, true, "Serving", "still", 1795251700);
	assert_string_equal(printed(&conditions),
	    "[{\"type\":\"Ready\",\"status\":\"True\",\"reason\":\"Serving\",\"message\":\"still\","
	    "\"lastTransitionTime\":\"2026-11-21T09:00:00Z\"}]");
	condition_put(&conditions, CONDITION_READY, false, "NoTables", "", 1795251700);
	assert_non_null(strstr(printed(&conditions), "2026-11-21T09:01:40Z"));
}

static void
a_predecessors_time_is_taken_over_if_nothing_changed(void **state)
{
	const char *text = "{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-01T00:00:00Z\"},"
	                   "{\"type\":\"LeasesLost\",\"status\":\"True\",\"lastTransitionTime\":\"2026-01-02T00:00:00Z\"},7]}";
	scoped_json *status = NULL;
	struct conditions conditions = {0};

	(void)state;
	assert_int_equal(json_parse(text, strlen(text), "test", &status, NULL), 0);
	conditions_resume(&conditions, status);
	assert_string_equal(printed(&conditions), "[]"); /* what was is not what is */
	condition_put(&conditions, CONDITION_READY, true, "Serving", "", 1795251600);
	condition_put(&conditions, CONDITION_LEASES_LOST, false, "Marked", "", 1795251600);
	assert_non_null(strstr(printed(&conditions), "2026-01-01T00:00:00Z"));
	assert_non_null(strstr(printed(&conditions), "2026-11-21T09:00:00Z"));
	assert_null(strstr(printed(&conditions), "2026-01-02T00:00:00Z"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_condition_keeps_its_time_until_it_changes),
	    cmocka_unit_test(a_predecessors_time_is_taken_over_if_nothing_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
