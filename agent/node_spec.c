#include "agent/node_spec.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"
#include "table/table.h"

/* One line to be: lines are sorted before they are written. */
struct line {
	char key[GRANT_KEY_MAX + 1];
	struct buf json;
};

struct lines {
	struct line *list;
	size_t count;
};

static void
lines_release(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		buf_release(&lines->list[i].json);
	mem_free(lines->list);
	*lines = (struct lines){0};
}
#define scoped_lines __attribute__((cleanup(lines_release))) struct lines

static struct line *
add_line(struct lines *lines, const char *key)
{
	struct line *line = &lines->list[lines->count++];

	(void)snprintf(line->key, sizeof(line->key), "%s", key);
	line->json = buf_make(ROW_BYTES_MAX);
	return line;
}

static int
refuse(struct err *err, enum node_rule rule, const char *name)
{
	if (err)
		err->code = (int)rule;
	(void)err_wrap(err, "%s", name);
	return -(int)rule;
}

/* ---- reading ---------------------------------------------------------------- */

static int
read_head(struct json_object *spec, const char *node, const char *uid,
    struct grant_head *head, struct err *err)
{
	const char *epoch = "";
	int rc = json_get_text(spec, "epoch", "spec", true, EPOCH_MAX, &epoch, err);

	if (!rc)
		rc = json_get_number(
		    spec, "serial", "spec", true, INT64_MAX, &head->serial, err);
	if (!rc && !epoch[0])
		rc = err_set(err, EINVAL, "spec.epoch is empty");
	if (rc)
		return refuse(err, NODE_N1_HEAD, "N1");
	(void)snprintf(head->node, sizeof(head->node), "%s", node);
	(void)snprintf(head->object, sizeof(head->object), "%s", uid);
	(void)snprintf(head->epoch, sizeof(head->epoch), "%s", epoch);
	return 0;
}

/* The object's members are a row's in long words; the table's decoder is the judge. */
static struct json_object *
renamed(struct json_object *item, const char *const names[][2], size_t count)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < count; i++) {
		struct json_object *value = json_path(item, names[i][0]);
		if (value)
			json_object_object_add(object, names[i][1], json_object_get(value));
	}
	return object;
}

/* It becomes a key of the table: no tab, no newline, nothing but two names. */
static int
check_allocation(const char *name, struct err *err)
{
	const char *slash = strchr(name, '/');
	scoped_free char *namespace = mem_format("%.*s", slash ? (int)(slash - name) : 0, name);

	if (slash && key_label_valid(namespace) && key_subdomain_valid(slash + 1))
		return 0;
	return err_set(err, EINVAL, "'%.100s' is no name of an allocation", name);
}

static int
read_profile(struct json_object *item, const char *where, struct lines *lines,
    struct err *err)
{
	static const char *const names[][2] = {
	    {"uid", "uid"}, {"gateways", "gw"}, {"routes", "routes"}};
	scoped_json *json = renamed(item, names, sizeof(names) / sizeof(names[0]));
	struct profile profile;
	const char *name = "";
	char key[GRANT_KEY_MAX + 1];
	int rc = json_get_text(
	    item, "name", where, true, sizeof(profile.allocation) - 1, &name, err);

	if (!rc)
		rc = check_allocation(name, err);
	if (rc)
		return rc;
	const char *text = json_print(json);
	(void)snprintf(key, sizeof(key), "!%s", name);
	rc = profile_decode(key, text, strlen(text), &profile, err);
	if (!rc)
		profile_encode(&profile, &add_line(lines, key)->json);
	return rc;
}

/* The key must be a pod's, part by part. */
static int
check_key(const char *key, struct err *err)
{
	char made[KEY_MAX + 1];
	scoped_free char *copy = mem_text(key);
	char *rest = copy;
	const char *network = strsep(&rest, "/");
	const char *namespace = strsep(&rest, "/");
	const char *pod = strsep(&rest, "/");

	if (!namespace || !pod)
		return err_set(err, EINVAL, "'%.200s' is no key of a pod", key);
	return key_pod(made, network, namespace, pod, rest, err);
}

