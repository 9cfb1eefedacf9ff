#include "agent/tend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "node/lease_store.h"
#include "node/silence.h"

static const double soon_s = 1;
static const double later_s = 10;

struct order {
	char uid[POD_UID_MAX + 1];
	bool silence;
};

/* A lease about which something was said. */
struct told {
	char network[NETWORK_NAME_MAX + 1];
	char name[LEASE_NAME_MAX];
	uint64_t adds, since;
	bool failed; /* that it failed was said; else that it was done */
	bool seen;   /* the lease is still there */
};

struct tend {
	struct tend_spec spec;
	struct ev_timer timer;
	struct order *orders;
	size_t order_count;
	struct told *told;
	size_t told_count;
};

enum tend_act
tend_decide(const struct lease *lease, enum tend_netns netns, const struct host_view *view,
    bool ordered)
{
	if (netns == TEND_NETNS_GONE)
		return host_view_covers(view, lease->holder.netns) ? TEND_END : TEND_KEEP;
	if (netns == TEND_NETNS_UNKNOWN)
		return TEND_KEEP;
	if (lease->closing && view->seen)
		return TEND_SILENCE_AND_END;
	return ordered || lease->closing ? TEND_SILENCE : TEND_KEEP;
}

/* ---- what is said once ------------------------------------------------------ */

static struct told
told_of(const struct lease *lease, bool failed)
{
	const struct attachment *holder = &lease->holder;
	struct told told = {
	    .adds = lease->adds, .since = lease->since, .failed = failed, .seen = true};

	(void)snprintf(told.network, sizeof(told.network), "%s", holder->network);
	(void)lease_name(holder->container, holder->ifname, told.name);
	return told;
}

static bool
same_lease(const struct told *a, const struct told *b)
{
	return a->adds == b->adds && a->since == b->since && strcmp(a->name, b->name) == 0 &&
	    strcmp(a->network, b->network) == 0;
}

static bool
is_news(struct tend *tend, const struct lease *lease, bool failed)
{
	const struct told told = told_of(lease, failed);

	for (size_t i = 0; i < tend->told_count; i++) {
		struct told *before = &tend->told[i];
		if (before->failed == failed && same_lease(before, &told))
			return false;
	}
	tend->told =
	    mem_resize(tend->told, tend->told_count + 1, sizeof(*tend->told));
	tend->told[tend->told_count++] = told;
	return true;
}

static void
mark_seen(struct tend *tend, const struct lease *lease)
{
	const struct told told = told_of(lease, false);

	for (size_t i = 0; i < tend->told_count; i++)
		if (same_lease(&tend->told[i], &told))
			tend->told[i].seen = true;
}

static void
forget_unseen(struct tend *tend)
{
	size_t kept = 0;

	for (size_t i = 0; i < tend->told_count; i++) {
		if (tend->told[i].seen)
			tend->told[kept++] = tend->told[i];
	}
	tend->told_count = kept;
	for (size_t i = 0; i < kept; i++)
		tend->told[i].seen = false;
}

static void
print_what(const struct lease *lease, struct buf *out)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < lease->ip_count; i++)
		(void)buf_print(out, "%s%s", i ? ", " : "", ip_print(&lease->ips[i].ip, text));
	(void)buf_text(out, " of ");
	attachment_print(&lease->holder, out);
}

static void
tell_cut_off(struct tend *tend, const struct lease *lease)
{
	scoped_buf what = buf_make(ERR_TEXT_MAX);

	if (!is_news(tend, lease, false))
		return;
	print_what(lease, &what);
	scoped_free char *note = mem_format("cut off %s in %s: the address was given to another "
	    "pod while this node did not answer; its link stays down; delete the pod",
	    buf_string(&what), lease->holder.netns);
	tend->spec.tell(tend->spec.cookie, "AddressCutOff", "Silence", note);
}

static void
tell_failed(struct tend *tend, const struct lease *lease, const struct err *why)
{
	scoped_buf what = buf_make(ERR_TEXT_MAX);

	if (!is_news(tend, lease, true))
		return;
	print_what(lease, &what);
	scoped_free char *note =
	    mem_format("cannot make %s unusable: %s; trying again each second, and the pod "
	               "counts as alive until then", buf_string(&what), why->text);
	tend->spec.tell(tend->spec.cookie, "AddressNotCutOff", "Silence", note);
}

/* ---- acts ------------------------------------------------------------------- */

/* Ends the lease that was looked at, and no other: since the look its file is open, and an
 * ADD that took it counted. Who has its lock is not waited for: there is a next time. */
static int
end(const struct lease *lease, const struct lease_store *store,
    const struct lease_file *file, const char *name, struct err *err)
{
	int rc = lease_try_lock(file, store->attachments, name, lease, err);

	return rc <= 0 ? rc : lease_end(store, file, lease, err);
}

static bool
is_same(const struct lease *a, const struct lease *b)
{
	return attachment_equal(&a->holder, &b->holder) && a->adds == b->adds &&
	    a->since == b->since;
}

