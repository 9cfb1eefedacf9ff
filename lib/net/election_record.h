/* What a Lease (coordination.k8s.io/v1) says about who leads, and what a candidate
 * does next: client-go's tools/leaderelection, tryAcquireOrRenew. No I/O; the time is
 * an argument.
 *
 * The times in the Lease are for people. A candidate counts from the moment at which it
 * first saw the record as it is, by its own clock that nobody sets: so it does not matter
 * what any wall clock says or how it jumps, only that clocks run about equally fast. */
#ifndef NET_ELECTION_RECORD_H
#define NET_ELECTION_RECORD_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

/* The Lease as it was last seen. */
struct election_seen {
	struct json_object *lease; /* NULL = there is none */
	const char *holder;        /* "" = nobody; the lease's memory */
	uint64_t duration_s;       /* the holder's own, not ours */
	double at;                 /* clock_boot_seconds() when the spec was first so */
};

enum election_step {
	ELECTION_WAIT,    /* another one leads */
	ELECTION_CREATE,  /* no Lease */
	ELECTION_TAKE,    /* nobody has it, or its time is over */
	ELECTION_RENEW,   /* we have it */
	ELECTION_RELEASE, /* we had it, and end: never decided here */
};

/* Takes note of the Lease that an answer had (NULL = there is none), and keeps it. Only
 * another spec begins the holder's time anew. */
void election_observe(struct election_seen *seen, struct json_object *lease, double now);
enum election_step election_next(
    const struct election_seen *seen, const char *identity, double now);
/* The Lease to write for a step, made from the one seen: what else stands in it stays,
 * its resourceVersion too, so that it is written over nothing else. now is a MicroTime.
 * The caller puts it. */
struct json_object *election_lease(const struct election_seen *seen,
    enum election_step step, const char *identity, uint64_t duration_s, const char *now);
void election_seen_release(struct election_seen *seen);

#endif
