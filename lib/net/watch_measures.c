#include "net/watch_measures.h"

struct family {
	const char *name, *help;
	enum metric_type type;
	double (*value)(const struct watch_stats *stats);
};

static double
value_synced(const struct watch_stats *stats)
{
	return stats->synced;
}

static double
value_contact(const struct watch_stats *stats)
{
	return stats->last_contact;
}

static double
value_lists(const struct watch_stats *stats)
{
	return (double)stats->lists;
}

static double
value_streams(const struct watch_stats *stats)
{
	return (double)stats->watches;
}

static double
value_events(const struct watch_stats *stats)
{
	return (double)stats->events;
}

static double
value_bookmarks(const struct watch_stats *stats)
{
	return (double)stats->bookmarks;
}

static double
value_expired(const struct watch_stats *stats)
{
	return (double)stats->expired;
}

static double
value_faults(const struct watch_stats *stats)
{
	return (double)stats->faults;
}

static const struct family families[] = {
    {"staticip_watch_synced", "Whether the first list of the resource is complete (1) or not (0).",
        METRIC_GAUGE, value_synced},
    {"staticip_watch_last_contact_timestamp_seconds",
        "When the API server last sent a byte on this watch, since 1970; 0 is never.",
        METRIC_GAUGE, value_contact},
    {"staticip_watch_lists_total", "Lists of the resource that were begun.", METRIC_COUNTER,
        value_lists},
    {"staticip_watch_streams_total", "Streams of changes that were begun.", METRIC_COUNTER,
        value_streams},
    {"staticip_watch_events_total", "Changes that came on the streams.", METRIC_COUNTER,
        value_events},
    {"staticip_watch_bookmarks_total", "Bookmarks that came on the streams.", METRIC_COUNTER,
        value_bookmarks},
    {"staticip_watch_expired_total",
        "How often the API server no longer had the changes since the last one seen.",
        METRIC_COUNTER, value_expired},
    {"staticip_watch_faults_total", "Lists and streams that failed.", METRIC_COUNTER,
        value_faults},
};

void
watch_measure(struct metrics *metrics, const struct measured_watch *watches, unsigned count)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct family *family = &families[i];
		metrics_family(metrics, family->name, family->type, family->help);
		for (unsigned j = 0; j < count; j++)
			if (watches[j].stats)
				metrics_value(metrics, family->value(watches[j].stats),
				    "resource", watches[j].resource, NULL);
	}
}

bool
watch_progress_look(
    struct watch_progress *progress, const struct watch_stats *stats, double now)
{
	uint64_t done = stats->lists + stats->watches + stats->events + stats->bookmarks +
	    stats->expired + stats->faults;

	if (progress->since <= 0 || done != progress->done ||
	    stats->last_contact != progress->contact)
		*progress = (struct watch_progress){
		    .done = done, .contact = stats->last_contact, .since = now};
	return now - progress->since < WATCH_STUCK_S;
}
