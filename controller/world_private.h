/* Inside of world.h: shared by world.c (allocations and marks), world_target.c
 * (workloads) and world_pod.c, and by nobody else. */
#ifndef CONTROLLER_WORLD_PRIVATE_H
#define CONTROLLER_WORLD_PRIVATE_H

#include "controller/world.h"

int target_compare(const void *a, const void *b);
void target_free(void *item);
/* The workload, or NULL. */
struct target *target_find(const struct world *world, const char *kind,
    const char *namespace, const char *name);
/* Makes declared a user of the workload that its spec names, and of no other. */
void target_join(struct world *world, struct declared *declared);
void target_leave(struct world *world, struct declared *declared);

int pod_compare(const void *a, const void *b);
void pod_free(void *item);

#endif
