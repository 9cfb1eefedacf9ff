/* Leader election by a Lease (coordination.k8s.io/v1), the algorithm of client-go's
 * tools/leaderelection. What a candidate decides is in election_record.h.
 *
 * It is no fencing: two may believe that they lead, when somebody deletes or edits the
 * Lease, or clocks run unequally fast by more than lease_s / renew_s. So whoever leads
 * writes conditionally (resourceVersion) and behind a gate (kube_set_gate) that asks
 * election_may_write. */
#ifndef NET_ELECTION_H
#define NET_ELECTION_H

#include <ev.h>
#include <stdbool.h>

#include "core/err.h"
#include "net/kube.h"

struct election;

/* lease_s > renew_s > 1.2 × retry_s; client-go has 15, 10, 2. Whole seconds. */
struct election_options {
	const char *namespace, *name; /* of the Lease; the namespace must exist */
	const char *identity;         /* of this process, and of no other one ever */
	unsigned lease_s; /* the others wait so long after the leader's last word */
	unsigned renew_s; /* a leader without success for so long ends before that */
	unsigned retry_s; /* between two attempts; who does not lead: up to 2.2 times that */
};

/* From the loop. None may free the election. */
struct election_events {
	void (*leading)(void *cookie);
	/* Not any more; why is one sentence. What was done as the leader has stopped
	 * when it returns. */
	void (*lost)(void *cookie, const struct err *why);
	/* Another holder stands in the Lease ("" = nobody); for the log. */
	void (*holder)(void *cookie, const char *holder);
	/* An attempt failed; the next one follows by itself. */
	void (*fault)(void *cookie, const struct err *err);
};

/* Returns 0, or -EINVAL when the three durations do not fit together. */
int election_check(const struct election_options *options, struct err *err);
/* HOST_RANDOM; the caller frees (mem_free). */
char *election_identity(const char *host);

/* Begins at once. kube must be a client of its own, so that an attempt never queues
 * behind other work; it has no gate. options are copied; kube and events must live
 * longer. */
struct election *election_new(struct ev_loop *loop, struct kube *kube,
    const struct election_options *options, const struct election_events *events,
    void *cookie);
/* Without a word to the others: they wait lease_s. */
void election_free(struct election *election);

/* The lease is surely ours at this moment: less than renew_s since our last renewal that
 * succeeded was sent, by a clock that nobody sets and that goes on while the machine is
 * suspended. Looks at the clock itself: right also before any timer has run. */
bool election_may_write(const struct election *election);

/* Gives the lease up, so that another one need not wait; call it when all that was done
 * as the leader has stopped. No event comes any more. released comes once, perhaps
 * before this returns, also when the API server did not hear of it (err, else NULL); it
 * takes two requests at most. */
void election_release(struct election *election,
    void (*released)(void *cookie, const struct err *err));

#endif
