#include "net/election.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "net/clock.h"
#include "net/election_record.h"
#include "table/json.h"

/* client-go JitterFactor: who does not lead tries again after 1 to 2.2 retry_s. */
static const double jitter = 1.2;

struct election {
	struct ev_loop *loop;
	struct kube *kube;
	struct election_options options; /* own copies */
	char *identity, *path, *lease_path, *name;
	const struct election_events *events;
	void *cookie;

	struct election_seen seen;
	bool leading;
	double renewed_at; /* boot clock: our last write that succeeded was sent then */

	/* the attempt under way: a read, a write or both, one after the other */
	struct kube_call *call;
	enum election_step step; /* of the write under way; WAIT = none */
	bool unread;             /* it was made without a look at the Lease before */
	double sent_at;
	ev_timer next;
	ev_timer end; /* of the lead, unless it is renewed */

	bool releasing;
	void (*released)(void *cookie, const struct err *err);
};

static void read_lease(struct election *election);
static void give_up(struct election *election);

/* ---- settings ------------------------------------------------------------------ */

int
election_check(const struct election_options *options, struct err *err)
{
	if (options->lease_s <= options->renew_s)
		return err_set(err, EINVAL,
		    "the lease duration (%u s) must be longer than the renew deadline (%u s)",
		    options->lease_s, options->renew_s);
	if (options->retry_s == 0 || options->renew_s <= options->retry_s * jitter)
		return err_set(err, EINVAL,
		    "the renew deadline (%u s) must be longer than 1.2 times the retry period (%u s), and that above 0",
		    options->renew_s, options->retry_s);
	return 0;
}

char *
election_identity(const char *host)
{
	return mem_format("%s_%08x%08x", host, (unsigned)(clock_chance() * 0x1p32),
	    (unsigned)(clock_chance() * 0x1p32));
}

/* ---- leading ------------------------------------------------------------------- */

static bool
in_time(const struct election *election, double sent_at)
{
	return clock_boot_seconds() < sent_at + election->options.renew_s;
}

bool
election_may_write(const struct election *election)
{
	return election->leading && in_time(election, election->renewed_at);
}

static void
lose(struct election *election, const struct err *why)
{
	election->leading = false;
	ev_timer_stop(election->loop, &election->end);
	if (!election->releasing)
		election->events->lost(election->cookie, why);
}

/* Whatever comes from the loop begins with it: time may have passed. */
static void
look_at_the_clock(struct election *election)
{
	struct err why = {0};

	if (!election->leading || in_time(election, election->renewed_at))
		return;
	(void)err_set(&why, ETIMEDOUT, "the lease %s was not renewed for %u s",
	    election->name, election->options.renew_s);
	lose(election, &why);
}

/* libev's timers stand still while the machine is suspended: it looks at our clock, and
 * again if that is not there yet. */
static void
await_end(struct election *election)
{
	double left =
	    election->renewed_at + election->options.renew_s - clock_boot_seconds();

	ev_now_update(election->loop);
	ev_timer_stop(election->loop, &election->end);
	ev_timer_set(&election->end, left > 0.001 ? left : 0.001, 0.);
	ev_timer_start(election->loop, &election->end);
}

static void
on_end(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct election *election = timer->data;

	(void)loop;
	(void)revents;
	look_at_the_clock(election);
	if (election->leading)
		await_end(election);
}

/* Our write of sent_at succeeded. The answer may be an old one. */
static void
renewed(struct election *election, double sent_at)
{
	bool begins = !election->leading;

	look_at_the_clock(election);
	if (!in_time(election, sent_at))
		return;
	election->renewed_at = sent_at;
	election->leading = true;
	await_end(election);
	if (begins && !election->releasing)
		election->events->leading(election->cookie);
}

/* The Lease is another's, although our time is not over: somebody's hand. */
static void
yield_lead(struct election *election)
{
	struct err why = {0};

	(void)err_set(&why, ESTALE, "the lease %s was taken from us; it is held by '%s'",
	    election->name, election->seen.holder);
	lose(election, &why);
}

/* ---- attempts ------------------------------------------------------------------ */

static void
try_later(struct election *election)
{
	double wait = election->options.retry_s;

	if (election->releasing) {
		give_up(election);
		return;
	}
	if (!election->leading)
		wait *= 1 + jitter * clock_chance();
	ev_now_update(election->loop);
	ev_timer_set(&election->next, wait, 0.);
	ev_timer_start(election->loop, &election->next);
}

static void
observe(struct election *election, struct json_object *lease)
{
	scoped_free char *before =
	    mem_text(election->seen.lease ? election->seen.holder : "");

	election_observe(&election->seen, lease, clock_boot_seconds());
	if (strcmp(before, election->seen.holder) != 0 && !election->releasing)
		election->events->holder(election->cookie, election->seen.holder);
}

static void
failed(struct election *election, const struct kube_answer *answer)
{
	if (!election->releasing)
		election->events->fault(election->cookie, &answer->err);
}

/* client-go: so that one request without an answer does not cost the lease. */
static double
request_timeout_s(const struct election *election)
{
	double half = election->options.renew_s / 2.0;

	return half > 1 ? half : 1;
}

