/* How many rows and tables there are, in which state: for measurements. */
#ifndef CONTROLLER_TABLES_COUNT_H
#define CONTROLLER_TABLES_COUNT_H

#include <stddef.h>
#include <stdint.h>

#include "controller/tables.h"

struct tables_count {
	size_t rows[ROW_FULL + 1]; /* of pods, by enum row_state; ROW_NONE: 0 */
	size_t networks;           /* network rows */
	unsigned tables;           /* that the API server has, whole */
	unsigned dirty;            /* that may have to be written */
	unsigned waiting;          /* with rows that wait for an address elsewhere */
	uint64_t bytes;            /* of the tables that the API server has */
	uint64_t generations;      /* all of them added */
	uint64_t newest;           /* the highest */
};

/* Walks all rows. */
void tables_count(const struct tables *tables, struct tables_count *ret_count);

#endif
