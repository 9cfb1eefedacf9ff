/* Copies the plugin into the node's CNI directory, so that whoever runs it sees the
 * old program or the new one, whole, and nothing is written to one that runs. */
#ifndef AGENT_INSTALL_H
#define AGENT_INSTALL_H

#include "core/err.h"

enum install_outcome {
	INSTALL_SAME,   /* the bytes and the mode were right */
	INSTALL_COPIED, /* it was missing or different */
};

/* Makes DIRECTORY/staticip equal to file, mode 0755, by a temporary file beside it,
 * synced. Returns an enum install_outcome, or a negative errno with the way out;
 * then what was there is still there. */
int install_plugin(const char *file, const char *directory, struct err *err);

/* Removes temporary files that a killed agent left in the directory, ours only: the
 * directory belongs to many. */
int install_sweep(const char *directory, struct err *err);

#endif