static void
on_written(void *cookie, const struct kube_answer *answer)
{
	struct election *election = cookie;
	bool unread = election->unread;

	election->call = NULL;
	election->step = ELECTION_WAIT;
	if (answer->ok && answer->body) {
		observe(election, answer->body);
		renewed(election, election->sent_at);
		try_later(election);
		return;
	}
	failed(election, answer);
	look_at_the_clock(election);
	/* the Lease may have been changed, or the outcome be open: a look tells */
	if (unread && !election->releasing)
		read_lease(election);
	else
		try_later(election);
}

static struct json_object *
encode(const struct election *election, enum election_step step)
{
	char now[MICRO_TIME_BYTES];

	clock_micro_time(now);
	struct json_object *lease = election_lease(
	    &election->seen, step, election->identity, election->options.lease_s, now);
	if (step == ELECTION_CREATE) {
		struct json_object *metadata = json_object_new_object();
		json_put_text(metadata, "name", election->options.name);
		(void)json_object_object_add(lease, "metadata", metadata);
	}
	return lease;
}

static void
write_lease(struct election *election, enum election_step step, bool unread,
    kube_done *done)
{
	bool create = step == ELECTION_CREATE;
	scoped_json *lease = encode(election, step);

	election->step = step;
	election->unread = unread;
	/* from here on the others may count */
	election->sent_at = clock_boot_seconds();
	election->call = kube_call(election->kube, create ? "POST" : "PUT",
	    create ? election->path : election->lease_path, NULL, NULL, lease,
	    request_timeout_s(election), done, election);
}

static void
decide(struct election *election)
{
	enum election_step step =
	    election_next(&election->seen, election->identity, clock_boot_seconds());

	if (election->leading && step != ELECTION_RENEW && step != ELECTION_CREATE)
		yield_lead(election);
	if (step == ELECTION_WAIT)
		try_later(election);
	else
		write_lease(election, step, false, on_written);
}

static void
on_read(void *cookie, const struct kube_answer *answer)
{
	struct election *election = cookie;

	election->call = NULL;
	look_at_the_clock(election);
	if (!answer->ok && answer->status != 404) {
		failed(election, answer);
		try_later(election);
		return;
	}
	observe(election, answer->ok ? answer->body : NULL);
	decide(election);
}

static void
read_lease(struct election *election)
{
	election->call = kube_call(election->kube, "GET", election->lease_path, NULL, NULL,
	    NULL, request_timeout_s(election), on_read, election);
}

/* A leader writes over its own last write without a look: a change by another hand is a
 * conflict. */
static void
on_next(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct election *election = timer->data;

	(void)loop;
	(void)revents;
	look_at_the_clock(election);
	if (election->leading && election->seen.lease)
		write_lease(election, ELECTION_RENEW, true, on_written);
	else
		read_lease(election);
}

/* ---- the end ------------------------------------------------------------------- */

static void
on_released(void *cookie, const struct kube_answer *answer)
{
	struct election *election = cookie;

	election->call = NULL;
	election->released(election->cookie, answer->ok ? NULL : &answer->err);
}

static void
give_up(struct election *election)
{
	election->leading = false;
	if (election->seen.lease && strcmp(election->seen.holder, election->identity) == 0)
		write_lease(election, ELECTION_RELEASE, false, on_released);
	else
		election->released(election->cookie, NULL);
}

void
election_release(struct election *election,
    void (*released)(void *cookie, const struct err *err))
{
	election->releasing = true;
	election->released = released;
	ev_timer_stop(election->loop, &election->next);
	ev_timer_stop(election->loop, &election->end);
	/* a write under way may make the lease ours: its answer comes first */
	if (election->call && election->step != ELECTION_WAIT)
		return;
	kube_cancel(election->call);
	election->call = NULL;
	give_up(election);
}

/* ---- life ---------------------------------------------------------------------- */

struct election *
election_new(struct ev_loop *loop, struct kube *kube,
    const struct election_options *options, const struct election_events *events,
    void *cookie)
{
	struct election *election = mem_new(1, sizeof(*election));

	*election = (struct election){.loop = loop, .kube = kube, .options = *options,
	    .events = events, .cookie = cookie, .seen = {.holder = ""}};
	election->identity = mem_text(options->identity);
	election->path = mem_format(
	    "/apis/coordination.k8s.io/v1/namespaces/%s/leases", options->namespace);
	election->lease_path = mem_format("%s/%s", election->path, options->name);
	election->name = mem_format("%s/%s", options->namespace, options->name);
	election->options.name = strrchr(election->name, '/') + 1;
	ev_timer_init(&election->next, on_next, 0., 0.);
	election->next.data = election;
	ev_init(&election->end, on_end);
	election->end.data = election;
	ev_timer_start(loop, &election->next);
	return election;
}

void
election_free(struct election *election)
{
	if (!election)
		return;
	ev_timer_stop(election->loop, &election->next);
	ev_timer_stop(election->loop, &election->end);
	kube_cancel(election->call);
	election_seen_release(&election->seen);
	mem_free(election->identity);
	mem_free(election->path);
	mem_free(election->lease_path);
	mem_free(election->name);
	mem_free(election);
}
