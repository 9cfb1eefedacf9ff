#include "plugin/hold.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/text.h"
#include "plugin/cni_error.h"
#include "plugin/hold_private.h"

long
hold_time_left_ms(struct hold *hold)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time); /* cannot fail for this clock */
	long now_ms = (long)time.tv_sec * 1000 + (long)time.tv_nsec / 1000000;
	if (!hold->deadline_ms)
		hold->deadline_ms = now_ms + (long)hold->wait_s * 1000;
	return hold->deadline_ms - now_ms;
}

/* ---- our own lease ---------------------------------------------------------- */

static void
taking_close(struct taking *taking)
{
	lease_close(&taking->file);
	mem_cleanup_fd(&taking->directory);
	lease_store_close(&taking->store);
	dir_watch_close(&taking->watch);
}
#define scoped_taking __attribute__((cleanup(taking_close))) struct taking

static int
taking_open(struct hold *hold, struct taking *taking, struct err *err)
{
	*taking = (struct taking){.hold = hold,
	    .store = LEASE_STORE_NONE,
	    .directory = -1,
	    .file = LEASE_FILE_NONE,
	    .watch = DIR_WATCH_NONE};
	(void)lease_name(hold->who.container, hold->who.ifname, taking->name);
	int rc = lease_store_open(hold->root, hold->who.network, true, &taking->store, err);
	if (rc > 0)
		rc = lease_domain_open(
		    &taking->store, hold->domain, true, &taking->directory, err);
	return rc < 0 ? rc : 0;
}

static bool
is_fixed(const struct hold_choice *choices, unsigned count, const struct ip *ip)
{
	for (unsigned i = 0; i < count; i++)
		if (!choices[i].next && ip_equal(&choices[i].fixed.ip, ip))
			return true;
	return false;
}

/* Whether the lease answers what is asked: as many addresses of this domain, and the
 * fixed ones. */
static bool
answers(const struct taking *taking, const struct hold_choice *choices, unsigned count)
{
	const struct lease *lease = &taking->lease;

	if (lease->ip_count != count || strcmp(lease->domain, taking->hold->domain) != 0)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!choices[i].next && !lease_has(lease, &choices[i].fixed.ip))
			return false;
	return true;
}

/* The lease is the answer: its addresses in the order of the choices, the fixed ones
 * with the prefixes of now. */
static void
put_in_order(struct lease *lease, const struct hold_choice *choices, unsigned count)
{
	struct cidr ordered[ENTRY_IPS_MAX];
	unsigned at = 0;

	for (unsigned i = 0; i < count; i++) {
		if (!choices[i].next) {
			ordered[i] = choices[i].fixed;
			continue;
		}
		while (is_fixed(choices, count, &lease->ips[at].ip))
			at++;
		ordered[i] = lease->ips[at++];
	}
	memcpy(lease->ips, ordered, count * sizeof(ordered[0]));
}

static int
renew(struct taking *taking, const struct hold_choice *choices, unsigned count,
    struct err *err)
{
	struct lease *lease = &taking->lease;

	put_in_order(lease, choices, count);
	lease->holder = taking->hold->who; /* its namespace may be a new one */
	lease->closing = false;
	lease->adds++;
	int rc = lease_write(&taking->file, lease, err);
	return rc ? rc : 1;
}

static int
other_addresses(const struct taking *taking, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	return err_set(err, CNI_ERROR_TRY_LATER,
	    "interface %s of container %.12s has %s already, and is to have others now; the "
	    "runtime must DEL it first",
	    taking->hold->who.ifname, taking->hold->who.container,
	    cidr_print(&taking->lease.ips[0], text));
}

/* A lease that the attachment has already. 1: it is the answer; 0: there is none, or
 * what there was is ended: it was of an ADD that never answered. */
