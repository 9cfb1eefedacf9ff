#include "controller/holders_measures.h"

#include <time.h>

#include "controller/holders_private.h"
#include "core/mem.h"
#include "net/clock.h"

void
holders_watches(
    const struct holders *holders, struct measured_watch ret_watches[HOLDERS_WATCHES])
{
	ret_watches[0] = (struct measured_watch){"staticipblocks", store_stats(holders->blocks)};
	ret_watches[1] = (struct measured_watch){"staticipnodes", store_stats(holders->nodes)};
	ret_watches[2] = (struct measured_watch){"ledger", store_stats(holders->record)};
}

static void
count_busy(void *cookie, const struct stored *stored)
{
	size_t *count = cookie;

	*count += stored->busy;
}

/* Those that are dirty for something that may wait are no queue. */
static void
count_touched(void *item, void *cookie)
{
	const struct desk *desk = item;
	const struct stored *node = store_find(desk->holders->nodes, desk->name);
	size_t *count = cookie;

	*count += desk->touched && !(node && node->busy);
}

struct holders_queues
holders_queues(const struct holders *holders)
{
	struct holders_queues queues = {.pods = holders->work.count,
	    .blocks = holders->dirty_blocks.count};

	store_each(holders->blocks, count_busy, &queues.blocks);
	store_each(holders->nodes, count_busy, &queues.nodes);
	tree_walk(&holders->dirty_desks, count_touched, &queues.nodes);
	return queues;
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

static void
begin_holds(struct metrics *metrics)
{
	metrics_family(metrics, "staticip_hold_timestamp_seconds", METRIC_GAUGE,
	    "A pod is gone or has ended, and nothing shows that its addresses are free: since when "
	    "(Unix time), and what would free them.");
}

/* Addresses that nobody can have until somebody acts: each by name, as many as a person can
 * look at. */
static void
measure_holds(const struct holders *holders, struct metrics *metrics)
{
	size_t count = holders->timed.count;
	scoped_free void **timed = tree_items(&holders->timed);
	unsigned told = 0;

	for (size_t i = 0; i < count && told < HOLDS_MEASURED_MAX; i++) {
		const struct claimant *claimant = timed[i];
		if (!claimant->stuck)
			continue;
		if (told++ == 0)
			begin_holds(metrics);
		metrics_value(metrics,
		    (double)(time(NULL) - (time_t)(clock_seconds() - claimant->over_since)), "pod",
		    claimant->pod, "uid", claimant->uid, "node", claimant->node, "words",
		    claimant->why ? claimant->why : "", NULL);
	}
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
	metrics_one(metrics, "staticip_nodes_doubted", METRIC_GAUGE,
	    "Nodes that say again that they are ahead of the API server, and are not believed alone: "
	    "their pods get nothing new.", (double)counts.doubted);
	metrics_one(metrics, "staticip_nodes", METRIC_GAUGE,
	    "Nodes with a StaticIPNode, or with pods that need one.", (double)counts.nodes);
	metrics_family(metrics, "staticip_releases_total", METRIC_COUNTER,
	    "Pods whose addresses became free, by proof: the node's agent answered, or it was "
	    "asserted that the pod is gone.");
	for (enum proof proof = PROOF_ANSWERED; proof < PROOFS; proof++)
		metrics_value(metrics, (double)counts.released[proof], "proof", proof_name(proof), NULL);
	metrics_family(metrics, "staticip_handshake_seconds", METRIC_HISTOGRAM,
	    "From a revocation to the answer of the node's agent that the pod is not busy.");
	metrics_histogram(metrics, &holders->handshakes, NULL);
	measure_holds(holders, metrics);
}
