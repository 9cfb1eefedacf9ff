/* All leases of a node, for who reports them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/file.h"
#include "core/mem.h"
#include "node/lease_store.h"

struct collecting {
	const struct lease_store *store;
	struct lease *list;
	size_t count;
	int rc;
	struct err *err;
};

static struct lease *
next_place(struct collecting *collecting)
{
	size_t count = collecting->count;

	/* room doubles at each power of two */
	if ((count & (count - 1)) == 0)
		collecting->list = mem_resize(
		    collecting->list, count ? count * 2 : 1, sizeof(*collecting->list));
	return &collecting->list[count];
}

static void
visit(void *cookie, const char *name)
{
	struct collecting *collecting = cookie;
	scoped_lease_file file = LEASE_FILE_NONE;

	if (collecting->rc)
		return;
	if (collecting->count == LEASES_MAX) {
		collecting->rc =
		    err_set(collecting->err, E2BIG, "more than %d leases", LEASES_MAX);
		return;
	}
	int rc = lease_open(collecting->store->attachments, name, &file,
	    next_place(collecting), collecting->err);
	if (rc > 0)
		collecting->count++;
	collecting->rc = rc < 0 ? rc : 0;
}

static void
collect_network(const char *root, const char *network, struct collecting *collecting)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	int rc = lease_store_open(root, network, false, &store, collecting->err);

	collecting->store = &store;
	if (rc > 0)
		rc = lease_each(&store, visit, collecting, collecting->err);
	if (rc < 0 && !collecting->rc)
		collecting->rc = rc;
}

int
lease_list(const char *root, struct lease **ret_list, size_t *ret_count, struct err *err)
{
	scoped_free char *path = mem_format("%s/leases/by-attachment", root);
	scoped_listing *listing = opendir(path);
	struct collecting collecting = {.err = err};
	struct dirent *entry;

	*ret_list = NULL;
	*ret_count = 0;
	if (!listing)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot list %s", path);
	errno = 0;
	while (!collecting.rc && (entry = readdir(listing))) {
		if (entry->d_name[0] != '.')
			collect_network(root, entry->d_name, &collecting);
		errno = 0;
	}
	if (!collecting.rc && errno)
		collecting.rc = err_errno(err, errno, "cannot list %s", path);
	if (collecting.rc) {
		mem_free(collecting.list);
		return collecting.rc;
	}
	*ret_list = collecting.list;
	*ret_count = collecting.count;
	return 0;
}
