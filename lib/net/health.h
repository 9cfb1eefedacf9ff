/* What a component says about itself over HTTP:
 *
 *   /livez    is it alive? Only what a new start would mend: the kubelet starts it anew.
 *   /readyz   can it do its work?
 *   /metrics  measurements, in Prometheus' text format
 *
 * The first two answer 200 and "ok", or 500 and which checks failed and why; with
 * ?verbose they name all checks, as the API server's do.
 *
 * There are two servers. That of health is for the kubelet, on the machine itself; who
 * reaches it could keep the kubelet from it, and have the component started anew. That
 * of metrics is for the network. */
#ifndef NET_HEALTH_H
#define NET_HEALTH_H

#include <ev.h>
#include <stdbool.h>

#include "core/buf.h"
#include "core/err.h"
#include "net/metrics.h"
#include "net/serve_address.h"

struct health;

struct health_check {
	const char *name; /* "tables" */
	/* true; or false, and in ret_why what is wrong, no sentence. */
	bool (*good)(void *cookie, struct buf *ret_why);
	void *cookie;
};

/* The options of every component: what the parser of options fills in. */
struct health_addresses {
	struct serve_address health;  /* /livez, /readyz, /metrics */
	struct serve_address metrics; /* /metrics alone */
};

struct health_spec {
	struct ev_loop *loop;
	struct health_addresses addresses;
	const char *component; /* "agent" */
	/* That the loop turns is checked by asking. Up to HEALTH_CHECKS_MAX each. */
	const struct health_check *live, *ready;
	unsigned live_count, ready_count;
	/* Writes the component's measurements; those of process and loop are there. */
	void (*measure)(void *cookie, struct metrics *metrics);
	void *cookie;
};

/* Listens and answers from now on; checks are copied, their strings not. NULL and err
 * when an address cannot be had. Where both are off it does nothing. */
struct health *health_new(const struct health_spec *spec, struct err *err);
void health_free(struct health *health);

/* For the log: "127.0.0.1:10470", or "nowhere". */
const char *health_where(const struct health *health);
const char *health_metrics_where(const struct health *health);

#endif
