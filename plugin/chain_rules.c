#include "plugin/chain_rules.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

static int
refuse_unknown(struct json_object *object, const char *where, struct err *err)
{
	static const char *const known[] = {"from", "to", "table", "priority"};

	json_object_object_foreach(object, key, value)
	{
		bool found = false;
		(void)value;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			found = found || strcmp(key, known[i]) == 0;
		if (!found)
			return err_set(err, CNI_ERROR_CONFIG,
			    "%s.%.40s is not a known key of a rule (from, to, table, "
			    "priority)",
			    where, key);
	}
	return 0;
}

/* from or to. A prefix of length 0 is any address of its family. */
static int
decode_selector(struct json_object *object, const char *key, const char *where,
    struct kernel_rule *rule, struct cidr *ret_selector, struct err *err)
{
	const char *text = NULL;
	struct cidr cidr;
	int rc = json_get_text(object, key, where, false, ADDRESS_TEXT_MAX, &text, err);

	if (rc || !text)
		return rc;
	rc = cidr_parse_lax(text, strlen(text), &cidr, err);
	if (rc)
		return err_wrap(err, "%s.%s", where, key);
	if (rule->family && rule->family != cidr.ip.family)
		return err_set(
		    err, CNI_ERROR_CONFIG, "%s: from and to are of two families", where);
	rule->family = cidr.ip.family;
	struct ip network = cidr_first(&cidr);
	if (cidr.length == 0 && !ip_equal(&network, &cidr.ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s.%s: '%s' has host bits set; write 0.0.0.0/0 or ::/0 for every address",
		    where, key, text);
	cidr.ip = network;
	if (cidr.length > 0)
		*ret_selector = cidr;
	return 0;
}

static int
decode_numbers(struct json_object *object, const char *where, struct kernel_rule *rule,
    struct err *err)
{
	uint64_t table = 0;
	uint64_t priority = CHAIN_RULE_PRIORITY;
	int rc = json_get_number(object, "table", where, true, UINT32_MAX, &table, err);

	if (!rc)
		rc = json_get_number(
		    object, "priority", where, false, UINT32_MAX, &priority, err);
	if (rc)
		return rc;
	if (table == 0) /* the kernel would look for an empty table (fib_rules) */
		return err_set(
		    err, CNI_ERROR_CONFIG, "%s.table is 0, which is no table", where);
	rule->table = (uint32_t)table;
	rule->priority = (uint32_t)priority;
	return 0;
}

static int
decode_rule(struct json_object *object, const char *where, struct kernel_rule *ret_rule,
    struct err *err)
{
	struct kernel_rule rule = {0};

	if (!json_object_is_type(object, json_type_object))
		return err_set(err, CNI_ERROR_CONFIG, "%s is not an object", where);
	int rc = refuse_unknown(object, where, err);
	if (!rc)
		rc = decode_selector(object, "from", where, &rule, &rule.from, err);
	if (!rc)
		rc = decode_selector(object, "to", where, &rule, &rule.to, err);
	if (!rc)
		rc = decode_numbers(object, where, &rule, err);
	if (rc)
		return rc;
	if (!rule.family)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s has neither from nor to; write 0.0.0.0/0 or ::/0 for every address",
		    where);
	*ret_rule = rule;
	return 0;
}

int
chain_rules_decode(struct json_object *list, struct chain_rules *ret_rules, struct err *err)
{
	size_t count = list ? json_object_array_length(list) : 0;
	int rc = 0;

	ret_rules->count = (unsigned)count;
	for (size_t i = 0; !rc && i < count; i++) {
		char where[32];
		(void)snprintf(where, sizeof(where), "rules[%zu]", i);
		rc = decode_rule(
		    json_object_array_get_idx(list, i), where, &ret_rules->list[i], err);
	}
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

void
chain_rules_plan(const struct chain_rules *rules, struct chain_plan *plan)
{
	for (unsigned i = 0; i < rules->count; i++)
		chain_plan_add_rule(plan, &rules->list[i]);
}
