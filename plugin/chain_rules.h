/* The `rules` of the chained role: policy rules of a pod. No I/O here. */
#ifndef PLUGIN_CHAIN_RULES_H
#define PLUGIN_CHAIN_RULES_H

#include <json-c/json_types.h>

#include "core/bounds.h"
#include "core/err.h"
#include "node/kernel_rule.h"
#include "plugin/chain_plan.h"

struct chain_rules {
	struct kernel_rule list[RULES_MAX];
	unsigned count;
};

/* Without a written priority a rule has this one. It is ours and not the kernel's
 * choice: that depends on the rules that are there, and a second ADD could not tell
 * its own rule from another. The kernel's choices (32765 and down) come after it. */
enum { CHAIN_RULE_PRIORITY = 30000 };

/* Reads the list `rules`; NULL is none. Each needs a table, and from or to, which
 * say its family. Error code 7. */
int chain_rules_decode(
    struct json_object *list, struct chain_rules *ret_rules, struct err *err);

void chain_rules_plan(const struct chain_rules *rules, struct chain_plan *plan);

#endif
