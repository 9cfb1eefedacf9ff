#include "node/lease_store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/text.h"

/* Kept from everybody but root: peers' leases were world-readable for years. */
enum { DIRECTORY_MODE = 0700, LEASE_MODE = 0600 };
#define ATTACHMENTS "by-attachment"

void
lease_store_close(struct lease_store *store)
{
	mem_cleanup_fd(&store->leases);
	mem_cleanup_fd(&store->attachments);
	*store = (struct lease_store)LEASE_STORE_NONE;
}

/* ---- directories ------------------------------------------------------------ */

static int
open_directory(int parent, const char *name)
{
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
must_die_with_the_boot(int root, const char *path, struct err *err)
{
	struct statfs system;

	if (fstatfs(root, &system) < 0)
		return err_errno(err, errno, "cannot look at the file system of %s", path);
	if (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC)
		return 0;
	return err_set(err, EINVAL,
	    "%s is not on tmpfs; leases must end with the boot: mount a tmpfs there, or name "
	    "another root in /etc/staticip/plugin.json",
	    path);
}

/* ROOT may be missing where no agent runs. */
static int
make_leases(const char *root, int *ret_leases, struct err *err)
{
	if (mkdir(root, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make directory %s", root);
	scoped_fd int fd = open_directory(AT_FDCWD, root);
	if (fd < 0)
		return err_errno(err, errno, "cannot open directory %s", root);
	int rc = must_die_with_the_boot(fd, root, err);
	if (rc)
		return rc;
	rc = file_directory(fd, "leases", DIRECTORY_MODE, err);
	if (rc < 0)
		return rc;
	*ret_leases = rc;
	return 0;
}

/* FIRST/SECOND below a directory: its fd, or a negative error. */
static int
make_below(int parent, const char *path, struct err *err)
{
	const char *slash = strchr(path, '/');
	scoped_free char *first = mem_format("%.*s", (int)(slash - path), path);
	scoped_fd int between = file_directory(parent, first, DIRECTORY_MODE, err);

	return between < 0 ? between : file_directory(between, slash + 1, DIRECTORY_MODE, err);
}

/* The same: 1 and its fd, 0: not there. */
static int
open_below(int parent, const char *path, bool make, int *ret_fd, struct err *err)
{
	int fd = open_directory(parent, path);

	if (fd < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot open directory leases/%s", path);
	if (fd < 0 && !make)
		return 0;
	if (fd < 0)
		fd = make_below(parent, path, err);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 1;
}

int
lease_store_open(const char *root, const char *network, bool make,
    struct lease_store *ret_store, struct err *err)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_free char *path = mem_join(root, "/leases", NULL);

	store.leases = open_directory(AT_FDCWD, path);
	if (store.leases < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot open directory %s", path);
	if (store.leases < 0 && !make)
		return 0;
	int rc = store.leases < 0 ? make_leases(root, &store.leases, err)
	    : make                ? must_die_with_the_boot(store.leases, root, err)
	                          : 0;
	if (rc)
		return rc;
	rc = lease_network_open(&store, network, make, &store.attachments, err);
	if (rc <= 0)
		return rc;
	*ret_store = store;
	store = (struct lease_store)LEASE_STORE_NONE;
	return 1;
}

int
lease_network_open(const struct lease_store *store, const char *network, bool make,
    int *ret_directory, struct err *err)
{
	scoped_free char *path = mem_join(ATTACHMENTS "/", network, NULL);

	return open_below(store->leases, path, make, ret_directory, err);
}

int
lease_domain_open(const struct lease_store *store, const char *domain, bool make,
    int *ret_directory, struct err *err)
{
	if (!strchr(domain, '/'))
		return err_set(err, EINVAL, "'%.64s' is no domain of addresses", domain);
	return open_below(store->leases, domain, make, ret_directory, err);
}

const char *
lease_name(const char *container, const char *ifname, char *out)
{
	/* neither part has a ':' (CNI specification; dev_valid_name) */
	(void)text_join(out, LEASE_NAME_MAX, container, ":", ifname, NULL);
	return out;
}

/* ---- one file --------------------------------------------------------------- */

void
lease_close(struct lease_file *file)
{
	mem_cleanup_fd(&file->fd);
	file->fd = -1;
}

void
lease_unlock(const struct lease_file *file)
{
	(void)flock(file->fd, LOCK_UN); /* cannot fail on an open file */
}

/* flock(2) has no deadline of its own. */
static int
lock(int fd, const char *name, struct err *err)
{
	const struct timespec pause = {.tv_nsec = 1000 * 1000};

	for (int i = 0; i < LEASE_LOCK_MS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, errno, "cannot lock lease %s", name);
		(void)nanosleep(&pause, NULL); /* woken early: tries early */
	}
	return err_set(err, ETIMEDOUT,
	    "the lease %s is locked by another process for more than %d ms; see with: fuser "
	    "-v on that file",
	    name, LEASE_LOCK_MS);
}

/* 1: this name leads to the file; 0: it does not, or nobody has it. */
static int
has_name(int fd, int directory, const char *name, struct err *err)
{
	struct stat file;
	struct stat named;

	if (fstat(fd, &file) < 0)
		return err_errno(err, errno, "cannot look at lease %s", name);
	if (fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0)
		return file.st_ino == named.st_ino && file.st_dev == named.st_dev;
	return errno == ENOENT ? 0 : err_errno(err, errno, "cannot look at lease %s", name);
}

static int
read_record(int fd, const char *name, struct lease *ret_lease, struct err *err)
{
	char text[LEASE_BYTES];
	ssize_t got = pread(fd, text, sizeof(text), 0);

	if (got < 0)
		return err_errno(err, errno, "cannot read lease %s", name);
	if (!lease_decode(text, (size_t)got, ret_lease, err))
		return 0;
	(void)err_wrap(err, "the file of lease %s is damaged", name);
	if (err)
		err->code = EBADMSG;
	return -EBADMSG;
}

/* 1: open and locked; 0: nobody has the name. */
static int
open_locked(int directory, const char *name, int *ret_fd, struct err *err)
{
	for (;;) {
		scoped_fd int fd = openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd < 0)
			return err_errno(err, errno, "cannot open lease %s", name);
		int rc = lock(fd, name, err);
		if (!rc)
			rc = has_name(fd, directory, name, err);
		if (rc < 0)
			return rc;
		/* else it lost the name while we waited: each turn somebody else's act */
		if (rc == 1) {
			*ret_fd = mem_take_fd(&fd);
			return 1;
		}
	}
}

/* Of a locked file: whether it is still what was looked at. */
static int
is_known(const struct lease_file *file, int directory, const char *name,
    const struct lease *known, struct err *err)
{
	struct lease now;
	int rc = has_name(file->fd, directory, name, err);

	if (rc <= 0)
		return rc;
	rc = read_record(file->fd, name, &now, err);
	if (rc)
		return rc;
	return attachment_equal(&now.holder, &known->holder) && now.adds == known->adds;
}

int
lease_lock(const struct lease_file *file, int directory, const char *name,
    const struct lease *known, struct err *err)
{
	int rc = lock(file->fd, name, err);

	return rc ? rc : is_known(file, directory, name, known, err);
}

int
lease_try_lock(const struct lease_file *file, int directory, const char *name,
    const struct lease *known, struct err *err)
{
	if (flock(file->fd, LOCK_EX | LOCK_NB) < 0)
		return err_errno(err, errno, "cannot lock lease %s at once", name);
	return is_known(file, directory, name, known, err);
}

int
lease_owned(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err)
{
	char name[LEASE_NAME_MAX];
	scoped_fd int directory = -1;
	/* another network of the domain has a directory of its own */
	int rc = lease_network_open(store, lease->holder.network, false, &directory, err);

	if (rc <= 0)
		return rc;
	(void)lease_name(lease->holder.container, lease->holder.ifname, name);
	return has_name(file->fd, directory, name, err);
}

int
lease_open(int directory, const char *name, struct lease_file *ret_file,
    struct lease *ret_lease, struct err *err)
{
	scoped_lease_file file = LEASE_FILE_NONE;
	int rc = open_locked(directory, name, &file.fd, err);

	if (rc <= 0)
		return rc;
	rc = read_record(file.fd, name, ret_lease, err);
	if (rc)
		return rc;
	ret_file->fd = mem_take_fd(&file.fd);
	return 1;
}

int
lease_write(const struct lease_file *file, const struct lease *lease, struct err *err)
{
	scoped_buf text = buf_make(LEASE_BYTES + 1);
	int rc = lease_encode(lease, &text, err);

	if (rc)
		return rc;
	/* one page in one call: nobody meets half of it */
	ssize_t put = pwrite(file->fd, text.data, LEASE_BYTES, 0);
	if (put != LEASE_BYTES)
		return err_errno(err, put < 0 ? errno : ENOSPC,
		    "cannot write the lease of container %.64s", lease->holder.container);
	return 0;
}

/* By the file itself where we may (CAP_DAC_READ_SEARCH); the way through /proc is
 * longer, and makes inodes there for each process that takes it. open(2), O_TMPFILE. */
static int
link_file(int fd, int directory, const char *name)
{
	char path[32];

	if (linkat(fd, "", directory, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT)
		return errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, directory, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

int
lease_create(const struct lease_store *store, const struct lease *lease,
    struct lease_file *ret_file, struct err *err)
{
	scoped_lease_file file = LEASE_FILE_NONE;
	char name[LEASE_NAME_MAX];

	(void)lease_name(lease->holder.container, lease->holder.ifname, name);
	/* no name until it is whole: a SIGKILL leaves nothing behind */
	file.fd = openat(
	    store->attachments, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, LEASE_MODE);
	if (file.fd < 0)
		return err_errno(err, errno, "cannot make lease %s", name);
	int rc = lease_write(&file, lease, err);
	if (!rc)
		rc = lock(file.fd, name, err);
	if (rc)
		return rc;
	int code = link_file(file.fd, store->attachments, name);
	if (code)
		return err_errno(err, code, "cannot make lease %s", name);
	ret_file->fd = mem_take_fd(&file.fd);
	return 0;
}

int
lease_link(const struct lease_file *file, int directory, const char *name, struct err *err)
{
	int code = link_file(file->fd, directory, name);

	if (code == EEXIST && has_name(file->fd, directory, name, NULL) == 1)
		return 0;
	return code ? err_errno(err, code, "cannot lease %s", name) : 0;
}

int
lease_unlink(const struct lease_file *file, int directory, const char *name,
    struct err *err)
{
	int rc = has_name(file->fd, directory, name, err);

	if (rc <= 0)
		return rc;
	/* who takes the name from us needs our lock: since the look it is ours */
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot remove lease %s", name);
	return 0;
}

bool
lease_complete(const struct lease_file *file, const struct lease *lease)
{
	struct stat status;

	return lease->ip_count > 0 && fstat(file->fd, &status) == 0 &&
	    status.st_nlink == lease->ip_count + 1;
}
