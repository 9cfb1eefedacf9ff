#include "controller/tables_count.h"

#include "controller/tables_private.h"
#include "table/table.h"

static void
count_line(void *item, void *cookie)
{
	const struct line *line = item;
	struct tables_count *count = cookie;

	if (line->profile)
		count->rows[line->state]++;
	else
		count->networks++;
}

static void
count_bucket(const struct bucket *bucket, struct tables_count *count)
{
	struct table_header header;

	tree_walk(&bucket->lines, count_line, count);
	count->dirty += bucket->dirty;
	count->waiting += bucket->waiting;
	if (!bucket->valid || !bucket->text ||
	    table_header_read(bucket->text, bucket->length, &header, NULL))
		return;
	count->tables++;
	count->bytes += bucket->length;
	count->generations += header.generation;
	if (header.generation > count->newest)
		count->newest = header.generation;
}

void
tables_count(const struct tables *tables, struct tables_count *ret_count)
{
	*ret_count = (struct tables_count){0};
	for (unsigned i = 0; i < tables->count; i++)
		count_bucket(&tables->buckets[i], ret_count);
}
