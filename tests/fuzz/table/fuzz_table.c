/* Rule: what table_verify accepts, table_next walks to its end and table_find
 * finds line by line; what it refuses, table_find survives. */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "table/key.h"
#include "table/row.h"
#include "table/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode(const char *key, const struct table_line *line)
{
	static struct profile profile;
	struct network_row network;
	struct row row;

	(void)row_decode(key, line->json, line->json_length, &row, NULL);
	(void)profile_decode(key, line->json, line->json_length, &profile, NULL);
	(void)network_row_decode(key, line->json, line->json_length, &network, NULL);
}

static void
walk(const char *text, size_t size, uint32_t rows)
{
	struct table_line line;
	struct table_line found;
	size_t offset = 0;
	uint32_t count = 0;

	while (table_next(text, size, &offset, &line)) {
		char key[KEY_MAX + 1];
		count++;
		decode("key", &line);
		if (memchr(line.key, '\0', line.key_length))
			continue; /* cannot be asked for */
		(void)snprintf(key, sizeof(key), "%.*s", (int)line.key_length, line.key);
		(void)key_bucket(key, 64);
		assert(table_find(text, size, key, &found, NULL) == 1);
		assert(found.json == line.json);
	}
	assert(count == rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct table_header header;
	struct table_line line;

	if (table_verify(text, size, &header, NULL) == 0)
		walk(text, size, header.rows);
	(void)table_find(text, size, "net/ns/pod-1", &line, NULL);
	return 0;
}
