#include "plugin/lookup.h"

#include <errno.h>
#include <string.h>

#include "core/text.h"
#include "plugin/cni_error.h"
#include "table/key.h"
#include "table/table.h"

/* The bucket that was looked into last. */
struct mapped {
	struct table_bucket bucket;
	unsigned number;
};

static void
mapped_release(struct mapped *mapped)
{
	table_bucket_unmap(&mapped->bucket);
}
#define scoped_mapped __attribute__((cleanup(mapped_release))) struct mapped

/* A bucket that does not decode is no fault of who asked: code 5, whatever the
 * decoder calls it. */
static int
broken_table(struct err *err)
{
	(void)err_wrap(err, "the table on this node is damaged");
	return cni_error_as(err, CNI_ERROR_IO);
}

static int
not_published(const char *root, struct err *err)
{
	return err_set(err, CNI_ERROR_NO_TABLE,
	    "no table was published on this node since it booted; %s/table/live is not there: "
	    "see whether the staticip-agent runs on this node",
	    root);
}

static int
open_tables(const char *root, struct table_file *ret_file, struct err *err)
{
	int rc = table_file_open(root, ret_file, err);

	if (rc == -ENOENT)
		return not_published(root, err);
	return rc ? cni_error_as(err, CNI_ERROR_IO) : 0;
}

/* Maps the bucket of a key, unless it is the one that is mapped already: with one
 * bucket in all it always is. */
static int
map_bucket_of(const struct table_file *file, const char *key, const char *root,
    struct mapped *mapped, struct err *err)
{
	unsigned number = key_bucket(key, file->buckets);

	if (mapped->bucket.text && mapped->number == number)
		return 0;
	table_bucket_unmap(&mapped->bucket);
	int rc = table_bucket_map(file, number, &mapped->bucket, err);
	mapped->number = number;
	if (rc == -ENOENT)
		return not_published(root, err);
	return rc ? cni_error_as(err, CNI_ERROR_IO) : 0;
}

static int
find_network(const struct table_bucket *bucket, const char *network,
    struct network_row *ret_row, struct err *err)
{
	struct table_line line;
	int found = table_find(bucket->text, bucket->length, network, &line, err);

	if (found < 0)
		return broken_table(err);
	if (!found)
		return err_set(err, CNI_ERROR_NO_ALLOCATION,
		    "no StaticIPAllocation names network %s; list them with: kubectl get "
		    "staticipallocations -A",
		    network);
	if (network_row_decode(network, line.json, line.json_length, ret_row, err))
		return broken_table(err);
	return 0;
}

static int
no_row(const struct lookup *asked, struct err *err)
{
	return err_set(err, CNI_ERROR_NO_ALLOCATION,
	    "no StaticIPAllocation gives pod %s/%s an address on network %s (interface %s); "
	    "see: kubectl get staticipallocations -n %s",
	    asked->namespace, asked->pod, asked->network, asked->ifname, asked->namespace);
}

/* 1 and the line of the interface's row or else the pod's; 0: there is none. */
static int
find_pod(const struct table_bucket *bucket, const struct lookup *asked, char *ret_key,
    struct table_line *ret_line, struct err *err)
{
	const char *interfaces[] = {asked->ifname, NULL};

	for (unsigned i = 0; i < 2; i++) {
		if (key_pod(ret_key, asked->network, asked->namespace, asked->pod,
		        interfaces[i], err))
			return cni_error_as(err, CNI_ERROR_ENVIRONMENT);
		int found = table_find(bucket->text, bucket->length, ret_key, ret_line, err);
		if (found)
			return found > 0 ? 1 : broken_table(err);
	}
	return 0;
}

static int
find_profile(const struct table_bucket *bucket, const struct row *row,
    struct profile *ret_profile, struct err *err)
{
	char key[sizeof(row->profile) + 1];
	struct table_line line;

