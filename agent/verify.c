#include "agent/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/num.h"
#include "table/json.h"
#include "table/key.h"
#include "table/row.h"
#include "table/row.h"

int
verify_name(const char *name, unsigned buckets, unsigned *ret_bucket, struct err *err)
{
	char prefix[32];
	uint64_t bucket;

	int length = snprintf(prefix, sizeof(prefix), "table-%u-", buckets);
	const char *number = name + length;
	if (strncmp(name, prefix, (size_t)length) != 0 ||
	    num_parse(number, strlen(number), buckets - 1, "bucket", &bucket, NULL) < 0)
		return err_set(err, VERIFY_A1_NAME,
		    "A1: its name is not %sN with N from 0 to %u; if it is no table, take the "
		    "label " VERIFY_LABEL " off it",
		    prefix, buckets - 1);
	*ret_bucket = (unsigned)bucket;
	return 0;
}

static int
verify_label(struct json_object *config_map, unsigned buckets, struct err *err)
{
	struct json_object *metadata = NULL;
	struct json_object *labels = NULL;
	const char *label = "";
	char wanted[16];

	int rc = json_get_object(config_map, "metadata", "ConfigMap", true, &metadata, err);
	if (!rc)
		rc = json_get_object(metadata, "labels", "metadata", true, &labels, err);
	if (!rc)
		rc = json_get_text(
		    labels, VERIFY_LABEL, "metadata.labels", true, LABEL_MAX, &label, err);
	(void)snprintf(wanted, sizeof(wanted), "%u", buckets);
	if (rc || strcmp(label, wanted) != 0)
		return err_set(err, VERIFY_A2_LABEL,
		    "A2: its label " VERIFY_LABEL " is '%s', its name says %s", label, wanted);
	return 0;
}

static int
verify_data(struct json_object *config_map, const char **ret_text, struct err *err)
{
	struct json_object *data = NULL;
	const char *text = "";

	int rc = json_get_object(config_map, "data", "ConfigMap", true, &data, err);
	if (!rc)
		rc = json_get_text(data, "table", "data", true, TABLE_BYTES_MAX, &text, err);
	if (!rc && text[0] == '\0')
		rc = err_set(err, VERIFY_A3_DATA,
		    "data.table is empty (a bucket without rows still has a header)");
	if (rc) {
		if (err)
			err->code = VERIFY_A3_DATA;
		(void)err_wrap(err, "A3");
		return -VERIFY_A3_DATA;
	}
	*ret_text = text;
	return 0;
}

/* A profile stands in every bucket whose rows name it. */
static bool
line_belongs(const struct table_line *line, unsigned bucket, unsigned buckets)
{
	char key[KEY_MAX + 1];

	if (line->key[0] == '!')
		return true;
	(void)snprintf(key, sizeof(key), "%.*s", (int)line->key_length, line->key);
	return key_bucket(key, buckets) == bucket;
}

static int
verify_rows(const char *text, size_t length, unsigned bucket, unsigned buckets, struct err *err)
{
	struct table_line line;
	size_t offset = 0;

	while (table_next(text, length, &offset, &line))
		if (!line_belongs(&line, bucket, buckets))
			return err_set(err, VERIFY_A5_BUCKET,
			    "A5: its row '%.*s' does not belong to bucket %u of %u",
			    (int)(line.key_length > 200 ? 200 : line.key_length), line.key,
			    bucket, buckets);
	return 0;
}

int
verify_table(const char *text, size_t length, unsigned bucket, unsigned buckets,
    struct verified *ret_table, struct err *err)
{
	struct table_header header;

	if (table_verify(text, length, &header, err) < 0) {
		if (err)
			err->code = VERIFY_A4_TABLE;
		(void)err_wrap(err, "A4: its text is no table");
		return -VERIFY_A4_TABLE;
	}
	int rc = verify_rows(text, length, bucket, buckets, err);
	if (!rc)
		*ret_table = (struct verified){text, length, header};
	return rc;
}

int
verify_config_map(struct json_object *config_map, unsigned bucket, unsigned buckets,
    struct verified *ret_table, struct err *err)
{
	const char *text;

	int rc = verify_label(config_map, buckets, err);
	if (!rc)
		rc = verify_data(config_map, &text, err);
	if (!rc)
		rc = verify_table(text, strlen(text), bucket, buckets, ret_table, err);
	return rc;
}

int
verify_successor(
    const struct verified *next, const struct verified *in_force, struct err *err)
{
	if (!in_force)
		return VERIFY_PUBLISH;
	if (next->header.generation > in_force->header.generation)
		return VERIFY_PUBLISH;
	if (next->header.generation < in_force->header.generation)
		return err_set(err, VERIFY_A6_GENERATION,
		    "A6: its generation %" PRIu64 " is lower than %" PRIu64 ", which is in force",
		    next->header.generation, in_force->header.generation);
	if (next->length == in_force->length &&
	    memcmp(next->text, in_force->text, next->length) == 0)
		return VERIFY_SAME;
	return err_set(err, VERIFY_A7_BYTES,
	    "A7: its generation %" PRIu64 " is in force with other bytes; each change needs a "
	    "higher one",
	    next->header.generation);
}

bool
verify_grants_required(const struct verified *table)
{
	struct table_line line;
	size_t offset = 0;

	while (table_next(table->text, table->length, &offset, &line)) {
		struct network_row network;
		if (line.key[0] == '!' || memchr(line.key, '/', line.key_length))
			continue; /* a profile's, a pod's */
		if (network_row_decode("a network", line.json, line.json_length, &network, NULL) ||
		    !network.grants_required)
			return false;
	}
	return true;
}

int
verify_gone(struct err *err)
{
	return err_set(err, VERIFY_A8_EXISTS, "A8: it is gone, or has lost its label");
}