/* 1: it has the act behind it. 0: it is another one's by now. */
static int
carry_out(
    const char *root, const struct lease *lease, enum tend_act act, struct err *err)
{
	const struct attachment *holder = &lease->holder;
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_lease_file file = LEASE_FILE_NONE;
	char name[LEASE_NAME_MAX];
	struct lease now;
	int rc = lease_store_open(root, holder->network, false, &store, err);

	(void)lease_name(holder->container, holder->ifname, name);
	if (rc > 0)
		rc = lease_look(store.attachments, name, &file, &now, err);
	if (rc <= 0 || !is_same(lease, &now))
		return rc < 0 ? rc : 0;
	rc = act == TEND_END ? 0 : silence_lease(lease, err);
	if (!rc && act != TEND_SILENCE)
		rc = end(lease, &store, &file, name, err);
	return rc < 0 ? rc : 1;
}

static const struct order *
find_order(const struct tend *tend, const char *uid)
{
	for (size_t i = 0; uid[0] && i < tend->order_count; i++)
		if (strcmp(tend->orders[i].uid, uid) == 0)
			return &tend->orders[i];
	return NULL;
}

static enum tend_netns
look_for_netns(const struct lease *lease)
{
	scoped_fd int netns = -1;
	int found =
	    netns_id_find(lease->holder.netns, &lease->holder.netns_id, &netns, NULL);

	return found > 0 ? TEND_NETNS_THERE : found == 0 ? TEND_NETNS_GONE : TEND_NETNS_UNKNOWN;
}

/* Whether it has to be looked at again soon. */
static bool
tend_one(struct tend *tend, const struct lease *lease)
{
	const struct order *order = find_order(tend, lease->holder.uid);
	struct err err = {0};

	mark_seen(tend, lease);
	enum tend_act act = tend_decide(
	    lease, look_for_netns(lease), tend->spec.view, order && order->silence);
	if (act == TEND_KEEP)
		return order != NULL;
	int rc = carry_out(tend->spec.root, lease, act, &err);
	if (rc < 0 && err.code != EWOULDBLOCK)
		tell_failed(tend, lease, &err);
	else if (rc > 0 && order && order->silence)
		tell_cut_off(tend, lease);
	if (rc > 0 && act != TEND_SILENCE)
		log_line(LOG_LEVEL_INFO, "ended the lease of container %s (interface %s): %s",
		    lease->holder.container, lease->holder.ifname,
		    act == TEND_END ? "its network namespace is gone"
		                    : "its DEL could not make the address unusable, now it is");
	return true;
}

/* ---- when ------------------------------------------------------------------- */

static void
look(struct tend *tend)
{
	scoped_free struct lease *leases = NULL;
	size_t count = 0;
	bool soon = false;

	/* what cannot be read, who answers says */
	if (lease_list(tend->spec.root, &leases, &count, NULL))
		soon = true;
	for (size_t i = 0; i < count; i++)
		soon = tend_one(tend, &leases[i]) || soon;
	forget_unseen(tend);
	ev_timer_stop(tend->spec.loop, &tend->timer);
	ev_timer_set(&tend->timer, soon ? soon_s : later_s, 0.);
	ev_timer_start(tend->spec.loop, &tend->timer);
}

static void
on_timer(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	look(timer->data);
}

static bool
are_known(const struct tend *tend, const struct node_spec *spec)
{
	if (tend->order_count != spec->revoked_count)
		return false;
	for (size_t i = 0; i < tend->order_count; i++)
		if (strcmp(tend->orders[i].uid, spec->revoked[i].uid) != 0 ||
		    tend->orders[i].silence != spec->revoked[i].silence)
			return false;
	return true;
}

void
tend_order(struct tend *tend, const struct node_spec *spec)
{
	if (are_known(tend, spec))
		return;
	mem_free(tend->orders);
	tend->orders = mem_new(spec->revoked_count + 1, sizeof(*tend->orders));
	tend->order_count = spec->revoked_count;
	for (size_t i = 0; i < tend->order_count; i++) {
		struct order *order = &tend->orders[i];
		(void)snprintf(order->uid, sizeof(order->uid), "%s", spec->revoked[i].uid);
		order->silence = spec->revoked[i].silence;
	}
	look(tend);
}

struct tend *
tend_new(const struct tend_spec *spec)
{
	struct tend *tend = mem_new(1, sizeof(*tend));

	tend->spec = *spec;
	ev_timer_init(&tend->timer, on_timer, soon_s, 0.);
	tend->timer.data = tend;
	ev_timer_start(spec->loop, &tend->timer);
	return tend;
}

void
tend_free(struct tend *tend)
{
	if (!tend)
		return;
	ev_timer_stop(tend->spec.loop, &tend->timer);
	mem_free(tend->orders);
	mem_free(tend->told);
	mem_free(tend);
}
