/* The API server went back in time (etcd was restored from a backup): how that is seen, and
 * whose word counts then (holders_private.h). What it shows of grants, pods and the ledger was
 * true once. What is true now only the nodes know: each is told a spec without a grant, in a
 * new epoch, and what it reports then goes before the ledger. */
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "controller/holders_private.h"
#include "core/bounds.h"
#include "core/log.h"
#include "core/mem.h"
#include "table/grant.h"
#include "table/json.h"

static const double doubt_deadline_s = 5;

/* ---- how it is seen ---------------------------------------------------------------------- */

/* A node that was taken over must not use up the numbers: with the last one no epoch could be
 * above it, and the ledger would be rebuilt without end. */
uint64_t
back_epoch_answered(const struct holders *holders, const char *epoch)
{
	uint64_t known = (uint64_t)time(NULL);
	uint64_t of_record = 0;
	uint64_t number = 0;

	if (holders->epoch)
		(void)grant_epoch_number(holders->epoch, &of_record);
	if (of_record > known) /* the clock was wrong once */
		known = of_record;
	if (!epoch || !grant_epoch_number(epoch, &number) || number > known + TABLE_AHEAD_MAX_S)
		return 0;
	return number;
}

/* The answer is of the record's epoch, or a later one; of an earlier one it is old news. */
static bool
is_recent(const struct holders *holders, const char *answered)
{
	uint64_t of_record = 0;

	(void)grant_epoch_number(holders->epoch, &of_record);
	return back_epoch_answered(holders, answered) >= of_record;
}

static bool
is_later(const struct holders *holders, const char *answered, const char *asked,
    const struct stored *node)
{
	uint64_t of_spec = 0;

	if (strcmp(answered, asked) == 0)
		return json_path_number(node->object, "status.answer.serial", 0) >
		    json_path_number(node->object, "spec.serial", 0);
	(void)grant_epoch_number(asked, &of_spec);
	return back_epoch_answered(holders, answered) > of_spec;
}

bool
back_is_seen(const struct holders *holders, const struct stored *node)
{
	const char *to = json_path_text(node->object, "status.answer.objectUID");
	const char *answered = json_path_text(node->object, "status.answer.epoch");
	const char *asked = json_path_text(node->object, "spec.epoch");

	if (!to || !answered || !asked || !holders->epoch || strcmp(to, node->uid) != 0)
		return false;
	return is_recent(holders, answered) &&
	    (json_object_get_boolean(json_path(node->object, "status.answer.ahead")) ||
	        is_later(holders, answered, asked, node));
}

/* Tables: their generations are times, so more than a year ahead is nobody's (a node that was
 * taken over must not use up the numbers). */
void
back_check_tables(struct holders *holders, const struct stored *node)
{
	int64_t ahead = json_path_number(node->object, "status.answer.tablesAhead", 0);

	if (ahead > 0 && (uint64_t)ahead < (uint64_t)time(NULL) + TABLE_AHEAD_MAX_S)
		holders->spec.events->tables_ahead(holders->spec.cookie, (uint64_t)ahead);
}

/* ---- whose word counts -------------------------------------------------------------------- */

static bool
has_attachment(const struct stored *node, const char *uid)
{
	struct json_object *list = node ? json_path(node->object, "status.attachments") : NULL;
	size_t count =
	    json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < count; i++) {
		const char *is = json_path_text(json_object_array_get_idx(list, i), "uid");
		if (is && strcmp(is, uid) == 0)
			return true;
	}
	return false;
}

enum back_word
back_word_of(const struct holders *holders, const char *node, const char *uid)
{
	const struct machine *machine = node ? machines_find(holders->spec.machines, node) : NULL;

	if (!machine || !rebuild_counts(machine) || ahead_stands(holders, desk_find(holders, node)))
		return BACK_GIVES_WAY; /* nobody speaks for it */
	const struct stored *seen = store_find(holders->nodes, node);
	if (!rebuild_has_reported(holders, seen))
		return BACK_NOT_KNOWN;
	return has_attachment(seen, uid) ? BACK_STANDS : BACK_GIVES_WAY;
}

/* ---- for the next process -------------------------------------------------------------------- */

static void
on_doubted(void *cookie, const struct kube_answer *answer)
{
	struct holders *holders = cookie;

	holders->doubting = NULL;
	if (!answer->ok && answer->status != 404)
		log_line(LOG_LEVEL_ERROR, "the record of the ledger could not be emptied: %s; unless a "
		    "node tells that it is ahead, what was granted since the backup can be granted "
		    "again: delete ConfigMap " RECORD " by hand",
		    answer->err.text);
	holders->doubted(holders->doubted_cookie);
}

void
holders_doubt(struct holders *holders, void (*done)(void *cookie), void *cookie)
{
	scoped_free char *path = mem_format(
	    "/api/v1/namespaces/%s/configmaps/" RECORD, holders->tables_namespace);
	scoped_json *object = json_object_new_object();
	struct json_object *metadata = json_object_new_object();

	holders->doubted = done;
	holders->doubted_cookie = cookie;
	json_put_text(object, "apiVersion", "v1");
	json_put_text(object, "kind", "ConfigMap");
	json_put_text(metadata, "name", RECORD);
	json_object_object_add(object, "metadata", metadata);
	/* whatever it says by now: the version that we know is one of a time that is lost */
	holders->doubting = kube_call(holders->spec.kube, "PUT", path, NULL, NULL, object,
	    doubt_deadline_s, on_doubted, holders);
}
