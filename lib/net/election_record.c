#include "net/election_record.h"

#include <json-c/json.h>
#include <string.h>

#include "core/mem.h"
#include "table/json.h"

/* ---- reading ------------------------------------------------------------------ */

static const char *
holder_of(struct json_object *spec)
{
	struct json_object *holder = json_path(spec, "holderIdentity");
	const char *text = json_path_text(spec, "holderIdentity");

	if (text)
		return text;
	/* there, but no text that we can have: somebody's */
	return holder && json_object_get_string_len(holder) > 0 ? "?" : "";
}

/* The same object keeps the order of its members. */
static bool
is_same_spec(struct json_object *a, struct json_object *b)
{
	scoped_free char *text = mem_text(a ? json_print(a) : "");

	return strcmp(text, b ? json_print(b) : "") == 0;
}

void
election_observe(struct election_seen *seen, struct json_object *lease, double now)
{
	struct json_object *before = seen->lease;
	struct json_object *spec = json_path(lease, "spec");
	int64_t duration = json_path_number(spec, "leaseDurationSeconds", 0);

	if (!before || !lease || !is_same_spec(json_path(before, "spec"), spec))
		seen->at = now;
	seen->lease = json_object_get(lease);
	seen->holder = holder_of(spec);
	seen->duration_s = duration > 0 ? (uint64_t)duration : 0;
	(void)json_object_put(before);
}

void
election_seen_release(struct election_seen *seen)
{
	(void)json_object_put(seen->lease);
	*seen = (struct election_seen){0};
}

/* ---- what follows --------------------------------------------------------------- */

enum election_step
election_next(const struct election_seen *seen, const char *identity, double now)
{
	if (!seen->lease)
		return ELECTION_CREATE;
	if (strcmp(seen->holder, identity) == 0)
		return ELECTION_RENEW;
	if (seen->holder[0] && now < seen->at + (double)seen->duration_s)
		return ELECTION_WAIT;
	return ELECTION_TAKE;
}

/* ---- writing ------------------------------------------------------------------- */

static struct json_object *
new_lease(void)
{
	struct json_object *lease = json_object_new_object();

	json_put_text(lease, "apiVersion", "coordination.k8s.io/v1");
	json_put_text(lease, "kind", "Lease");
	return lease;
}

static struct json_object *
copy_of(struct json_object *lease)
{
	struct json_object *copy = NULL;

	if (json_object_deep_copy(lease, &copy, NULL) < 0)
		mem_exhausted();
	return copy;
}

/* The member, which is made when it is not there. */
static struct json_object *
member(struct json_object *object, const char *key)
{
	struct json_object *found = json_path(object, key);

	if (found && json_object_is_type(found, json_type_object))
		return found;
	found = json_object_new_object();
	(void)json_object_object_add(object, key, found);
	return found;
}

struct json_object *
election_lease(const struct election_seen *seen, enum election_step step,
    const char *identity, uint64_t duration_s, const char *now)
{
	struct json_object *lease = seen->lease ? copy_of(seen->lease) : new_lease();
	struct json_object *spec = member(lease, "spec");
	int64_t transitions = json_path_number(spec, "leaseTransitions", 0);
	bool ends = step == ELECTION_RELEASE;

	json_put_text(spec, "holderIdentity", ends ? "" : identity);
	json_put_number(spec, "leaseDurationSeconds", ends ? 1 : duration_s);
	json_put_text(spec, "renewTime", now);
	if (step != ELECTION_RENEW || !json_path(spec, "acquireTime"))
		json_put_text(spec, "acquireTime", now);
	if (step == ELECTION_TAKE)
		transitions++;
	json_put_number(spec, "leaseTransitions", transitions > 0 ? (uint64_t)transitions : 0);
	return lease;
}
