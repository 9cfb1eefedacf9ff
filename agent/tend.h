/* Leases that nobody else looks after: those of namespaces that are gone, those whose DEL
 * could not make the address unusable, and those whose address went to another pod. */
#ifndef AGENT_TEND_H
#define AGENT_TEND_H

#include <ev.h>
#include <stdbool.h>

#include "agent/host_view.h"
#include "agent/node_spec.h"
#include "core/err.h"
#include "node/lease.h"

enum tend_act {
	TEND_KEEP,            /* its DEL comes */
	TEND_END,             /* nothing is left but the lease */
	TEND_SILENCE_AND_END, /* its DEL came */
	TEND_SILENCE,         /* for as long as it is there: an ADD may still be setting it up */
};

/* What is known of a lease's namespace. */
enum tend_netns {
	TEND_NETNS_THERE,
	TEND_NETNS_GONE,
	TEND_NETNS_UNKNOWN, /* not recorded, or it could not be looked for */
};

/* Pure. ordered: its pod's revocation says silence. No lease is ended because its
 * namespace holds no process: before its first one starts it holds none (model: node.pml,
 * ENDS_WITHOUT_PROCESS). */
enum tend_act tend_decide(const struct lease *lease, enum tend_netns netns,
    const struct host_view *view, bool ordered);

struct tend;

struct tend_spec {
	struct ev_loop *loop;
	const char *root;
	const struct host_view *view;
	/* Something that people should know, once for each lease: as an Event has it. */
	void (*tell)(void *cookie, const char *reason, const char *action, const char *note);
	void *cookie;
};

/* Looks each 10 s, and each second while a revoked pod has a lease or one has to be
 * silenced. view must outlive it. */
struct tend *tend_new(const struct tend_spec *spec);
void tend_free(struct tend *tend);

/* What is revoked now; copied. Looks at once when that is news. */
void tend_order(struct tend *tend, const struct node_spec *spec);

#endif
