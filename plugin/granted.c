#include "plugin/granted.h"

#include <errno.h>
#include <string.h>

#include "core/text.h"
#include "plugin/cni_error.h"
#include "table/key.h"
#include "table/table.h"

static int
damaged(struct err *err)
{
	(void)err_wrap(err, "the node's table on this node is damaged");
	return cni_error_as(err, CNI_ERROR_IO);
}

/* 1 and the line, its key in granted; 0: none. A name that is none has no row. */
static int
find_line(const struct table_bucket *table, const struct lookup *asked, const char *uid,
    struct granted *granted, struct table_line *ret_line, struct err *err)
{
	const char *interfaces[] = {asked->ifname, NULL};
	char key[KEY_MAX + 1];

	for (unsigned i = 0; i < 2; i++) {
		if (key_pod(key, asked->network, asked->namespace, asked->pod, interfaces[i],
		        NULL) ||
		    grant_key(granted->key, key, uid, NULL))
			continue;
		int found = table_find(table->text, table->length, granted->key, ret_line, err);
		if (found)
			return found > 0 ? 1 : damaged(err);
	}
	return 0;
}

static int
find_profile(
    const struct table_bucket *table, struct granted *granted, struct err *err)
{
	char key[sizeof(granted->grant.row.profile) + 1];
	struct table_line line;

	(void)text_join(key, sizeof(key), "!", granted->grant.row.profile, NULL);
	int found = table_find(table->text, table->length, key, &line, err);
	if (found == 0) {
		(void)err_set(err, EBADMSG, "it has no line %s", key);
		return damaged(err);
	}
	if (found < 0 ||
	    profile_decode(key, line.json, line.json_length, &granted->profile, err))
		return damaged(err);
	return 1;
}

int
granted_in_table(const struct table_bucket *table, const struct lookup *asked,
    const char *uid, struct granted *ret_granted, struct err *err)
{
	struct table_header header;
	struct table_line line;

	/* no word is a word too: bytes that are no table must not say it */
	if (table_header_read(table->text, table->length, &header, err))
		return damaged(err);
	int found = find_line(table, asked, uid, ret_granted, &line, err);
	if (found <= 0)
		return found;
	if (grant_decode(ret_granted->key, line.json, line.json_length, &ret_granted->grant, err))
		return damaged(err);
	return ret_granted->grant.state == GRANT_GIVEN ? find_profile(table, ret_granted, err)
	                                               : 1;
}

int
granted_find(const char *root, const struct lookup *asked, const char *uid,
    struct granted *ret_granted, struct err *err)
{
	scoped_bucket table = {0};

	if (!uid || !uid[0])
		return 0;
	int rc = table_node_map(root, &table, err);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return damaged(err);
	ret_granted->mark = table.mark;
	return granted_in_table(&table, asked, uid, ret_granted, err);
}

static bool
same_grant(const struct grant *a, const struct grant *b)
{
	if (a->state != b->state || strcmp(a->domain, b->domain) != 0 ||
	    a->row.ip_count != b->row.ip_count)
		return false;
	for (unsigned i = 0; i < a->row.ip_count; i++)
		if (!cidr_equal(&a->row.ips[i], &b->row.ips[i]))
			return false;
	return true;
}

int
granted_again(const char *root, const struct lookup *asked, const char *uid,
    const struct granted *granted, struct err *err)
{
	static struct granted now; /* CALL_MEMORY, see ipam.c */

	if (table_node_current(root, &granted->mark))
		return 1;
	int found = granted_find(root, asked, uid, &now, err);
	return found <= 0 ? found : same_grant(&now.grant, &granted->grant);
}
