#include "net/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/tree.h"
#include "core/utf8.h"

struct metrics {
	struct buf text;
	struct tree names; /* of the families begun */
	const char *family;
	enum metric_type type;
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

struct metrics *
metrics_new(void)
{
	struct metrics *metrics = mem_new(1, sizeof(*metrics));

	metrics->text = buf_make(METRICS_BYTES_MAX);
	metrics->names = tree_make(compare_names);
	return metrics;
}

void
metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	tree_release(&metrics->names, mem_free);
	buf_release(&metrics->text);
	mem_free(metrics);
}

void
histogram_observe(struct histogram *histogram, double value)
{
	unsigned i = 0;

	assert(histogram->bound_count <= HISTOGRAM_BOUNDS_MAX);
	while (i < histogram->bound_count && value > histogram->bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += value;
}

/* ---- names and texts -------------------------------------------------------- */

/* [a-zA-Z_][a-zA-Z0-9_]*: what a label may be called, and, since the colon is for
 * recording rules, a family too. */
static bool
name_valid(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789");

	return name[0] && strchr(letters, name[0]) && name[length] == '\0';
}

static bool
ends_in(const char *name, const char *end)
{
	size_t length = strlen(name);

	return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

/* Help escapes backslash and newline, a label's value the quote as well. */
static void
add_escaped(struct buf *text, const char *value, bool quoted)
{
	size_t left = strlen(value);

	while (left > 0) {
		size_t length = utf8_character(value, left);
		if (length == 0)
			(void)buf_text(text, "\xef\xbf\xbd");
		else if (*value == '\n')
			(void)buf_text(text, "\\n");
		else if (*value == '\\' || (quoted && *value == '"'))
			(void)buf_print(text, "\\%c", *value);
		else
			(void)buf_add(text, value, length);
		value += length ? length : 1;
		left -= length ? length : 1;
	}
}

/* The shortest text that reads back the same. */
static void
add_number(struct buf *text, double value)
{
	char number[METRICS_NUMBER_MAX];

	if (isnan(value)) {
		(void)buf_text(text, "NaN");
		return;
	}
	if (isinf(value)) {
		(void)buf_text(text, value > 0 ? "+Inf" : "-Inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(number, sizeof(number), "%.*g", digits, value);
		if (strtod(number, NULL) == value)
			break;
	}
	(void)buf_text(text, number);
}

/* ---- families and samples --------------------------------------------------- */

void
metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
    const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	char *own = mem_text(name);
	void *twice = tree_add(&metrics->names, own);

	assert(name_valid(name) && !twice);
	assert((type == METRIC_COUNTER) == ends_in(name, "_total"));
	metrics->family = own;
	metrics->type = type;
	(void)buf_print(&metrics->text, "# HELP %s ", name);
	add_escaped(&metrics->text, help, false);
	(void)buf_print(&metrics->text, "\n# TYPE %s %s\n", name, types[type]);
}

/* le: a histogram's own label, or NULL. */
static void
add_labels(struct buf *text, va_list *pairs, const char *le)
{
	const char *separator = "{";
	const char *name;

	while ((name = va_arg(*pairs, const char *))) {
		const char *value = va_arg(*pairs, const char *);
		assert(name_valid(name) && strcmp(name, "le") != 0);
		(void)buf_print(text, "%s%s=\"", separator, name);
		add_escaped(text, value, true);
		(void)buf_text(text, "\"");
		separator = ",";
	}
	if (le)
		(void)buf_print(text, "%sle=\"%s\"", separator, le);
	if (le || *separator == ',')
		(void)buf_text(text, "}");
}

/* suffix: of a histogram's samples, else "". */
static void
add_sample(struct metrics *metrics, const char *suffix, double value, va_list pairs,
    const char *le)
{
	va_list own;

	(void)buf_print(&metrics->text, "%s%s", metrics->family, suffix);
	va_copy(own, pairs);
	add_labels(&metrics->text, &own, le);
	va_end(own);
	(void)buf_text(&metrics->text, " ");
	add_number(&metrics->text, value);
	(void)buf_text(&metrics->text, "\n");
}

void
metrics_value(struct metrics *metrics, double value, ...)
{
	va_list pairs;

	assert(metrics->family && metrics->type != METRIC_HISTOGRAM);
	va_start(pairs, value);
	add_sample(metrics, "", value, pairs, NULL);
	va_end(pairs);
}

void
metrics_histogram(struct metrics *metrics, const struct histogram *histogram, ...)
{
	uint64_t count = 0;
	va_list pairs;

	assert(metrics->family && metrics->type == METRIC_HISTOGRAM);
	va_start(pairs, histogram);
	for (unsigned i = 0; i <= histogram->bound_count; i++) {
		scoped_buf le = buf_make(METRICS_NUMBER_MAX);
		add_number(&le, i < histogram->bound_count ? histogram->bounds[i] : HUGE_VAL);
		count += histogram->counts[i];
		add_sample(metrics, "_bucket", (double)count, pairs, buf_string(&le));
	}
	add_sample(metrics, "_sum", histogram->sum, pairs, NULL);
	add_sample(metrics, "_count", (double)count, pairs, NULL);
	va_end(pairs);
}

void
metrics_one(struct metrics *metrics, const char *name, enum metric_type type,
    const char *help, double value)
{
	metrics_family(metrics, name, type, help);
	metrics_value(metrics, value, NULL);
}

int
metrics_text(const struct metrics *metrics, const struct buf **ret_text, struct err *err)
{
	int rc = buf_whole(&metrics->text, "the text of the measurements", err);

	if (!rc)
		*ret_text = &metrics->text;
	return rc;
}
