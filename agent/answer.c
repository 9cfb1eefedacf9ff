#include "agent/answer.h"

#include <json-c/json.h>
#include <string.h>

#include "table/json.h"

bool
answer_busy(const struct answer_facts *facts, const char *uid)
{
	for (size_t i = 0; i < facts->lease_count; i++)
		if (strcmp(facts->leases[i].holder.uid, uid) == 0)
			return true;
	return false;
}

/* Each UID that has a lease, once; as many as the API takes. */
static struct json_object *
all_list(const struct answer_facts *facts)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < facts->lease_count; i++) {
		const char *uid = facts->leases[i].holder.uid;
		bool before = false;
		for (size_t k = 0; k < i && !before; k++)
			before = strcmp(facts->leases[k].holder.uid, uid) == 0;
		if (uid[0] && !before && json_object_array_length(list) < GRANTS_MAX)
			json_object_array_add(list, json_object_new_string(uid));
	}
	return list;
}

static struct json_object *
busy_list(const struct answer_facts *facts)
{
	struct json_object *list;

	if (facts->ahead)
		return all_list(facts);
	list = json_object_new_array();
	for (unsigned i = 0; i < facts->revoked_count; i++)
		if (answer_busy(facts, facts->revoked[i].uid))
			json_object_array_add(list, json_object_new_string(facts->revoked[i].uid));
	return list;
}

static struct json_object *
answer_object(const struct answer_facts *facts)
{
	struct json_object *answer = json_object_new_object();

	json_put_text(answer, "objectUID", facts->head->object);
	json_put_text(answer, "epoch", facts->head->epoch);
	json_put_number(answer, "serial", facts->head->serial);
	json_object_object_add(answer, "busy", busy_list(facts));
	json_object_object_add(
	    answer, "grantsRequired", json_object_new_boolean(facts->grants_required));
	/* always there: a merge patch would leave what an earlier answer said */
	json_object_object_add(answer, "ahead", json_object_new_boolean(facts->ahead));
	json_put_number(answer, "tablesAhead", facts->tables_ahead);
	return answer;
}

/* What is not known is left out. */
static void
put_known(struct json_object *object, const char *key, const char *text)
{
	if (text[0])
		json_put_text(object, key, text);
}

static struct json_object *
attachment_object(const struct lease *lease)
{
	struct json_object *object = json_object_new_object();
	struct json_object *ips = json_object_new_array();
	char text[ADDRESS_TEXT_MAX];
	char since[TIME_TEXT_MAX];

	json_put_text(object, "network", lease->holder.network);
	json_put_text(object, "domain", lease->domain);
	json_put_text(object, "container", lease->holder.container);
	json_put_text(object, "interface", lease->holder.ifname);
	put_known(object, "namespace", lease->holder.namespace);
	put_known(object, "pod", lease->holder.pod);
	put_known(object, "uid", lease->holder.uid);
	for (unsigned i = 0; i < lease->ip_count; i++)
		json_object_array_add(
		    ips, json_object_new_string(cidr_print(&lease->ips[i], text)));
	json_object_object_add(object, "ips", ips);
	put_known(object, "since", time_print(lease->since, since));
	if (lease->closing)
		json_object_object_add(object, "closing", json_object_new_boolean(true));
	return object;
}

static struct json_object *
attachment_list(const struct answer_facts *facts)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < facts->lease_count && i < GRANTS_MAX; i++)
		json_object_array_add(list, attachment_object(&facts->leases[i]));
	return list;
}

/* A patch of the status of this object and no other of its name; the caller fills *status. */
static struct json_object *
patch_of(const char *object_uid, struct json_object **ret_status)
{
	struct json_object *patch = json_object_new_object();
	struct json_object *metadata = json_object_new_object();

	*ret_status = json_object_new_object();
	json_put_text(metadata, "uid", object_uid);
	json_object_object_add(patch, "metadata", metadata);
	json_object_object_add(patch, "status", *ret_status);
	return patch;
}

struct json_object *
answer_patch(const struct answer_facts *facts)
{
	struct json_object *status = NULL;
	struct json_object *patch = patch_of(facts->head->object, &status);

	json_object_object_add(status, "answer", answer_object(facts));
	json_put_number(status, "protocol", ANSWER_PROTOCOL);
	json_put_text(status, "bootID", facts->boot_id);
	json_put_text(status, "version", STATICIP_VERSION);
	json_put_number(status, "attachmentCount", facts->lease_count);
	json_object_object_add(status, "attachments", attachment_list(facts));
	json_object_object_add(status, "conditions", conditions_array(facts->conditions));
	return patch;
}

struct json_object *
answer_boot_patch(const char *object_uid, const char *boot_id)
{
	struct json_object *status = NULL;
	struct json_object *patch = patch_of(object_uid, &status);

	json_put_text(status, "bootID", boot_id);
	return patch;
}

struct json_object *
answer_conditions_patch(const char *object_uid, const struct conditions *conditions)
{
	struct json_object *status = NULL;
	struct json_object *patch = patch_of(object_uid, &status);

	json_object_object_add(status, "conditions", conditions_array(conditions));
	return patch;
}