static int
look_at_own(struct taking *taking, const struct hold_choice *choices, unsigned count,
    bool taken_over, struct err *err)
{
	const struct attachment *who = &taking->hold->who;
	int rc = lease_open(
	    taking->store.attachments, taking->name, &taking->file, &taking->lease, err);

	if (rc <= 0)
		return rc;
	bool ours = attachment_equal(&taking->lease.holder, who);
	if (ours) /* an ADD that was killed took them over, and they are met no more */
		former_append(&taking->former, &taking->lease.former);
	bool whole = lease_complete(&taking->file, &taking->lease);
	if (ours && whole && answers(taking, choices, count))
		return renew(taking, choices, count, err);
	if (ours && whole && !taken_over)
		return other_addresses(taking, err);
	if (ours)
		rc = lease_end(&taking->store, &taking->file, &taking->lease, err);
	else /* a killed take-over left our name on the earlier lease of our pod */
		rc = lease_unlink(
		    &taking->file, taking->store.attachments, taking->name, err);
	lease_close(&taking->file);
	return rc;
}

_Static_assert(sizeof(time_t) == sizeof(long), "the system call takes this struct timespec");

/* Seconds since 1970. time() reads the page in which the kernel keeps its clock: for
 * who asks once the page fault is dearer than the system call, one ADD in a hundred. */
static uint64_t
now_s(void)
{
	struct timespec now = {0};

	(void)syscall(SYS_clock_gettime, CLOCK_REALTIME, &now); /* cannot fail for this clock */
	return (uint64_t)now.tv_sec;
}

static int
make_own(struct taking *taking, const struct hold_choice *choices, unsigned count,
    struct err *err)
{
	struct lease *lease = &taking->lease;

	*lease = (struct lease){
	    .holder = taking->hold->who,
	    .since = now_s(),
	    .adds = 1,
	    .former = taking->former};
	(void)text_join(lease->domain, sizeof(lease->domain), taking->hold->domain, NULL);
	for (unsigned i = 0; i < count; i++)
		if (!choices[i].next)
			lease->ips[lease->ip_count++] = choices[i].fixed;
	return lease_create(&taking->store, lease, &taking->file, err);
}

int
hold_lock_own(struct taking *taking, struct err *err)
{
	const struct attachment *who = &taking->hold->who;
	int rc = lease_lock(&taking->file, taking->store.attachments, taking->name,
	    &taking->lease, err);

	if (rc == 1)
		return 0;
	lease_close(&taking->file);
	return rc < 0 ? rc
	              : err_set(err, CNI_ERROR_TRY_LATER,
	                    "interface %s of container %.12s was deleted while its ADD was "
	                    "under way",
	                    who->ifname, who->container);
}

/* ---- the addresses ---------------------------------------------------------- */

/* 0: ours; 1: our pod's earlier lease became ours, begin anew. */
static int
take_fixed(struct taking *taking, const struct cidr *cidr, struct err *err)
{
	char name[ADDRESS_TEXT_MAX];

	(void)ip_print(&cidr->ip, name);
	for (;;) {
		enum contention outcome = CONTEND_AGAIN;
		int rc = lease_link(&taking->file, taking->directory, name, err);
		if (rc != -EEXIST)
			return rc;
		rc = hold_contend(taking, cidr, &outcome, err);
		if (rc)
			return rc;
		if (outcome == CONTEND_TAKEN)
			return 1;
	}
}

/* 1: *ret_cidr is ours; 0: there is none. */
static int
try_candidates(struct taking *taking, const struct hold_choice *choice,
    struct cidr *ret_cidr, struct err *err)
{
	char name[ADDRESS_TEXT_MAX];
	struct cidr candidate;

	while (choice->next(choice->cookie, &candidate)) {
		if (lease_has(&taking->lease, &candidate.ip))
			continue; /* another choice of ours: lease_link would succeed */
		int rc = lease_link(&taking->file, taking->directory,
		    ip_print(&candidate.ip, name), err);
		if (rc == 0)
			*ret_cidr = candidate;
		if (rc != -EEXIST)
			return rc ? rc : 1;
	}
	return 0;
}

/* 1: leases of vanished pods were ended. */
static int
sweep_unlocked(struct taking *taking, struct err *err)
{
	struct err locking = {0};

	/* our lease is locked, and the sweep locks others: not both at once */
	lease_unlock(&taking->file);
	int swept = hold_sweep(&taking->store, err);
	int locked = hold_lock_own(taking, swept < 0 ? &locking : err);
	return swept < 0 ? swept : locked < 0 ? locked : swept;
}

static int
take_first_free(struct taking *taking, const struct hold_choice *choice,
    struct cidr *ret_cidr, struct err *err)
{
	int rc = try_candidates(taking, choice, ret_cidr, err);
	int swept = rc == 0 ? sweep_unlocked(taking, err) : 0;

