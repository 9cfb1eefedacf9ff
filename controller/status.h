/* What an allocation's status says. Pure. */
#ifndef CONTROLLER_STATUS_H
#define CONTROLLER_STATUS_H

#include <json-c/json_types.h>

#include "controller/arbiter.h"
#include "controller/held.h"
#include "controller/tables.h"
#include "controller/world.h"

enum { CONDITION_ACCEPTED, CONDITION_PROGRAMMED, CONDITION_READY };

struct condition {
	bool is_true;
	const char *reason;
	char message[2048]; /* two keys of maximal length and a sentence fit */
};

/* The three conditions. holding may be NULL (nothing valid was ever seen). held has a summary
 * for each of its rows; NULL: nobody holds anything, as far as is known. */
void status_judge(const struct world *world, const struct declared *declared,
    const struct holding *holding, const struct tables *tables,
    const struct held_summary *held, struct condition ret_conditions[CONDITIONS]);

/* The whole status, its keys in the API server's order (sorted); now is RFC 3339.
 * The caller puts it. */
struct json_object *status_encode(const struct world *world,
    const struct declared *declared, const struct holding *holding,
    const struct condition conditions[CONDITIONS], const struct held_summary *held,
    const char *now);

#endif