	(void)text_join(key, sizeof(key), "!", row->profile, NULL);
	int found = table_find(bucket->text, bucket->length, key, &line, err);
	if (found == 0) {
		(void)err_set(err, EBADMSG, "it has no line %s", key);
		return broken_table(err);
	}
	if (found < 0 || profile_decode(key, line.json, line.json_length, ret_profile, err))
		return broken_table(err);
	return 0;
}

int
lookup_in_bucket(const struct table_bucket *bucket, const struct lookup *asked,
    struct lookup_answer *answer, struct err *err)
{
	char key[KEY_MAX + 1];
	struct table_line line;
	int found = find_pod(bucket, asked, key, &line, err);

	if (found < 0)
		return found;
	if (!found)
		return no_row(asked, err);
	if (row_decode(key, line.json, line.json_length, &answer->row, err))
		return broken_table(err);
	return find_profile(bucket, &answer->row, &answer->profile, err);
}

static int
key_of_pod(char *ret_key, const struct lookup *asked, struct err *err)
{
	if (!key_pod(ret_key, asked->network, asked->namespace, asked->pod, NULL, err))
		return 0;
	(void)err_wrap(err, "CNI_ARGS");
	return cni_error_as(err, CNI_ERROR_ENVIRONMENT);
}

int
lookup_pod(const char *root, const struct lookup *asked, struct lookup_answer *ret_answer,
    struct err *err)
{
	scoped_table_file file = {.directory = -1};
	scoped_mapped mapped = {.number = 0};
	char key[KEY_MAX + 1];
	int rc = key_of_pod(key, asked, err);

	if (!rc)
		rc = open_tables(root, &file, err);
	if (!rc)
		rc = map_bucket_of(&file, asked->network, root, &mapped, err);
	if (!rc)
		rc = find_network(&mapped.bucket, asked->network, &ret_answer->network, err);
	if (!rc) {
		ret_answer->marks[0] = mapped.bucket.mark;
		rc = map_bucket_of(&file, key, root, &mapped, err);
	}
	if (rc)
		return rc;
	ret_answer->marks[1] = mapped.bucket.mark;
	return lookup_in_bucket(&mapped.bucket, asked, ret_answer, err);
}

static bool
same_addresses(const struct row *a, const struct row *b)
{
	if (a->ip_count != b->ip_count)
		return false;
	for (unsigned i = 0; i < a->ip_count; i++)
		if (!cidr_equal(&a->ips[i], &b->ips[i]))
			return false;
	return true;
}

static int
look_and_compare(const char *root, const struct lookup *asked,
    const struct lookup_answer *answer, struct err *err)
{
	static struct lookup_answer now; /* CALL_MEMORY, see ipam.c */
	int rc = lookup_pod(root, asked, &now, err);

	if (rc)
		return rc;
	/* where grants are required by now, the agent may have told who has leases before
	 * ours was there: no row is enough any more */
	return strcmp(now.network.domain, answer->network.domain) == 0 &&
	    now.network.grants_required == answer->network.grants_required &&
	    same_addresses(&now.row, &answer->row);
}

int
lookup_again(const char *root, const struct lookup *asked,
    const struct lookup_answer *answer, struct err *err)
{
	if (table_marks_current(root, answer->marks, 2))
		return 1;
	return look_and_compare(root, asked, answer, err);
}

int
lookup_knows(const char *root, const char *network, struct err *err)
{
	scoped_table_file file = {.directory = -1};
	scoped_mapped mapped = {.number = 0};
	struct table_line line;
	int rc = table_file_open(root, &file, err);

	if (rc == -ENOENT)
		return 0;
	if (rc)
		return cni_error_as(err, CNI_ERROR_IO);
	rc = map_bucket_of(&file, network, root, &mapped, err);
	if (rc)
		return rc;
	rc = table_find(mapped.bucket.text, mapped.bucket.length, network, &line, err);
	return rc < 0 ? broken_table(err) : rc > 0;
}

int
lookup_ready(const char *root, struct err *err)
{
	scoped_table_file file = {.directory = -1};

	return open_tables(root, &file, err);
}
