/* Tells people: status, events. I/O only; status.h decides what is said. */
#ifndef CONTROLLER_REPORT_H
#define CONTROLLER_REPORT_H

#include <stdbool.h>

#include "controller/arbiter.h"
#include "controller/held.h"
#include "controller/tables.h"
#include "controller/world.h"
#include "net/event.h"
#include "net/kube.h"

struct reporter;

/* wake is called when a mark may be worked on again. */
struct reporter *reporter_new(struct kube *kube, struct recorder *recorder,
    struct world *world, void (*wake)(void *cookie), void *cookie);
void reporter_free(struct reporter *reporter);

/* As many writes are under way as is polite: wake follows. */
bool reporter_busy(const struct reporter *reporter);

/* held as in status.h. Writes the allocation's status when it differs from what the API server has,
 * and an event when the outcome changed. Returns false when it is not the time
 * (a write of this status is under way, or its rows are): the mark stays. */
bool reporter_tell(struct reporter *reporter, struct declared *declared,
    const struct holding *holding, const struct tables *tables,
    const struct held_summary *held);

#endif
