#include "controller/tables.h"

#include <stdio.h>
#include <string.h>

#include "controller/tables_private.h"
#include "core/mem.h"
#include "table/key.h"
#include "table/table.h"

static int
compare_line(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

int
tables_compare_shared(const void *a, const void *b)
{
	return strcmp(((const struct shared *)a)->key, ((const struct shared *)b)->key);
}

struct tables *
tables_new(unsigned buckets, const struct tables_events *events, void *cookie)
{
	struct tables *tables = mem_new(1, sizeof(*tables));

	tables->buckets = mem_new(buckets, sizeof(*tables->buckets));
	tables->count = tables->unknown = buckets;
	tables->profiles = tree_make(tables_compare_shared);
	tables->places = places_make();
	tables->events = events;
	tables->cookie = cookie;
	for (unsigned i = 0; i < buckets; i++) {
		tables->buckets[i].lines = tree_make(compare_line);
		tables->buckets[i].dirty = true; /* an empty bucket is written empty */
	}
	return tables;
}

unsigned
tables_buckets(const struct tables *tables)
{
	return tables->count;
}

static void
unshare(struct tables *tables, struct shared *shared)
{
	if (!shared || --shared->users)
		return;
	/* a newer text of the same profile may stand there by now */
	if (tree_find(&tables->profiles, shared) == shared)
		(void)tree_remove(&tables->profiles, shared);
	mem_free(shared->key);
	mem_free(shared->json);
	mem_free(shared);
}

static void
free_line(struct tables *tables, struct line *line)
{
	unshare(tables, line->profile);
	mem_free(line->key);
	mem_free(line->json);
	mem_free(line->ips);
	mem_free(line);
}

void
tables_free(struct tables *tables)
{
	if (!tables)
		return;
	for (unsigned i = 0; i < tables->count; i++) {
		struct bucket *bucket = &tables->buckets[i];
		scoped_free void **lines = tree_items(&bucket->lines);
		for (size_t k = 0; k < bucket->lines.count; k++)
			free_line(tables, lines[k]);
		tree_release(&bucket->lines, NULL);
		tables_settled(tables, i);
		mem_free(bucket->text);
	}
	tree_release(&tables->profiles, NULL);
	places_release(&tables->places);
	mem_free(tables->buckets);
	mem_free(tables);
}

static struct bucket *
bucket_of(const struct tables *tables, const char *key)
{
	return &tables->buckets[key_bucket(key, tables->count)];
}

static struct line *
find_line(const struct bucket *bucket, const char *key)
{
	char copy[KEY_MAX + 1];
	struct line wanted = {.key = copy};

	(void)snprintf(copy, sizeof(copy), "%s", key);
	return tree_find(&bucket->lines, &wanted);
}

static char *
profile_json(const struct holding *holding)
{
	struct buf out = buf_make(ROW_BYTES_MAX);
	struct profile profile = {.gateway_count = holding->gateway_count,
	    .routes = *holding->routes, .available = holding->available};

	(void)snprintf(profile.uid, sizeof(profile.uid), "%s", holding->uid);
	memcpy(profile.gateways, holding->gateways, sizeof(profile.gateways));
	profile_encode(&profile, &out);
	return buf_take(&out);
}

/* The profile as it is now: another text makes another shared object, so that
 * each line changes when it is set, not before. */
static struct shared *
share(struct tables *tables, const struct holding *holding)
{
	scoped_free char *json = profile_json(holding);
	struct shared *shared = mem_new(1, sizeof(*shared));

	shared->key = mem_format("!%s", holding->name);
	struct shared *found = tree_find(&tables->profiles, shared);
	if (found && strcmp(found->json, json) == 0) {
		mem_free(shared->key);
		mem_free(shared);
		found->users++;
		return found;
	}
	if (found)
		(void)tree_remove(&tables->profiles, found);
	shared->json = mem_take(&json);
	shared->users = 1;
	(void)tree_add(&tables->profiles, shared);
	return shared;
}

static char *
row_json(const struct holding *holding, const struct wanted *wanted)
{
	struct buf out = buf_make(ROW_BYTES_MAX);
	struct row row = {.ip_count = wanted->entry.ip_count,
	    .gateway_count = wanted->entry.gateway_count};

	(void)snprintf(row.profile, sizeof(row.profile), "%s", holding->name);
	memcpy(row.ips, wanted->entry.ips, row.ip_count * sizeof(*row.ips));
	if (row.gateway_count)
		memcpy(row.gateways, wanted->entry.gateways,
		    row.gateway_count * sizeof(*row.gateways));
	row_encode(&row, &out);
	return buf_take(&out);
}

/* One row more or less on the network: its network row is there as long as it
 * has rows. */
static void
count_network(struct tables *tables, const char *key, int change)
{
	char network[KEY_MAX + 1];
	size_t length = strcspn(key, "/");

	memcpy(network, key, length);
	network[length] = '\0';
	struct bucket *bucket = bucket_of(tables, network);
	struct line *line = find_line(bucket, network);
	if (!line) {
		struct buf json = buf_make(ROW_BYTES_MAX);
		struct network_row row = {.grants_required = true};
		(void)snprintf(row.domain, sizeof(row.domain), "network/%.*s", NETWORK_NAME_MAX, network);
		network_row_encode(&row, &json);
		line = mem_new(1, sizeof(*line));
		*line = (struct line){.key = mem_text(network), .json = buf_take(&json),
		    .state = ROW_PENDING};
		(void)tree_add(&bucket->lines, line);
		bucket->dirty = true;
	}
	line->rows += (unsigned)change;
	if (line->rows)
		return;
	free_line(tables, tree_remove(&bucket->lines, line));
	bucket->dirty = true;
}

static void
set_ips(struct line *line, const struct entry *entry)
{
	mem_free(line->ips);
	line->ips = mem_new(entry->ip_count, sizeof(*line->ips));
	line->ip_count = entry->ip_count;
	for (unsigned i = 0; i < entry->ip_count; i++)
		line->ips[i] = entry->ips[i].ip;
}

void
tables_set(struct tables *tables, const struct holding *holding, const struct wanted *row)
{
	struct bucket *bucket = bucket_of(tables, row->key);
	struct line *line = find_line(bucket, row->key);
	struct shared *profile = share(tables, holding);
	scoped_free char *json = row_json(holding, row);

	if (line && line->profile == profile && strcmp(line->json, json) == 0) {
		unshare(tables, profile);
		return;
	}
	if (!line) {
		line = mem_new(1, sizeof(*line));
		line->key = mem_text(row->key);
		(void)tree_add(&bucket->lines, line);
		count_network(tables, row->key, 1);
	}
	unshare(tables, line->profile);
	line->profile = profile;
	mem_free(line->json);
	line->json = mem_take(&json);
	set_ips(line, &row->entry);
	line->state = ROW_PENDING;
	bucket->dirty = true;
	bucket->marked = false; /* it may be published: after a start */
}

void
tables_drop(struct tables *tables, const char *key)
{
	struct bucket *bucket = bucket_of(tables, key);
	struct line *line = find_line(bucket, key);

	if (!line)
		return;
	(void)tree_remove(&bucket->lines, line);
	free_line(tables, line);
	count_network(tables, key, -1);
	bucket->dirty = true;
}

enum row_state
tables_row_state(const struct tables *tables, const char *key)
{
	const struct line *line = find_line(bucket_of(tables, key), key);

	return line ? line->state : ROW_NONE;
}

static bool
text_has(const struct bucket *bucket, const char *key, const char *json)
{
	struct table_line found;

	return bucket->valid &&
	    table_find(bucket->text, bucket->length, key, &found, NULL) == 1 &&
	    found.json_length == strlen(json) && memcmp(found.json, json, found.json_length) == 0;
}

/* Compares each wanted line with the published text. */
void
tables_mark_published(struct tables *tables, struct bucket *bucket)
{
	scoped_free void **lines = tree_items(&bucket->lines);

	for (size_t i = 0; i < bucket->lines.count; i++) {
		struct line *line = lines[i];
		enum row_state before = line->state;
		bool there = text_has(bucket, line->key, line->json) &&
		    (!line->profile || text_has(bucket, line->profile->key, line->profile->json));
		if (there)
			line->state = ROW_PUBLISHED;
		else if (before == ROW_PUBLISHED)
			line->state = ROW_PENDING;
		if (line->profile && line->state != before)
			tables->events->moved(tables->cookie, line->profile->key + 1);
	}
}

/* Rows that waited for an address elsewhere may go now. */
static void
wake_waiting(struct tables *tables)
{
	for (unsigned i = 0; i < tables->count; i++)
		if (tables->buckets[i].waiting)
			tables->buckets[i].dirty = true;
}

static void
forget_sending(struct tables *tables, unsigned number, struct sending *sending)
{
	places_remove(&tables->places, number, sending->text, sending->length);
	mem_free(sending->text);
	mem_free(sending);
}

void
tables_settled(struct tables *tables, unsigned number)
{
	struct bucket *bucket = &tables->buckets[number];

	while (bucket->sending) {
		struct sending *sending = bucket->sending;
		bucket->sending = sending->next;
		forget_sending(tables, number, sending);
		wake_waiting(tables);
	}
}

void
tables_sending(struct tables *tables, unsigned number, const char *text, size_t length)
{
	struct bucket *bucket = &tables->buckets[number];
	struct sending *sending = mem_new(1, sizeof(*sending));

	sending->text = mem_new(length + 1, 1);
	memcpy(sending->text, text, length);
	sending->length = length;
	sending->next = bucket->sending;
	bucket->sending = sending;
	places_add(&tables->places, number, text, length);
}

void
tables_force(struct tables *tables, unsigned number)
{
	tables->buckets[number].forced = true;
	tables->buckets[number].dirty = true;
}

void
tables_outrun(struct tables *tables, uint64_t generation)
{
	for (unsigned i = 0; i < tables->count; i++) {
		if (tables->buckets[i].generation > generation)
			continue;
		tables->buckets[i].generation = generation + 1;
		tables_force(tables, i);
	}
}

/* The text of a sending that arrived, its places counted already; or a copy. */
static char *
take_text(struct tables *tables, unsigned number, const char *text, size_t length)
{
	struct bucket *bucket = &tables->buckets[number];

	for (struct sending **at = &bucket->sending; *at; at = &(*at)->next) {
		struct sending *sending = *at;
		if (sending->length != length || memcmp(sending->text, text, length) != 0)
			continue;
		char *taken = mem_take(&sending->text);
		*at = sending->next;
		mem_free(sending);
		return taken;
	}
	char *copy = mem_new(length + 1, 1);
	memcpy(copy, text, length);
	places_add(&tables->places, number, copy, length);
	return copy;
}

/* A generation near the end of the numbers is no controller's: it would leave no
 * room for the next. */
static bool
is_table(const char *text, size_t length, struct table_header *header)
{
	return text && table_verify(text, length, header, NULL) == 0 &&
	    header->generation < UINT64_MAX / 2;
}

bool
tables_observe(struct tables *tables, unsigned number, const char *text, size_t length)
{
	struct bucket *bucket = &tables->buckets[number];
	struct table_header header;

	bucket->dirty = true;
	bucket->marked = true;
	if (!is_table(text, length, &header)) {
		/* text and places stay: nodes keep the last good table */
		bucket->valid = false;
		tables_mark_published(tables, bucket);
		return false;
	}
	char *now = take_text(tables, number, text, length);
	if (bucket->text)
		places_remove(&tables->places, number, bucket->text, bucket->length);
	mem_free(bucket->text);
	bucket->text = now;
	bucket->length = length;
	bucket->valid = true;
	tables->unknown -= !bucket->known;
	bucket->known = true;
	if (header.generation > bucket->generation)
		bucket->generation = header.generation;
	tables_mark_published(tables, bucket);
	wake_waiting(tables);
	return true;
}

const char *
tables_text(const struct tables *tables, unsigned bucket, size_t *ret_length)
{
	*ret_length = tables->buckets[bucket].length;
	return tables->buckets[bucket].valid ? tables->buckets[bucket].text : NULL;
}

bool
tables_dirty(const struct tables *tables, unsigned bucket)
{
	return tables->buckets[bucket].dirty;
}

/* ---- incumbents --------------------------------------------------------- */

static bool
published_profile(const struct bucket *bucket, const char *name, struct profile *profile)
{
	scoped_free char *key = mem_format("!%s", name);
	struct table_line line;

	return table_find(bucket->text, bucket->length, key, &line, NULL) == 1 &&
	    profile_decode(key, line.json, line.json_length, profile, NULL) == 0;
}

void
tables_each_published(const struct tables *tables, unsigned number,
    void (*visit)(void *cookie, const char *key, const struct row *row,
        const struct profile *profile),
    void *cookie)
{
	const struct bucket *bucket = &tables->buckets[number];
	scoped_free struct profile *profile = mem_new(1, sizeof(*profile));
	struct table_line line;
	size_t offset = 0;

	while (bucket->valid && table_next(bucket->text, bucket->length, &offset, &line)) {
		char key[KEY_MAX + 1];
		struct row row;
		memcpy(key, line.key, line.key_length);
		key[line.key_length] = '\0';
		if (key_is_pod(key) && key_bucket(key, tables->count) == number &&
		    row_decode(key, line.json, line.json_length, &row, NULL) == 0 &&
		    published_profile(bucket, row.profile, profile))
			visit(cookie, key, &row, profile);
	}
}
