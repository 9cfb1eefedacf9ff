/* A plugin that waits must not outlive the runtime that asked: libcni's time-outs kill
 * the direct child only, and orphans kept peers' locks (containernetworking/cni 687). */
#ifndef PLUGIN_PARENT_H
#define PLUGIN_PARENT_H

/* From now on the process ends when its parent has ended. The kernel's signal comes
 * also when the parent's thread that forked us ends, as threads of Go programs do:
 * it is believed only when we have another parent by then (prctl(2),
 * PR_SET_PDEATHSIG). */
void parent_follow(void);

#endif
