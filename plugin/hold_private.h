/* What the parts of taking addresses share. */
#ifndef PLUGIN_HOLD_PRIVATE_H
#define PLUGIN_HOLD_PRIVATE_H

#include "node/dir_watch.h"
#include "node/lease_store.h"
#include "plugin/hold.h"

/* One ADD under way. */
struct taking {
	struct hold *hold;
	struct lease_store store;
	int directory;           /* the domain's addresses */
	char name[LEASE_NAME_MAX];
	struct lease_file file;  /* our lease, locked except while we wait */
	struct lease lease;
	struct former former;    /* of our pod's earlier sandboxes that we met */
	struct dir_watch watch;
};

/* What became of an address that another file has. */
enum contention {
	CONTEND_AGAIN, /* it is free by now: try again */
	CONTEND_TAKEN, /* our pod's earlier lease became ours, whole: look at it */
};

/* Frees the address, or takes it over, or waits for it: 0 or an error that names the
 * holder. Our lease is locked before and after; after CONTEND_TAKEN it
 * is closed, and after an error it may be. */
int hold_contend(struct taking *taking, const struct cidr *cidr,
    enum contention *ret_outcome, struct err *err);
/* Ends the leases of the network whose namespace is gone: 1 when there were any. */
int hold_sweep(const struct lease_store *store, struct err *err);

/* Locks our lease again after others were let at it: 0, or an error, and then it is
 * closed: not ours any more, or not locked, so nothing may be given back. */
int hold_lock_own(struct taking *taking, struct err *err);

#endif
