#include "agent/report.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/hash.h"
#include "core/mem.h"
#include "net/event.h"

struct report {
	struct recorder *recorder;
	unsigned buckets;
	/* hash of each bucket's last note, 0 = none; one more for strangers */
	uint64_t *last;
};

struct report *
report_new(struct recorder *recorder, unsigned buckets)
{
	struct report *report = mem_new(1, sizeof(*report));

	report->recorder = recorder;
	report->buckets = buckets;
	report->last = mem_new(buckets + 1, sizeof(*report->last));
	return report;
}

void
report_free(struct report *report)
{
	if (!report)
		return;
	mem_free(report->last);
	mem_free(report);
}

/* Strangers share one place, and are told apart by name. */
static uint64_t
hash_of(const struct report_refusal *refusal)
{
	uint64_t hash = hash_bytes(HASH_START, refusal->name, strlen(refusal->name));

	hash = hash_bytes(hash, refusal->note, strlen(refusal->note));
	return hash ? hash : 1;
}

static void
send_event(struct report *report, const struct report_refusal *refusal)
{
	struct event_subject subject = {
	    .api_version = "v1",
	    .kind = "ConfigMap",
	    .namespace = refusal->namespace,
	    .name = refusal->name,
	    .uid = refusal->uid[0] ? refusal->uid : NULL,
	};

	/* one too many is not sent: the log has it, and more of its kind were */
	(void)recorder_event(report->recorder, &subject, true, "TableRefused", "KeepLastGood",
	    refusal->note);
}

bool
report_refused(struct report *report, const struct report_refusal *refusal)
{
	unsigned place = refusal->bucket < report->buckets ? refusal->bucket : report->buckets;
	uint64_t hash = hash_of(refusal);

	if (report->last[place] == hash)
		return false;
	report->last[place] = hash;
	if (report->recorder)
		send_event(report, refusal);
	return true;
}

void
report_good(struct report *report, unsigned bucket)
{
	assert(bucket < report->buckets);
	report->last[bucket] = 0;
}