/* As many bytes of UTF-8 as there is room for, and no part of a character. */
static size_t
cut_length(const char *text, size_t room)
{
	size_t length = strlen(text);

	if (length <= room)
		return length;
	while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

/* The schema allows as many characters as the table has bytes. */
static void
cut_words(struct json_object *json)
{
	const char *why = json_path_text(json, "why");
	size_t length = why ? cut_length(why, GRANT_WORDS_MAX) : 0;

	if (why && why[length])
		json_object_object_add(
		    json, "why", json_object_new_string_len(why, (int)length));
}

static int
read_state(struct json_object *item, const char *where, struct grant *grant, struct err *err)
{
	static const char *const names[][2] = {{"state", "state"}, {"domain", "domain"},
	    {"ips", "ips"}, {"gateways", "gw"}, {"profile", "p"}, {"message", "why"}};
	scoped_json *json = renamed(item, names, sizeof(names) / sizeof(names[0]));

	cut_words(json);
	const char *text = json_print(json);
	return grant_decode(where, text, strlen(text), grant, err);
}

static int
read_row(struct json_object *item, const char *where, struct lines *lines, struct err *err)
{
	const char *pod_key = "";
	const char *uid = "";
	struct grant grant;
	char key[GRANT_KEY_MAX + 1];
	int rc = json_get_text(item, "key", where, true, KEY_MAX, &pod_key, err);

	if (!rc)
		rc = json_get_text(item, "uid", where, true, POD_UID_MAX, &uid, err);
	if (!rc)
		rc = check_key(pod_key, err);
	if (!rc)
		rc = grant_key(key, pod_key, uid, err);
	if (!rc)
		rc = read_state(item, where, &grant, err);
	if (rc)
		return rc;
	grant_encode(&grant, &add_line(lines, key)->json);
	return 0;
}

static int
read_list(struct json_object *spec, const char *name,
    int (*read)(struct json_object *, const char *, struct lines *, struct err *),
    struct lines *lines, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(spec, name, "spec", false, GRANTS_MAX, &array, err);
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		char where[48];
		(void)snprintf(where, sizeof(where), "spec.%.20s[%zu]", name, i);
		rc = read(json_object_array_get_idx(array, i), where, lines, err);
		if (rc && err && !strstr(err->text, where))
			(void)err_wrap(err, "%s", where);
	}
	return rc;
}

static int
read_revocation(struct json_object *item, const char *where, struct revocation *ret_revoked,
    struct err *err)
{
	int rc = json_get_text(item, "uid", where, true, POD_UID_MAX, &ret_revoked->uid, err);

	return rc ? rc : json_get_bool(item, "silence", where, &ret_revoked->silence, err);
}

static int
read_revoked(struct json_object *spec, struct node_spec *ret_spec, struct err *err)
{
	struct json_object *array = NULL;
	int rc = json_get_array(spec, "revoked", "spec", false, GRANTS_MAX, &array, err);
	size_t count = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; !rc && i < count; i++) {
		char where[40];
		(void)snprintf(where, sizeof(where), "spec.revoked[%zu]", i);
		rc = read_revocation(
		    json_object_array_get_idx(array, i), where, &ret_spec->revoked[i], err);
	}
	ret_spec->revoked_count = (unsigned)count;
	return rc;
}

/* ---- writing ---------------------------------------------------------------- */

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->key, ((const struct line *)b)->key);
}

static int
check_profiles(const struct lines *lines, struct err *err)
{
	for (size_t i = 0; i < lines->count; i++) {
		struct grant grant;
		struct line wanted;
		const struct line *line = &lines->list[i];
		if (line->key[0] == '!' || strcmp(line->key, GRANT_HEAD_KEY) == 0)
			continue;
		if (grant_decode(line->key, buf_string(&line->json), line->json.length, &grant, err))
			return -EINVAL;
		if (grant.state != GRANT_GIVEN)
			continue;
		(void)snprintf(wanted.key, sizeof(wanted.key), "!%s", grant.row.profile);
		if (!bsearch(&wanted, lines->list, lines->count, sizeof(wanted), compare_lines))
			return err_set(err, EINVAL, "row %.200s names profile %.100s, which is not there",
			    line->key, grant.row.profile);
	}
	return 0;
}