	if (rc || swept < 0)
		return rc > 0 ? 0 : rc ? rc : swept;
	if (swept) {
		choice->rewind(choice->cookie);
		rc = try_candidates(taking, choice, ret_cidr, err);
	}
	if (!rc)
		return err_set(err, CNI_ERROR_EXHAUSTED, "no free address");
	return rc > 0 ? 0 : rc;
}

/* Fixed ones in the order of the addresses: two pods that want the same ones cannot
 * each wait for what the other has. */
static unsigned
next_fixed(const struct hold_choice *choices, unsigned count, unsigned taken)
{
	unsigned best = count;

	for (unsigned i = 0; i < count; i++) {
		if (choices[i].next || (taken & (1u << i)))
			continue;
		if (best == count ||
		    ip_compare(&choices[i].fixed.ip, &choices[best].fixed.ip) < 0)
			best = i;
	}
	return best;
}

/* Takes one for each choice that is not fixed. The record in memory has what is taken
 * so far; the file gets it at the end, and what a SIGKILL keeps from it is found by the
 * link count. */
static int
take_chosen(struct taking *taking, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips, struct err *err)
{
	struct lease *lease = &taking->lease;
	bool chosen = false;

	for (unsigned i = 0; i < count; i++) {
		if (!choices[i].next)
			continue;
		int rc = take_first_free(taking, &choices[i], &ret_ips[i], err);
		if (rc)
			return rc;
		lease->ips[lease->ip_count++] = ret_ips[i];
		chosen = true;
	}
	if (!chosen)
		return 0;
	memcpy(lease->ips, ret_ips, count * sizeof(*ret_ips));
	return lease_write(&taking->file, lease, err);
}

static int
take_all(struct taking *taking, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips, struct err *err)
{
	unsigned taken = 0;

	for (unsigned i; (i = next_fixed(choices, count, taken)) < count;) {
		int rc = take_fixed(taking, &choices[i].fixed, err);
		if (rc)
			return rc;
		ret_ips[i] = choices[i].fixed;
		taken |= 1u << i;
	}
	return take_chosen(taking, choices, count, ret_ips, err);
}

static void
give_back(struct taking *taking)
{
	/* what the file system refuses now, DEL or GC ends; err has the first reason */
	if (taking->file.fd >= 0)
		(void)lease_end(&taking->store, &taking->file, &taking->lease, NULL);
}

static int
take(struct taking *taking, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips, struct err *err)
{
	bool taken_over = false;

	for (;;) {
		int rc = look_at_own(taking, choices, count, taken_over, err);
		if (rc > 0)
			memcpy(ret_ips, taking->lease.ips, count * sizeof(*ret_ips));
		if (rc)
			return rc < 0 ? rc : 0;
		rc = make_own(taking, choices, count, err);
		if (rc == -EEXIST)
			continue; /* the same ADD runs twice: look at what the other made */
		if (!rc)
			rc = take_all(taking, choices, count, ret_ips, err);
		if (rc < 0)
			give_back(taking);
		if (rc != 1)
			return rc;
		taken_over = true;
	}
}

/* An errno of the lease files is no fault of who asks. */
static int
as_cni_error(int rc, struct err *err)
{
	bool storage = rc == -EBADMSG || rc == -EFBIG;

	return storage ? cni_error_as(err, CNI_ERROR_IO) : rc;
}

static int
refuse_twice(const struct hold_choice *choices, unsigned count, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++)
		for (unsigned j = 0; j < i && !choices[i].next; j++)
			if (!choices[j].next &&
			    ip_equal(&choices[i].fixed.ip, &choices[j].fixed.ip))
				return err_set(err, CNI_ERROR_CONFIG,
				    "address %s is listed twice", ip_print(&choices[i].fixed.ip, text));
	return 0;
}

int
hold_take(struct hold *hold, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips, struct err *err)
{
	scoped_taking taking;
	int rc = taking_open(hold, &taking, err);

	if (!rc)
		rc = refuse_twice(choices, count, err);
	if (!rc)
		rc = take(&taking, choices, count, ret_ips, err);
	return as_cni_error(rc, err);
}
