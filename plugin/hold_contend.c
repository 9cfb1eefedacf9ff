/* An address that another lease has: whose it is, and what follows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "node/silence.h"
#include "plugin/cni_error.h"
#include "plugin/hold_private.h"

/* Somebody's pod may end without an event in the directory. */
enum { LOOK_AGAIN_MS = 1000 };

/* How the holder stands to who asks. */
enum holder {
	HOLDER_NOBODY,         /* the address file belongs to no attachment */
	HOLDER_SAME_CONTAINER, /* another interface of ours */
	HOLDER_SAME_POD,       /* our pod's earlier container, same interface */
	HOLDER_OTHER,
};

static enum holder
judge(const struct attachment *holder, const struct attachment *who, bool owned)
{
	if (!owned)
		return HOLDER_NOBODY;
	if (strcmp(holder->container, who->container) == 0)
		return HOLDER_SAME_CONTAINER;
	return attachment_same_pod(holder, who) ? HOLDER_SAME_POD : HOLDER_OTHER;
}

/* The lease that has an address that we want. */
struct rival {
	char address[ADDRESS_TEXT_MAX];
	struct lease_file file; /* locked while it is looked at and while it is changed */
	struct lease lease;
};
#define scoped_rival __attribute__((cleanup(rival_close))) struct rival

static void
rival_close(struct rival *rival)
{
	lease_close(&rival->file);
}

/* 1: locked, and still as it was looked at. */
static int
lock_rival(const struct taking *taking, const struct rival *rival, struct err *err)
{
	return lease_lock(&rival->file, taking->directory, rival->address, &rival->lease, err);
}

/* ---- words ------------------------------------------------------------------ */

static int
held(const struct cidr *cidr, const struct lease *lease, const char *end, struct err *err)
{
	scoped_buf holder = buf_make(ERR_TEXT_MAX);
	char address[ADDRESS_TEXT_MAX];
	char since[32] = "";
	time_t seconds = (time_t)lease->since;
	struct tm broken;

	attachment_print(&lease->holder, &holder);
	if (gmtime_r(&seconds, &broken))
		(void)strftime(since, sizeof(since), "%Y-%m-%dT%H:%M:%SZ", &broken);
	return err_set(err, CNI_ERROR_TRY_LATER, "address %s is held on this node by %s since %s%s",
	    ip_print(&cidr->ip, address), buf_string(&holder), since, end);
}

static int
same_container(const struct cidr *cidr, const struct lease *lease, struct err *err)
{
	return held(cidr, lease,
	    "; one address cannot be on two interfaces: give the allocation an interface, or "
	    "the interfaces networks of their own",
	    err);
}

static int
not_in_time(const struct taking *taking, const struct cidr *cidr,
    const struct lease *lease, struct err *err)
{
	char end[160];

	(void)snprintf(end, sizeof(end),
	    "%s; waited %u s; it is free when the container runtime has removed that sandbox",
	    lease->closing ? " and is being deleted" : "", taking->hold->wait_s);
	return held(cidr, lease, end, err);
}

/* ---- acts ------------------------------------------------------------------- */

static bool
is_gone(const struct lease *lease)
{
	int netns = -1;
	int rc = netns_id_find(lease->holder.netns, &lease->holder.netns_id, &netns, NULL);

	mem_cleanup_fd(&netns);
	return rc == 0;
}

/* Ends a lease of which nothing is left to end but the lease. */
static int
finish(const struct taking *taking, const struct rival *rival, struct err *err)
{
	int rc = lock_rival(taking, rival, err);

	return rc <= 0 ? rc : lease_end(&taking->store, &rival->file, &rival->lease, err);
}

/* The lease passes to us in place: our name first, then the record, then the old name
 * goes; a kill between two of them leaves one owner, and names that lead to it. */
static int
pass_on(const struct taking *taking, const struct rival *rival, struct err *err)
{
	struct lease lease = rival->lease;
	char old_name[LEASE_NAME_MAX];
	int rc = lock_rival(taking, rival, err);

	if (rc <= 0)
		return rc;
	(void)lease_name(lease.holder.container, lease.holder.ifname, old_name);
	rc = lease_link(&rival->file, taking->store.attachments, taking->name, err);
	lease.holder = taking->hold->who;
	lease.former = taking->former;
	lease.closing = false;
	lease.since = (uint64_t)time(NULL);
	lease.adds++;
	if (!rc)
		rc = lease_write(&rival->file, &lease, err);
	if (!rc)
		rc = lease_unlink(&rival->file, taking->store.attachments, old_name, err);
	return rc ? rc : 1;
}

