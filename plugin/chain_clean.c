#include "plugin/chain_clean.h"

#include "core/mem.h"

bool
chain_clean_takes(const struct chain_wanted *wanted,
    const struct chain_addresses *addresses, const struct kernel_rule *found)
{
	for (unsigned i = 0; i < wanted->rules.count; i++)
		if (kernel_rule_equal(&wanted->rules.list[i], found))
			return true;
	for (unsigned i = 0; wanted->source_routing.wanted && i < addresses->count; i++)
		if (chain_source_routing_owns(
		        &wanted->source_routing, &addresses->list[i].cidr.ip, found))
			return true;
	return false;
}

void
chain_clean(const struct chain_pod *pod, const struct prev_result *prev,
    const struct chain_wanted *wanted)
{
	scoped_free struct kernel_rule *rules = NULL;
	size_t count = 0;
	struct chain_addresses addresses;

	if (chain_pod_all_addresses(pod, prev, &addresses, NULL) ||
	    kernel_rules(pod->kernel, &rules, &count, NULL))
		return;
	for (size_t i = 0; i < count; i++)
		if (chain_clean_takes(wanted, &addresses, &rules[i]))
			(void)kernel_rule_delete(pod->kernel, &rules[i], NULL); /* see above */
}
