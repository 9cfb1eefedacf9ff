/* Rules A1 to A5 on whatever the API server may send as a ConfigMap: no crash, and
 * what passes is a table in which every row is found again. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/verify.h"
#include "core/bounds.h"
#include "core/hash.h"
#include "core/mem.h"
#include "table/json.h"

enum { BUCKETS = 64, BUCKET = 7 };

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
every_row_is_found(const struct verified *table)
{
	struct table_line line;
	struct table_line found;
	size_t offset = 0;
	uint32_t rows = 0;

	while (table_next(table->text, table->length, &offset, &line)) {
		char key[KEY_MAX + 1];
		must(line.key_length <= KEY_MAX);
		(void)snprintf(key, sizeof(key), "%.*s", (int)line.key_length, line.key);
		must(table_find(table->text, table->length, key, &found, NULL) == 1);
		must(found.json == line.json && found.json_length == line.json_length);
		rows++;
	}
	must(rows == table->header.rows);
}

/* Without this nothing mutated would get past the checksum. */
static void
put_sum_right(struct json_object *map)
{
	struct json_object *data = json_path(map, "data");
	const char *text = json_path_text(map, "data.table");
	const char *body = text ? strchr(text, '\n') : NULL;
	char sum[20];

	if (!body || body - text < 21 || memcmp(body - 21, " sum=", 5) != 0)
		return;
	uint64_t hash = hash_bytes(HASH_START, text, (size_t)(body - 21 - text));
	hash = hash_bytes(hash, body + 1, strlen(body + 1));
	(void)snprintf(sum, sizeof(sum), "%016" PRIx64, hash);
	char *copy = mem_text(text);
	memcpy(copy + (body - 16 - text), sum, 16);
	json_object_object_del(data, "table");
	json_put_text(data, "table", copy);
	mem_free(copy);
}

static void
judge(struct json_object *map)
{
	const char *name = json_path_text(map, "metadata.name");
	struct verified table;
	unsigned bucket = BUCKETS;
	struct err err = {0};

	if (name && verify_name(name, BUCKETS, &bucket, &err) == 0)
		must(bucket < BUCKETS);
	put_sum_right(map);
	int rc = verify_config_map(map, BUCKET, BUCKETS, &table, &err);
	must(rc == 0 || (rc == -err.code && err.text[0] == 'A'));
	if (rc)
		return;
	every_row_is_found(&table);
	must(verify_successor(&table, &table, &err) == VERIFY_SAME);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct json_object *parsed = NULL;
	const char *text = length ? (const char *)bytes : "";

	if (json_parse(text, length, "input", &parsed, NULL) == 0) {
		judge(parsed);
		json_object_put(parsed);
	}
	return 0;
}
