/* The file `marker` in the root directory: this boot's id, written when every lease of
 * the boot is known to be there. Who finds it missing in a boot that the API server knows
 * already finds a directory that somebody emptied. */
#ifndef AGENT_MARKER_H
#define AGENT_MARKER_H

#include <stdbool.h>

#include "core/err.h"

/* Whether the marker is there and of this boot. One that cannot be read is not. */
bool marker_is(int root, const char *boot_id);
int marker_write(int root, const char *boot_id, struct err *err);

/* What has to be done before the StaticIPNode's spec may come into force. */
enum boot_step {
	BOOT_GO,   /* nothing */
	BOOT_TELL, /* status.bootID, first of all: or an emptied directory would look new */
	BOOT_MARK, /* the boot is told, and was new: the marker */
	BOOT_FIND, /* somebody emptied the directory: leases first, then the marker */
};

struct boot_facts {
	bool marked;  /* marker_is */
	bool told;    /* the object's status has this boot, or has acknowledged it */
	bool known;   /* so had any other StaticIPNode of this node, in this agent's life */
	bool fresh;   /* it was told by this agent, which found no marker and the boot unknown */
};
/* Pure (model: node.pml, A_START to A_MARK). */
enum boot_step boot_decide(const struct boot_facts *facts);

#endif
