#include "controller/lead.h"

#include <stdbool.h>

#include "core/log.h"
#include "core/mem.h"
#include "net/clock.h"

/* How long writes under way may take to be answered when we end; with the two requests
 * of the release it is less than the pod's terminationGracePeriodSeconds. */
static const double answers_s = 2.0;
static const double look_again_s = 0.02;

struct lead {
	struct ev_loop *loop;
	struct lead_options options;
	struct err *fatal;

	/* among others: a client of its own, so that no renewal waits for other work */
	struct kube *election_kube;
	struct election *election; /* NULL: we are alone */
	bool leads;

	/* only while we lead */
	struct kube *kube;
	struct controller *controller;

	bool unanswered; /* a write may yet be carried out: the work was stopped before its answer */
	bool ending, released;
	double answers_until; /* clock_seconds() */
	ev_timer again;
};

/* ---- the work ------------------------------------------------------------------ */

/* The gate of all that the controller writes. */
static bool
may_write(const void *cookie)
{
	const struct lead *lead = cookie;

	return !lead->ending && (!lead->election || election_may_write(lead->election));
}

static struct kube *
client(const struct lead *lead, const char *user_agent)
{
	struct kube_config config;

	kube_config_copy(lead->options.config, &config);
	return kube_new(lead->loop, &config, user_agent);
}

/* With connections of its own, too: nothing that an earlier term had sent comes behind
 * it on the same one. */
static void
start_work(struct lead *lead)
{
	lead->kube = client(lead, "staticip-controller/" STATICIP_VERSION);
	kube_set_gate(lead->kube, may_write, lead);
	lead->controller = controller_new(
	    lead->loop, lead->kube, lead->options.controller, lead->fatal);
}

static bool
waits_for_answers(const struct lead *lead)
{
	return lead->kube && kube_writes_under_way(lead->kube) > 0;
}

/* Cancels all calls and forgets all that was decided. */
static void
stop_work(struct lead *lead)
{
	if (!lead->controller)
		return;
	lead->unanswered = waits_for_answers(lead);
	controller_free(lead->controller);
	kube_free(lead->kube);
	lead->controller = NULL;
	lead->kube = NULL;
}

/* ---- the story ----------------------------------------------------------------- */

static void on_released(void *cookie, const struct err *err);

static void
lead_or_follow(struct lead *lead)
{
	/* Who does not lead has no controller: nothing that could write. */
	if (!lead->leads)
		stop_work(lead);

	/* Who begins to lead knows nothing: it lists, learns who has what, goes on. */
	if (lead->leads && !lead->controller && !lead->ending)
		start_work(lead);

	if (!lead->ending || lead->released)
		return;

	/* The end. Nothing new is written (may_write); what was sent is answered first, so
	 * that it is over when the next one begins. */
	if (waits_for_answers(lead) && clock_seconds() < lead->answers_until) {
		ev_timer_again(lead->loop, &lead->again);
		return;
	}
	stop_work(lead);

	/* Now another may lead at once; or, where an answer is missing, when our lease is
	 * over. */
	lead->released = true;
	if (!lead->unanswered)
		election_release(lead->election, on_released);
	else
		ev_break(lead->loop, EVBREAK_ALL);
}

/* ---- what happens --------------------------------------------------------------- */

static void
on_leading(void *cookie)
{
	struct lead *lead = cookie;

	log_line(LOG_LEVEL_INFO, "leading as %s", lead->options.election->identity);
	lead->leads = true;
	lead_or_follow(lead);
}

static void
on_lost(void *cookie, const struct err *why)
{
	struct lead *lead = cookie;

	log_line(LOG_LEVEL_WARN, "not leading any more: %s", why->text);
	lead->leads = false;
	lead_or_follow(lead);
}

static void
on_holder(void *cookie, const char *holder)
{
	(void)cookie;
	log_line(LOG_LEVEL_INFO, "the lease is held by %s", holder[0] ? holder : "nobody");
}

static void
on_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	log_line(LOG_LEVEL_WARN, "election: %s", err->text);
}

static void
on_released(void *cookie, const struct err *err)
{
	struct lead *lead = cookie;

	if (err)
		log_line(LOG_LEVEL_WARN, "lease not given up, it ends by itself: %s", err->text);
	ev_break(lead->loop, EVBREAK_ALL);
}

static void
on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	lead_or_follow(timer->data);
}

static const struct election_events election_events = {.leading = on_leading,
    .lost = on_lost, .holder = on_holder, .fault = on_fault};

/* ---- life ---------------------------------------------------------------------- */

struct lead *
lead_new(struct ev_loop *loop, const struct lead_options *options, struct err *ret_fatal)
{
	struct lead *lead = mem_new(1, sizeof(*lead));

	*lead = (struct lead){.loop = loop, .options = *options, .fatal = ret_fatal};
	ev_timer_init(&lead->again, on_again, 0., look_again_s);
	lead->again.data = lead;
	if (options->election) {
		lead->election_kube =
		    client(lead, "staticip-controller/" STATICIP_VERSION " leader-election");
		lead->election = election_new(
		    loop, lead->election_kube, options->election, &election_events, lead);
	} else {
		lead->leads = true;
		lead_or_follow(lead);
	}
	return lead;
}

struct controller *const *
lead_controller(const struct lead *lead)
{
	return &lead->controller;
}

void
lead_end(struct lead *lead)
{
	if (lead->ending || !lead->election) {
		ev_break(lead->loop, EVBREAK_ALL);
		return;
	}
	lead->ending = true;
	lead->answers_until = clock_seconds() + answers_s;
	lead_or_follow(lead);
}

void
lead_free(struct lead *lead)
{
	if (!lead)
		return;
	stop_work(lead);
	ev_timer_stop(lead->loop, &lead->again);
	election_free(lead->election);
	kube_free(lead->election_kube);
	mem_free(lead);
}
