#include "agent/stage.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

/* "64.next" */
struct next_name {
	char text[24];
};

static struct next_name
next_of(const struct publish *publish)
{
	struct next_name name;

	(void)snprintf(name.text, sizeof(name.text), "%u.next", publish->buckets);
	return name;
}

/* By hard links: a published file is never written, only replaced. */
static int
copy_picture(const struct publish *publish, int folder, struct err *err)
{
	char name[16];

	for (unsigned i = 0; i < publish->buckets; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		if (publish->has[i] && linkat(publish->folder, name, folder, name, 0) < 0)
			return err_errno(err, errno, "cannot link bucket %u", i);
	}
	return 0;
}

int
stage_begin(struct publish *publish, struct err *err)
{
	struct next_name name = next_of(publish);

	assert(!publish->staged);
	int rc = publish_remove_directory(publish->tables, name.text, publish->buckets, err);
	if (rc)
		return rc;
	scoped_fd int folder = file_directory(publish->tables, name.text, 0755, err);
	if (folder < 0)
		return folder;
	rc = copy_picture(publish, folder, err);
	if (rc)
		return rc;
	(void)close(publish->folder); /* a directory: nothing to lose */
	publish->folder = mem_take_fd(&folder);
	publish->staged = true;
	return 0;
}

int
stage_commit(struct publish *publish, struct err *err)
{
	char name[16];
	struct next_name next = next_of(publish);

	if (!publish->staged)
		return 0;
	(void)snprintf(name, sizeof(name), "%u", publish->buckets);
	if (renameat2(publish->tables, next.text, publish->tables, name, RENAME_EXCHANGE) < 0)
		return err_errno(err, errno, "cannot exchange table/%s and table/%s", next.text, name);
	publish->staged = false;
	return 0;
}
