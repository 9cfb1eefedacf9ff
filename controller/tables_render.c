/* What a bucket should say now (tables.h). */
#include <string.h>

#include "controller/tables_private.h"
#include "core/mem.h"
#include "table/table.h"

struct choice {
	struct tree profiles; /* of the chosen lines */
	size_t bytes;
};

static bool
must_wait(const struct tables *tables, unsigned number, const struct line *line)
{
	if (line->state == ROW_PUBLISHED)
		return false; /* it is there: another's claim takes nothing away */
	if (tables->unknown && tables->buckets[number].known && line->ip_count)
		return true;
	for (unsigned i = 0; i < line->ip_count; i++)
		if (places_elsewhere(&tables->places, line->key, number, &line->ips[i]))
			return true;
	return false;
}

static size_t
line_bytes(const char *key, const char *json)
{
	return strlen(key) + strlen(json) + 2; /* tab and newline */
}

/* Room is kept for the header, which has about 90 bytes. */
static bool
fits(const struct choice *choice, const struct line *line)
{
	size_t more = line_bytes(line->key, line->json);

	if (line->profile && !tree_find(&choice->profiles, line->profile))
		more += line_bytes(line->profile->key, line->profile->json);
	return choice->bytes + more + 128 <= TABLE_BYTES_MAX;
}

static void
choose(struct choice *choice, struct line *line)
{
	line->chosen = true;
	choice->bytes += line_bytes(line->key, line->json);
	if (line->profile && !tree_add(&choice->profiles, line->profile))
		choice->bytes += line_bytes(line->profile->key, line->profile->json);
}

/* Rows that are published already go first: a bucket that is full loses nothing
 * to a newcomer (I6). */
static void
choose_lines(struct tables *tables, unsigned number, void **lines, bool published,
    struct choice *choice)
{
	struct bucket *bucket = &tables->buckets[number];

	for (size_t i = 0; i < bucket->lines.count; i++) {
		struct line *line = lines[i];
		if ((line->state == ROW_PUBLISHED) != published)
			continue;
		if (must_wait(tables, number, line)) {
			bucket->waiting = true;
		} else if (fits(choice, line)) {
			choose(choice, line);
		} else if (line->state != ROW_FULL) {
			line->state = ROW_FULL;
			if (line->profile)
				tables->events->moved(tables->cookie, line->profile->key + 1);
		}
	}
}

static void
write_profile(void *item, void *cookie)
{
	const struct shared *shared = item;

	table_line_add(cookie, shared->key, shared->json);
}

int
tables_render(struct tables *tables, unsigned number, uint64_t now_s, struct buf *ret_text)
{
	struct bucket *bucket = &tables->buckets[number];
	struct choice choice = {.profiles = tree_make(tables_compare_shared)};
	scoped_free void **lines = tree_items(&bucket->lines);
	struct table_writer writer;

	if (!bucket->marked)
		tables_mark_published(tables, bucket);
	bucket->marked = true;
	bucket->dirty = false;
	bucket->waiting = false;
	for (size_t i = 0; i < bucket->lines.count; i++)
		((struct line *)lines[i])->chosen = false;
	choose_lines(tables, number, lines, true, &choice);
	choose_lines(tables, number, lines, false, &choice);
	table_begin(&writer);
	tree_walk(&choice.profiles, write_profile, &writer);
	tree_release(&choice.profiles, NULL);
	for (size_t i = 0; i < bucket->lines.count; i++) {
		const struct line *line = lines[i];
		if (line->chosen)
			table_line_add(&writer, line->key, line->json);
	}
	/* the clock only lifts a bucket over what a lost ConfigMap had; it never
	 * decides between two tables */
	uint64_t generation =
	    bucket->generation + 1 > now_s ? bucket->generation + 1 : now_s;
	if (table_end(&writer, generation, ret_text, NULL))
		return 0; /* cannot be: choose_lines counted */
	if (bucket->valid && !bucket->forced &&
	    table_same_body(ret_text->data, ret_text->length, bucket->text, bucket->length)) {
		/* after a start: the rows were published before they were wanted */
		tables_mark_published(tables, bucket);
		return 0;
	}
	bucket->generation = generation;
	bucket->forced = false;
	return 1;
}