/* Our pod was here before, in another container: that one is silenced, and ours that
 * was begun makes room for the whole of its lease. */
static int
take_over(struct taking *taking, const struct rival *rival,
    enum contention *ret_outcome, struct err *err)
{
	if (silence_lease(&rival->lease, err))
		return cni_error_as(err, CNI_ERROR_TRY_LATER);
	int rc = lease_lock(&taking->file, taking->store.attachments, taking->name,
	    &taking->lease, err);
	if (rc <= 0)
		return rc; /* deleted meanwhile: the caller sees it too */
	rc = lease_end(&taking->store, &taking->file, &taking->lease, err);
	lease_close(&taking->file);
	if (rc)
		return rc;
	*ret_outcome = CONTEND_TAKEN;
	rc = pass_on(taking, rival, err);
	return rc < 0 ? rc : 0; /* 0: it is gone meanwhile, which is as good */
}

static int
wait_for(struct taking *taking, const struct cidr *cidr, const struct lease *holder,
    struct err *err)
{
	long left = hold_time_left_ms(taking->hold);

	if (left <= 0)
		return not_in_time(taking, cidr, holder, err);
	if (taking->watch.fd >= 0) {
		dir_watch_wait(&taking->watch, (int)(left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS));
		return 0;
	}
	dir_watch_open(taking->directory, &taking->watch);
	/* the first look came before the watch: look once more before waiting; where
	 * there is no watch, each look comes after a short sleep */
	if (taking->watch.fd < 0)
		dir_watch_wait(&taking->watch, (int)left);
	return 0;
}

/* Without our lock. */
static int
contend(struct taking *taking, const struct cidr *cidr, enum contention *ret_outcome,
    struct err *err)
{
	scoped_rival rival = {.file = LEASE_FILE_NONE};
	const struct lease *lease = &rival.lease;
	int rc = lease_open(taking->directory, ip_print(&cidr->ip, rival.address),
	    &rival.file, &rival.lease, err);
	int owned = rc > 0 ? lease_owned(&taking->store, &rival.file, lease, err) : 0;

	if (rc <= 0 || owned < 0)
		return rc <= 0 ? rc : owned;
	enum holder holder = judge(&lease->holder, &taking->hold->who, owned);
	if (holder == HOLDER_NOBODY)
		return lease_unlink(&rival.file, taking->directory, rival.address, err);
	lease_unlock(&rival.file);
	if (holder == HOLDER_SAME_POD)
		former_read(lease, &taking->former);
	if (is_gone(lease) || (lease->closing && silence_lease(lease, NULL) == 0))
		return finish(taking, &rival, err);
	if (holder == HOLDER_SAME_CONTAINER)
		return same_container(cidr, lease, err);
	if (holder == HOLDER_SAME_POD)
		return take_over(taking, &rival, ret_outcome, err);
	/* it may end while we wait, and an open file would keep its memory only */
	lease_close(&rival.file);
	return wait_for(taking, cidr, lease, err);
}

/* An earlier lease of our pod that was ended, not taken over, is met no more: its MACs go
 * into ours at once. */
static int
remember(struct taking *taking, struct err *err)
{
	if (former_equal(&taking->former, &taking->lease.former))
		return 0;
	taking->lease.former = taking->former;
	return lease_write(&taking->file, &taking->lease, err);
}

int
hold_contend(struct taking *taking, const struct cidr *cidr, enum contention *ret_outcome,
    struct err *err)
{
	struct err locking = {0};

	*ret_outcome = CONTEND_AGAIN;
	lease_unlock(&taking->file);
	int rc = contend(taking, cidr, ret_outcome, err);
	if (taking->file.fd < 0)
		return rc;
	int locked = hold_lock_own(taking, rc ? &locking : err);
	if (rc || locked)
		return rc ? rc : locked;
	return remember(taking, err);
}
