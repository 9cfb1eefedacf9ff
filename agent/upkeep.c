#include "agent/upkeep.h"

#include <malloc.h>
#include <string.h>

#include "agent/install.h"
#include "agent/lock.h"
#include "agent/options.h"
#include "agent/publish.h"
#include "agent/sync.h"
#include "core/err.h"
#include "core/log.h"
#include "core/mem.h"

/* Who reads the file `agent` may take three of these for silence. */
static const double beat_s = 10;
/* A node image's update wipes the CNI directory: pods fail no longer than this. */
static const double check_s = 60;

struct upkeep {
	struct upkeep_spec spec;
	struct ev_timer beat;
	struct ev_timer check;
	/* the last fault that was logged, so that each is logged once */
	char beat_fault[ERR_TEXT_MAX];
	char install_fault[ERR_TEXT_MAX];
	bool lock_lost;
	bool installed;
};

/* rc < 0: logs err unless the last time said the same. */
static void
log_once(char last[ERR_TEXT_MAX], int rc, const struct err *err, const char *next)
{
	if (rc >= 0) {
		last[0] = '\0';
		return;
	}
	if (strcmp(last, err->text) == 0)
		return;
	log_line(LOG_LEVEL_ERROR, "%s; %s", err->text, next);
	memcpy(last, err->text, sizeof(err->text));
}

static void
on_beat(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct upkeep *upkeep = timer->data;
	const struct upkeep_spec *spec = &upkeep->spec;
	struct lock_facts facts = {.version = STATICIP_VERSION, .boot_id = spec->boot_id};
	struct err err = {0};

	(void)revents;
	if (!lock_held(spec->lock) || !publish_root_is_at(spec->options->root, spec->lock->root)) {
		log_line(LOG_LEVEL_ERROR, "the file 'agent' in %s was taken away, so another agent "
		    "could run beside this one; ending, to start anew", spec->options->root);
		upkeep->lock_lost = true;
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	facts.node_name = spec->options->node_name;
	facts.last_contact = (uint64_t)sync_state(spec->sync).last_contact;
	int rc = lock_write(spec->lock, &facts, &err);
	log_once(upkeep->beat_fault, rc, &err, "the next beat tries again");
	/* what a list took goes back to the kernel, or the first one would set the
	 * agent's size for ever (100 000 rows: 15 MiB) */
	(void)malloc_trim(0);
}

static void
keep_installed(struct upkeep *upkeep)
{
	const struct options *options = upkeep->spec.options;
	struct err err = {0};

	if (!options->install_plugin)
		return;
	int rc = install_plugin(options->plugin_file, options->install_plugin, &err);
	if (rc == INSTALL_COPIED)
		log_line(LOG_LEVEL_INFO, "installed %s as %s/staticip: it was missing or different",
		    options->plugin_file, options->install_plugin);
	upkeep->installed = rc >= 0;
	log_once(upkeep->install_fault, rc, &err, "trying again each minute");
}

static void
on_check(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct upkeep *upkeep = timer->data;

	(void)loop;
	(void)revents;
	keep_installed(upkeep);
	sync_check(upkeep->spec.sync);
}

static void
start_timer(struct upkeep *upkeep, struct ev_timer *timer, double every_s)
{
	timer->data = upkeep;
	ev_timer_set(timer, every_s, every_s);
	ev_timer_start(upkeep->spec.loop, timer);
}

struct upkeep *
upkeep_new(const struct upkeep_spec *spec)
{
	struct upkeep *upkeep = mem_new(1, sizeof(*upkeep));

	upkeep->spec = *spec;
	/* what it cannot list, keep_installed will say */
	if (spec->options->install_plugin)
		(void)install_sweep(spec->options->install_plugin, NULL);
	ev_init(&upkeep->beat, on_beat);
	ev_init(&upkeep->check, on_check);
	start_timer(upkeep, &upkeep->beat, beat_s);
	start_timer(upkeep, &upkeep->check, check_s);
	on_beat(spec->loop, &upkeep->beat, 0);
	keep_installed(upkeep);
	return upkeep;
}

void
upkeep_free(struct upkeep *upkeep)
{
	if (!upkeep)
		return;
	ev_timer_stop(upkeep->spec.loop, &upkeep->beat);
	ev_timer_stop(upkeep->spec.loop, &upkeep->check);
	mem_free(upkeep);
}

bool
upkeep_lock_lost(const struct upkeep *upkeep)
{
	return upkeep->lock_lost;
}

bool
upkeep_installed(const struct upkeep *upkeep)
{
	return upkeep->installed;
}
