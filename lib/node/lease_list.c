/* Leases as they are, without their locks: for who reports them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "node/lease_store.h"

static int
decode(const char *text, size_t length, const char *name, struct lease *ret_lease,
    struct err *err)
{
	if (!lease_decode(text, length, ret_lease, err))
		return 0;
	(void)err_wrap(err, "the file of lease %s is damaged", name);
	if (err)
		err->code = EBADMSG;
	return -EBADMSG;
}

/* Without the lock half of a change can be met: what two looks agree on is whole. */
static int
read_unlocked(int fd, const char *name, struct lease *ret_lease, struct err *err)
{
	char text[2][LEASE_BYTES];
	ssize_t got = pread(fd, text[0], LEASE_BYTES, 0);

	for (unsigned i = 1; got >= 0 && i <= LEASE_LOOKS; i++) {
		ssize_t again = pread(fd, text[i % 2], LEASE_BYTES, 0);
		if (again == got && memcmp(text[0], text[1], (size_t)got) == 0)
			return decode(text[0], (size_t)got, name, ret_lease, err);
		got = again;
	}
	return err_errno(err, got < 0 ? errno : EAGAIN, "cannot read lease %s", name);
}

int
lease_look(int directory, const char *name, struct lease_file *ret_file,
    struct lease *ret_lease, struct err *err)
{
	scoped_fd int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open lease %s", name);
	int rc = read_unlocked(fd, name, ret_lease, err);
	if (rc)
		return rc;
	ret_file->fd = mem_take_fd(&fd);
	return 1;
}

/* ---- all of them ------------------------------------------------------------ */

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
	int rc = lease_look(collecting->store->attachments, name, &file,
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
