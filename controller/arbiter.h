/* Who gets which address. Pure: no clock, no I/O; the same calls give the same
 * answers.
 *
 * R1  A key (one pod's row on one network) belongs to one allocation.
 * R2  An address of a domain belongs to one row.
 * R3  The incumbent wins: who has it keeps it as long as it wants it.
 * R4  What becomes free goes to the oldest that waits for it: by
 *     creationTimestamp, then UID.
 * R5  A row gets its key and all its addresses, or nothing. R5 goes before R3: an
 *     entry that is edited to want an address that another has loses those it had. */
#ifndef CONTROLLER_ARBITER_H
#define CONTROLLER_ARBITER_H

#include <stdbool.h>

#include "controller/allocation.h"
#include "table/row.h"

/* One pod's row, as wanted. */
struct wanted {
	char *key;
	struct entry entry;
	bool granted;
	/* why not granted: a condition's reason and one sentence; else NULL */
	const char *reason;
	char *refusal;
};

/* What one allocation wants and has. */
struct holding {
	char *uid;       /* of the allocation */
	char *name;      /* namespace/name */
	char *created;   /* creationTimestamp; RFC 3339 in UTC sorts as text */
	char *domain;    /* network/NAME */
	char *network;
	struct ip gateways[ENTRY_GATEWAYS_MAX];
	unsigned gateway_count;
	struct routes *routes;
	bool available;  /* handover: Available */
	struct wanted *rows;
	unsigned row_count;
	unsigned refused; /* rows not granted */
};

struct arbiter;

struct arbiter_events {
	/* The row is in force from now on (also when only its content changed). */
	void (*granted)(void *cookie, const struct holding *holding, const struct wanted *row);
	/* The key has no row any more. */
	void (*withdrawn)(void *cookie, const char *key);
	/* Another allocation's change gave this one a row it waited for, or another
	 * reason why not. */
	void (*changed)(void *cookie, const struct holding *holding);
};

struct arbiter *arbiter_new(const struct arbiter_events *events, void *cookie);
void arbiter_free(struct arbiter *arbiter);

/* Puts what an allocation wants, new or instead of what it wanted before; takes
 * holding over. Events come during the call. */
void arbiter_put(struct arbiter *arbiter, struct holding *holding);
/* The allocation is gone; nothing happens when it was not there. */
void arbiter_remove(struct arbiter *arbiter, const char *uid);
/* What it has, or NULL. The arbiter's. */
const struct holding *arbiter_find(const struct arbiter *arbiter, const char *uid);
void holding_free(struct holding *holding);

#endif
