/* Which refusals of tables are news, and the Event that people see with kubectl. */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include <stdbool.h>

struct recorder;
struct report;

struct report_refusal {
	unsigned bucket; /* >= buckets for a ConfigMap that names none (A1) */
	const char *namespace;
	const char *name; /* the ConfigMap's */
	const char *uid;  /* "" = unknown */
	const char *note; /* the whole sentence */
};

/* recorder must outlive the report; NULL = no events. */
struct report *report_new(struct recorder *recorder, unsigned buckets);
void report_free(struct report *report);

/* Returns whether this is news (another note than the bucket's last one): then it
 * belongs in the log, and an event was sent (the recorder limits how many). */
bool report_refused(struct report *report, const struct report_refusal *refusal);
/* The bucket is good again: the next refusal is news. */
void report_good(struct report *report, unsigned bucket);

#endif
