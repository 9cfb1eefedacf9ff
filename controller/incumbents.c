#include "controller/incumbents.h"

#include <string.h>

#include "core/mem.h"
#include "core/num.h"

struct collect {
	struct world *world;
	struct tree holdings; /* by uid */
	size_t rows;
};

static int
compare_uid(const void *a, const void *b)
{
	return strcmp(((const struct holding *)a)->uid, ((const struct holding *)b)->uid);
}

static struct holding *
make_holding(const struct declared *declared, const char *key, const struct profile *profile)
{
	struct holding *holding = mem_new(1, sizeof(*holding));
	size_t network = strcspn(key, "/");

	holding->uid = mem_text(declared->uid);
	holding->name = mem_text(declared->path);
	holding->created = mem_text(declared->created);
	holding->network = mem_format("%.*s", (int)network, key);
	holding->domain = mem_format("network/%s", holding->network);
	memcpy(holding->gateways, profile->gateways, sizeof(holding->gateways));
	holding->gateway_count = profile->gateway_count;
	holding->routes = mem_new(1, sizeof(*holding->routes));
	*holding->routes = profile->routes;
	holding->available = profile->available;
	return holding;
}

static void
add_row(struct holding *holding, const char *key, const struct row *row)
{
	holding->rows =
	    mem_resize(holding->rows, holding->row_count + 1, sizeof(*holding->rows));
	struct wanted *wanted = &holding->rows[holding->row_count++];

	*wanted = (struct wanted){.key = mem_text(key)};
	wanted->entry.ip_count = row->ip_count;
	wanted->entry.ips = mem_new(row->ip_count, sizeof(*row->ips));
	memcpy(wanted->entry.ips, row->ips, row->ip_count * sizeof(*row->ips));
	wanted->entry.gateway_count = row->gateway_count;
	wanted->entry.gateways = mem_new(row->gateway_count, sizeof(*row->gateways));
	if (row->gateway_count)
		memcpy(wanted->entry.gateways, row->gateways,
		    row->gateway_count * sizeof(*row->gateways));
}

/* Which entry has this address; entry_count when none. */
static unsigned
entry_of(const struct allocation *spec, const struct ip *ip)
{
	unsigned i = 0;

	while (i < spec->entry_count && !ip_equal(&spec->entries[i].ips[0].ip, ip))
		i++;
	return i;
}

/* A StatefulSet that is not there cannot say where its ordinals start, but the
 * published rows can: a restart must not move them. */
static void
learn_start(struct declared *declared, const char *key, const struct row *row)
{
	const struct allocation *spec = declared->spec;
	uint64_t ordinal;

	if (!spec || spec->kind != TARGET_STATEFUL_SET || declared->target->exists)
		return;
	const char *pod = strchr(strchr(key, '/') + 1, '/') + 1;
	size_t length = strcspn(pod, "/");
	size_t prefix = strlen(spec->target);
	unsigned index = entry_of(spec, &row->ips[0].ip);
	if (index == spec->entry_count || length <= prefix + 1 ||
	    memcmp(pod, spec->target, prefix) != 0 || pod[prefix] != '-' ||
	    num_parse(pod + prefix + 1, length - prefix - 1, INT32_MAX, "ordinal", &ordinal, NULL))
		return;
	if (ordinal >= index) /* else the entries were moved meanwhile */
		declared->target->start = (int64_t)ordinal - (int64_t)index;
}

static void
collect_row(void *cookie, const char *key, const struct row *row, const struct profile *profile)
{
	struct collect *collect = cookie;
	struct declared *declared = world_find(collect->world, profile->uid);

	if (!declared)
		return;
	struct holding wanted = {.uid = declared->uid};
	struct holding *holding = tree_find(&collect->holdings, &wanted);
	if (!holding) {
		holding = make_holding(declared, key, profile);
		(void)tree_add(&collect->holdings, holding);
	}
	/* a network change that was cut short: the rest of it is decided anew */
	if (strncmp(key, holding->network, strlen(holding->network)) != 0 ||
	    key[strlen(holding->network)] != '/')
		return;
	add_row(holding, key, row);
	learn_start(declared, key, row);
	collect->rows++;
}

size_t
incumbents_restore(const struct tables *tables, struct world *world, struct arbiter *arbiter)
{
	struct collect collect = {.world = world, .holdings = tree_make(compare_uid)};

	for (unsigned i = 0; i < tables_buckets(tables); i++)
		tables_each_published(tables, i, collect_row, &collect);
	size_t count = collect.holdings.count;
	scoped_free void **holdings = tree_items(&collect.holdings);
	for (size_t i = 0; i < count; i++)
		arbiter_put(arbiter, holdings[i]);
	tree_release(&collect.holdings, NULL);
	return collect.rows;
}
