/* What the holders tell about themselves: for measurements. */
#ifndef CONTROLLER_HOLDERS_MEASURES_H
#define CONTROLLER_HOLDERS_MEASURES_H

#include "controller/holders.h"
#include "net/metrics.h"
#include "net/watch_measures.h"

enum { HOLDERS_WATCHES = 3 };
/* The watches of blocks, nodes and the ledger's record. */
void holders_watches(
    const struct holders *holders, struct measured_watch ret_watches[HOLDERS_WATCHES]);
/* How much there is to be done. */
struct holders_queues {
	size_t pods; /* to be settled; many of them while the ledger is rebuilt */
	/* Objects that are to be written or read, or whose last call failed and is made again. */
	size_t blocks, nodes;
};
struct holders_queues holders_queues(const struct holders *holders);
/* Walks all pods that hold or want an address. */
void holders_metrics(const struct holders *holders, struct metrics *metrics);

#endif
