/* The kernel's policy rules of one network namespace (linux/fib_rules.h). */
#ifndef NODE_KERNEL_RULE_H
#define NODE_KERNEL_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "node/kernel.h"
#include "table/ip.h"

struct kernel_rule {
	uint8_t family; /* 4 or 6 */
	struct cidr from, to; /* family 0 = any */
	uint32_t table;
	uint32_t priority; /* the lowest is asked first */
	/* Only of a dump: it selects by something else too (mark, interface, ...) or
	 * does something else than to look into its table. */
	bool special;
};

/* All rules of both families; the caller frees *ret_list (mem_free). */
int kernel_rules(struct kernel *kernel, struct kernel_rule **ret_list, size_t *ret_count,
    struct err *err);
/* -EEXIST when it is there. */
int kernel_rule_add(struct kernel *kernel, const struct kernel_rule *rule,
    struct err *err);
/* Removes one such rule that kernel_rule_add made (protocol static; any before Linux
 * 4.17); -ENOENT when there is none. */
int kernel_rule_delete(struct kernel *kernel, const struct kernel_rule *rule,
    struct err *err);
/* Same selectors, table and priority, and nothing special. */
bool kernel_rule_equal(const struct kernel_rule *a, const struct kernel_rule *b);

/* "from 10.0.2.40/32 lookup 100 priority 31000" into out (KERNEL_RULE_TEXT_MAX
 * bytes); returns out. */
enum { KERNEL_RULE_TEXT_MAX = 2 * ADDRESS_TEXT_MAX + 64 };
const char *kernel_rule_print(const struct kernel_rule *rule, char *out);

#endif
