/* What any process says about itself, under the names that Prometheus' client
 * libraries agree on (prometheus.io/docs/instrumenting/writing_clientlibs,
 * "Process metrics"), and which version this is. */
#ifndef NET_PROCESS_H
#define NET_PROCESS_H

#include "net/metrics.h"

/* Reads /proc/self; what cannot be read is left out. component: "controller", "agent". */
void process_metrics(struct metrics *metrics, const char *component);

#endif
