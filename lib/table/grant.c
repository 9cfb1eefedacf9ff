#include "table/grant.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/num.h"
#include "core/text.h"
#include "table/json.h"
#include "table/key.h"

static const char *const state_names[GRANT_STATES] = {
    [GRANT_GIVEN] = "Granted",
    [GRANT_HELD] = "Held",
    [GRANT_REFUSED] = "Refused",
};

bool
grant_epoch_number(const char *epoch, uint64_t *ret_number)
{
	size_t digits = strspn(epoch, "0123456789");

	return (epoch[digits] == '-' || epoch[digits] == '\0') &&
	    num_parse(epoch, digits, INT64_MAX, "epoch", ret_number, NULL) == 0;
}

enum grant_state
grant_state_find(const char *name)
{
	enum grant_state state = GRANT_GIVEN;

	while (state < GRANT_STATES && strcmp(state_names[state], name) != 0)
		state++;
	return state;
}

bool
grant_uid_valid(const char *uid)
{
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	size_t length = strspn(uid, allowed);

	return length > 0 && length <= POD_UID_MAX && uid[length] == '\0';
}

int
grant_key(char *out, const char *key, const char *uid, struct err *err)
{
	if (!grant_uid_valid(uid))
		return err_set(err, EINVAL, "'%.80s' is no UID of a pod", uid);
	(void)text_join(out, GRANT_KEY_MAX + 1, key, "@", uid, NULL);
	return 0;
}

/* The row's own members stand beside the state: one object to read. */
void
grant_encode(const struct grant *grant, struct buf *out)
{
	scoped_json *object = json_object_new_object();

	json_put_text(object, "state", state_names[grant->state]);
	if (grant->state == GRANT_GIVEN) {
		json_put_text(object, "domain", grant->domain);
		row_put(&grant->row, object);
	} else {
		json_put_text(object, "why", grant->why);
	}
	(void)buf_text(out, json_print(object));
}

static int
decode_given(
    const char *key, struct json_object *object, struct grant *grant, struct err *err)
{
	const char *domain = NULL;
	int rc = json_get_text(
	    object, "domain", key, true, sizeof(grant->domain) - 1, &domain, err);

	if (rc)
		return rc;
	if (!key_domain_valid(domain))
		return err_set(err, EINVAL, "%s.domain '%s' is no domain of addresses", key, domain);
	(void)text_join(grant->domain, sizeof(grant->domain), domain, NULL);
	return row_get(key, object, &grant->row, err);
}

static int
decode_why(
    const char *key, struct json_object *object, struct grant *grant, struct err *err)
{
	const char *why = NULL;
	int rc = json_get_text(object, "why", key, true, GRANT_WORDS_MAX, &why, err);

	if (!rc)
		(void)text_join(grant->why, sizeof(grant->why), why, NULL);
	return rc;
}

int
grant_decode(const char *key, const char *json, size_t length, struct grant *ret_grant,
    struct err *err)
{
	scoped_json *object = NULL;
	const char *state = NULL;
	struct grant *grant = ret_grant;
	int rc = json_parse(json, length, key, &object, err);

	memset(grant, 0, sizeof(*grant));
	if (!rc)
		rc = json_get_text(object, "state", key, true, 16, &state, err);
	if (rc)
		return rc;
	grant->state = grant_state_find(state);
	if (grant->state == GRANT_STATES)
		return err_set(err, EINVAL, "%s.state is '%s', which is no state of a grant", key,
		    state);
	return grant->state == GRANT_GIVEN ? decode_given(key, object, grant, err)
	                                   : decode_why(key, object, grant, err);
}

void
grant_head_encode(const struct grant_head *head, struct buf *out)
{
	scoped_json *object = json_object_new_object();

	json_put_text(object, "node", head->node);
	json_put_text(object, "object", head->object);
	json_put_text(object, "epoch", head->epoch);
	json_put_number(object, "serial", head->serial);
	(void)buf_text(out, json_print(object));
}

int
grant_head_decode(
    const char *json, size_t length, struct grant_head *ret_head, struct err *err)
{
	scoped_json *object = NULL;
	struct grant_head head = {.serial = 0};
	const char *node = "";
	const char *uid = "";
	const char *epoch = "";
	const char *where = "the head of a node's table";
	int rc = json_parse(json, length, where, &object, err);

	if (!rc)
		rc = json_get_text(object, "node", where, true, SUBDOMAIN_MAX, &node, err);
	if (!rc)
		rc = json_get_text(object, "object", where, true, POD_UID_MAX, &uid, err);
	if (!rc)
		rc = json_get_text(object, "epoch", where, true, EPOCH_MAX, &epoch, err);
	if (!rc)
		rc = json_get_number(object, "serial", where, true, INT64_MAX, &head.serial, err);
	if (rc)
		return rc;
	(void)text_join(head.node, sizeof(head.node), node, NULL);
	(void)text_join(head.object, sizeof(head.object), uid, NULL);
	(void)text_join(head.epoch, sizeof(head.epoch), epoch, NULL);
	*ret_head = head;
	return 0;
}
