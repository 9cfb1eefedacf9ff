#include "agent/condition.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "table/json.h"

static const char *const type_names[CONDITIONS] = {
    [CONDITION_READY] = "Ready",
    [CONDITION_LEASES_LOST] = "LeasesLost",
    [CONDITION_HOST_VIEW] = "HostView",
};

const char *
time_print(uint64_t seconds, char *out)
{
	time_t when = (time_t)seconds;
	struct tm broken;

	out[0] = '\0';
	if (gmtime_r(&when, &broken))
		(void)strftime(out, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &broken);
	return out;
}

static void
resume_one(struct conditions *conditions, struct json_object *object)
{
	const char *type = json_path_text(object, "type");
	const char *status = json_path_text(object, "status");
	const char *since = json_path_text(object, "lastTransitionTime");

	for (unsigned i = 0; type && status && since && i < CONDITIONS; i++) {
		struct condition *condition = &conditions->list[i];
		if (condition->since[0] || strcmp(type, type_names[i]) != 0)
			continue;
		condition->is_true = strcmp(status, "True") == 0;
		(void)snprintf(condition->since, sizeof(condition->since), "%s", since);
	}
}

void
conditions_resume(struct conditions *conditions, struct json_object *status)
{
	struct json_object *array = json_path(status, "conditions");

	if (!json_object_is_type(array, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		resume_one(conditions, json_object_array_get_idx(array, i));
}

void
condition_put(struct conditions *conditions, enum condition_type type, bool is_true,
    const char *reason, const char *message, uint64_t now)
{
	struct condition *condition = &conditions->list[type];

	if (!condition->since[0] || condition->is_true != is_true)
		(void)time_print(now, condition->since);
	condition->present = true;
	condition->is_true = is_true;
	(void)snprintf(condition->reason, sizeof(condition->reason), "%s", reason);
	(void)snprintf(condition->message, sizeof(condition->message), "%s", message);
}

struct json_object *
conditions_array(const struct conditions *conditions)
{
	struct json_object *array = json_object_new_array();

	for (unsigned i = 0; i < CONDITIONS; i++) {
		const struct condition *condition = &conditions->list[i];
		if (!condition->present)
			continue;
		struct json_object *object = json_object_new_object();
		json_put_text(object, "type", type_names[i]);
		json_put_text(object, "status", condition->is_true ? "True" : "False");
		json_put_text(object, "reason", condition->reason);
		json_put_text(object, "message", condition->message);
		json_put_text(object, "lastTransitionTime", condition->since);
		json_object_array_add(array, object);
	}
	return array;
}
