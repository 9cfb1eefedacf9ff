#include "controller/holders_measures.h"

#include "controller/holders_private.h"

void
holders_watches(
    const struct holders *holders, struct measured_watch ret_watches[HOLDERS_WATCHES])
{
	ret_watches[0] = (struct measured_watch){"staticipblocks", store_stats(holders->blocks)};
	ret_watches[1] = (struct measured_watch){"staticipnodes", store_stats(holders->nodes)};
	ret_watches[2] = (struct measured_watch){"ledger", store_stats(holders->record)};
}

static void
measure_pods(const struct holders_counts *counts, struct metrics *metrics)
{
	static const struct {
		enum holder_state state;
		const char *name;
	} states[] = {{HOLDER_CLAIMING, "claiming"}, {HOLDER_WAITING, "waiting"},
	    {HOLDER_REFUSED, "refused"}, {HOLDER_GRANTED, "granted"}, {HOLDER_LEAVING, "leaving"}};

	metrics_family(metrics, "staticip_holder_pods", METRIC_GAUGE,
	    "Pods that want or hold addresses: claiming (the ledger is being written); waiting for "
	    "another's address; refused; granted; leaving (ended, and not proven gone).");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		metrics_value(metrics, (double)counts->pods[states[i].state], "state",
		    states[i].name, NULL);
}

void
holders_metrics(const struct holders *holders, struct metrics *metrics)
{
	struct holders_counts counts = holders_count(holders);

	measure_pods(&counts, metrics);
	metrics_one(metrics, "staticip_ledger_entries", METRIC_GAUGE,
	    "Addresses that the ledger says are held.", (double)counts.entries);
	metrics_one(metrics, "staticip_ledger_rebuilding", METRIC_GAUGE,
	    "Whether the ledger is being rebuilt and nothing is granted (1) or not (0).",
	    counts.rebuilding);
	metrics_one(metrics, "staticip_ledger_adopted_total", METRIC_COUNTER,
	    "Addresses that nodes reported and that were entered into the ledger.",
	    (double)counts.adopted);
	metrics_one(metrics, "staticip_ledger_contradictions_total", METRIC_COUNTER,
	    "Pods that nodes reported with an address that another pod holds.",
	    (double)counts.contradictions);
	metrics_one(metrics, "staticip_nodes", METRIC_GAUGE,
	    "Nodes with a StaticIPNode, or with pods that need one.", (double)counts.nodes);
	metrics_family(metrics, "staticip_releases_total", METRIC_COUNTER,
	    "Pods whose addresses became free, by proof: the node's agent answered, or somebody "
	    "asserted that the pod is gone.");
	metrics_value(metrics, (double)counts.released_answered, "proof", "answered", NULL);
	metrics_value(metrics, (double)counts.released_asserted, "proof", "asserted", NULL);
}