static int
write_table(struct lines *lines, uint64_t serial, struct buf *out, struct err *err)
{
	struct table_writer writer;

	qsort(lines->list, lines->count, sizeof(*lines->list), compare_lines);
	for (size_t i = 1; i < lines->count; i++)
		if (strcmp(lines->list[i - 1].key, lines->list[i].key) == 0)
			return err_set(err, EINVAL, "%.300s is there twice", lines->list[i].key);
	int rc = check_profiles(lines, err);
	if (rc)
		return rc;
	table_begin(&writer);
	for (size_t i = 0; i < lines->count; i++)
		table_line_add(&writer, lines->list[i].key, buf_string(&lines->list[i].json));
	return table_end(&writer, serial, out, err);
}

static int
read_lines(struct json_object *spec, struct node_spec *ret_spec, struct err *err)
{
	scoped_lines lines = {.list = mem_new(2 * GRANTS_MAX + 1, sizeof(struct line))};

	ret_spec->text = buf_make(TABLE_BYTES_MAX);
	grant_head_encode(&ret_spec->head, &add_line(&lines, GRANT_HEAD_KEY)->json);
	int rc = read_list(spec, "profiles", read_profile, &lines, err);
	if (!rc)
		rc = read_list(spec, "rows", read_row, &lines, err);
	if (!rc)
		rc = read_revoked(spec, ret_spec, err);
	if (!rc)
		rc = write_table(&lines, ret_spec->head.serial, &ret_spec->text, err);
	if (!rc)
		return 0;
	buf_release(&ret_spec->text);
	return refuse(err, NODE_N2_ROWS, "N2");
}

int
node_spec_read(struct json_object *object, const char *node, const char *uid,
    struct node_spec *ret_spec, struct err *err)
{
	struct json_object *spec = NULL;
	struct node_spec *read = ret_spec;

	memset(read, 0, sizeof(*read));
	if (json_get_object(object, "spec", "StaticIPNode", true, &spec, err))
		return refuse(err, NODE_N1_HEAD, "N1");
	int rc = read_head(spec, node, uid, &read->head, err);
	return rc ? rc : read_lines(spec, read, err);
}

void
node_spec_release(struct node_spec *spec)
{
	buf_release(&spec->text);
}

/* ---- what follows what ------------------------------------------------------ */

static bool
head_of(const char *text, size_t length, struct grant_head *ret_head)
{
	struct table_line line;

	return table_find(text, length, GRANT_HEAD_KEY, &line, NULL) == 1 &&
	    grant_head_decode(line.json, line.json_length, ret_head, NULL) == 0;
}

bool
node_spec_in_force(const char *in_force, size_t length, struct grant_head *ret_head)
{
	struct table_header header;

	return in_force && table_verify(in_force, length, &header, NULL) == 0 &&
	    head_of(in_force, length, ret_head);
}

static int
compare_epochs(const struct node_spec *next, const struct grant_head *head, struct err *err)
{
	uint64_t before;
	uint64_t after;

	if (!grant_epoch_number(head->epoch, &before) ||
	    !grant_epoch_number(next->head.epoch, &after) || after >= before)
		return NODE_PUBLISH;
	return err_set(err, NODE_N3_SERIAL, "N3: its epoch %s is before the %s in force",
	    next->head.epoch, head->epoch);
}

int
node_spec_successor(const struct node_spec *next, const char *in_force, size_t length,
    struct err *err)
{
	struct grant_head head;

	if (!node_spec_in_force(in_force, length, &head))
		return NODE_PUBLISH;
	if (strcmp(head.epoch, next->head.epoch) != 0)
		return compare_epochs(next, &head, err);
	if (next->head.serial < head.serial)
		return err_set(err, NODE_N3_SERIAL,
		    "N3: its serial %" PRIu64 " is lower than the %" PRIu64
		    " in force, in the same epoch %s",
		    next->head.serial, head.serial, head.epoch);
	if (next->head.serial > head.serial)
		return NODE_PUBLISH;
	if (next->text.length == length && memcmp(next->text.data, in_force, length) == 0)
		return NODE_SAME;
	return err_set(err, NODE_N4_BYTES,
	    "N4: its serial %" PRIu64 " is in force with another content", head.serial);
}
