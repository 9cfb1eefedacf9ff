/* Inside of machines.h: shared by machines.c (the memory), machines_read.c (what a Node
 * says) and machines_judge.c (what follows from it), and by nobody else. */
#ifndef CONTROLLER_MACHINES_PRIVATE_H
#define CONTROLLER_MACHINES_PRIVATE_H

#include "controller/machines.h"
#include "core/tree.h"

/* All Nodes of one name, the newest first: only that one can still be there. */
struct machine_name {
	char *name;
	char *version; /* the highest resourceVersion seen, or NULL */
	struct machine *newest;
};

struct machines {
	struct tree names;
	double node_gone_s;
	bool undated; /* something happened that machines_stamp has to date */
};

struct machine_name *machines_name(const struct machines *machines, const char *name);
/* Takes over what the object says. */
void machines_read(
    struct machines *machines, struct machine *machine, struct json_object *object);

#endif
