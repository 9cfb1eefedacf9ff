/* At the start: what the published tables say becomes what the arbiter knows. */
#ifndef CONTROLLER_INCUMBENTS_H
#define CONTROLLER_INCUMBENTS_H

#include <stddef.h>

#include "controller/arbiter.h"
#include "controller/tables.h"
#include "controller/world.h"

/* Puts a holding for each allocation that has published rows and still exists;
 * returns the number of rows. Rows of allocations that are gone are left out, and
 * with that leave the tables. */
size_t incumbents_restore(const struct tables *tables, struct world *world,
    struct arbiter *arbiter);

#endif
