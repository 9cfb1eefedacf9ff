/* Measurements as text, in Prometheus' exposition format 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Pure: who is asked for his
 * measurements writes them; nothing is kept here between two questions.
 *
 *	metrics_family(m, "staticip_watch_faults_total", METRIC_COUNTER, "Failures of …");
 *	metrics_value(m, 3, "resource", "pods", NULL);
 *
 * Names are staticip_…, with the base unit (_seconds, _bytes) and, for a counter and
 * for nothing else, _total (prometheus.io/docs/practices/naming). */
#ifndef NET_METRICS_H
#define NET_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;

/* A counter of how often which size was met: counts[i] of those up to bounds[i] and
 * above the one before; the last of those above all bounds. */
enum { HISTOGRAM_BOUNDS_MAX = 16 };
struct histogram {
	const double *bounds; /* ascending, the caller's */
	unsigned bound_count; /* up to HISTOGRAM_BOUNDS_MAX */
	uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
	double sum;
};
void histogram_observe(struct histogram *histogram, double value);

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);

/* Begins a family: what follows, up to the next one, are its samples. A name is begun
 * once (asserted, and its form). Both strings are copied. */
void metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
    const char *help);
/* One sample of the family, with pairs of label name and label value, both strings,
 * and a NULL at the end. Values are escaped; bytes that are no UTF-8 become U+FFFD. The
 * caller does not give the same labels twice in one family. */
void metrics_value(struct metrics *metrics, double value, ...) __attribute__((sentinel));
/* The same for a family that is a histogram. */
void metrics_histogram(struct metrics *metrics, const struct histogram *histogram, ...)
    __attribute__((sentinel));

/* A family of one sample without labels. */
void metrics_one(struct metrics *metrics, const char *name, enum metric_type type,
    const char *help, double value);

/* The whole text; 0, or -EFBIG when it is over METRICS_BYTES_MAX. The buffer is the
 * metrics' until metrics_free. */
int metrics_text(const struct metrics *metrics, const struct buf **ret_text, struct err *err);

#endif
