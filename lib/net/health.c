#include "net/health.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "net/process.h"
#include "net/serve.h"
#include "net/turns.h"

struct checks {
	const char *name; /* of the page */
	struct health_check list[HEALTH_CHECKS_MAX];
	unsigned count;
};

struct health {
	struct health_spec spec;
	struct checks live, ready;
	struct turns *turns;
	struct serve *serve, *metrics_serve;
	uint64_t scrapes;
	char where[SERVE_ADDRESS_TEXT_MAX], metrics_where[SERVE_ADDRESS_TEXT_MAX];
};

/* ---- the pages -------------------------------------------------------------- */

/* One line for the check; returns whether it is good. */
static bool
look(const struct health_check *check, struct buf *text)
{
	scoped_buf why = buf_make(ERR_TEXT_MAX);
	bool good = check->good(check->cookie, &why);

	if (good)
		(void)buf_print(text, "[+]%s ok\n", check->name);
	else
		(void)buf_print(text, "[-]%s failed: %s\n", check->name, buf_string(&why));
	return good;
}

static void
page_checks(void *cookie, const struct serve_request *request, struct serve_answer *answer)
{
	const struct checks *checks = cookie;
	bool good = true;

	answer->body = buf_make(HEALTH_TEXT_MAX);
	(void)buf_text(&answer->body, "[+]loop ok\n"); /* it is what answers */
	for (unsigned i = 0; i < checks->count; i++)
		good &= look(&checks->list[i], &answer->body);
	if (good && !serve_asked(request, "verbose")) {
		buf_clear(&answer->body);
		(void)buf_text(&answer->body, "ok\n");
		return;
	}
	if (!good)
		answer->status = 500;
	(void)buf_print(&answer->body, "%s check %s\n", checks->name, good ? "passed" : "failed");
}

static void
page_metrics(void *cookie, const struct serve_request *request, struct serve_answer *answer)
{
	struct health *health = cookie;
	struct metrics *metrics = metrics_new();
	const struct buf *text;
	struct err err = {0};

	(void)request;
	health->scrapes++;
	process_metrics(metrics, health->spec.component);
	turns_metrics(health->turns, metrics);
	metrics_one(metrics, "staticip_scrapes_total", METRIC_COUNTER,
	    "How often these measurements were asked for.", (double)health->scrapes);
	health->spec.measure(health->spec.cookie, metrics);
	answer->body = buf_make(METRICS_BYTES_MAX);
	if (metrics_text(metrics, &text, &err)) {
		answer->status = 500;
		(void)buf_print(&answer->body, "%s\n", err.text);
	} else {
		answer->content_type = METRICS_CONTENT_TYPE;
		(void)buf_add(&answer->body, buf_string(text), text->length);
	}
	metrics_free(metrics);
}

/* ---- start and end ---------------------------------------------------------- */

static void
copy_checks(struct checks *checks, const char *name, const struct health_check *list,
    unsigned count)
{
	assert(count <= HEALTH_CHECKS_MAX);
	checks->name = name;
	checks->count = count;
	if (count)
		memcpy(checks->list, list, count * sizeof(*list));
}

static int
start_health(struct health *health, struct err *err)
{
	const struct serve_route routes[] = {
	    {"/livez", page_checks, &health->live},
	    {"/readyz", page_checks, &health->ready},
	    {"/metrics", page_metrics, health},
	};
	int fd = serve_listen("health-address", &health->spec.addresses.health, err);

	if (fd < 0)
		return fd;
	serve_address_print(fd, health->where);
	health->serve = serve_new(health->spec.loop, fd, routes, 3, err);
	return health->serve ? 0 : -err->code;
}

static int
start_metrics(struct health *health, struct err *err)
{
	const struct serve_route routes[] = {{"/metrics", page_metrics, health}};
	int fd = serve_listen("metrics-address", &health->spec.addresses.metrics, err);

	if (fd < 0)
		return fd;
	serve_address_print(fd, health->metrics_where);
	health->metrics_serve = serve_new(health->spec.loop, fd, routes, 1, err);
	return health->metrics_serve ? 0 : -err->code;
}

struct health *
health_new(const struct health_spec *spec, struct err *err)
{
	struct health *health = mem_new(1, sizeof(*health));
	int rc = 0;

	health->spec = *spec;
	(void)snprintf(health->where, sizeof(health->where), "nowhere");
	(void)snprintf(health->metrics_where, sizeof(health->metrics_where), "nowhere");
	copy_checks(&health->live, "livez", spec->live, spec->live_count);
	copy_checks(&health->ready, "readyz", spec->ready, spec->ready_count);
	health->turns = turns_new(spec->loop);
	if (!spec->addresses.health.off)
		rc = start_health(health, err);
	if (!rc && !spec->addresses.metrics.off)
		rc = start_metrics(health, err);
	if (!rc)
		return health;
	health_free(health);
	return NULL;
}

void
health_free(struct health *health)
{
	if (!health)
		return;
	serve_free(health->metrics_serve);
	serve_free(health->serve);
	turns_free(health->turns);
	mem_free(health);
}

const char *
health_where(const struct health *health)
{
	return health->where;
}

const char *
health_metrics_where(const struct health *health)
{
	return health->metrics_where;
}
