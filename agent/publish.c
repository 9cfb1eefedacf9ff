#include "agent/publish.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

static const unsigned counts[] = {1, 64, TABLE_BUCKETS_MAX};

/* Decimal number of a bucket or a count, as a file name. */
struct number_name {
	char text[16];
};

static struct number_name
name_of(unsigned number)
{
	struct number_name name;

	(void)snprintf(name.text, sizeof(name.text), "%u", number);
	return name;
}

int
publish_root(const char *path, bool allow_disk, bool *ret_volatile, struct err *err)
{
	scoped_fd int root = file_directory(AT_FDCWD, path, 0755, err);
	struct statfs fs;

	if (root < 0)
		return err_wrap(err, "root directory (--root)");
	if (fstatfs(root, &fs) < 0)
		return err_errno(err, errno, "cannot ask for the file system of '%s'", path);
	bool is_volatile = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	if (!is_volatile && !allow_disk)
		return err_set(err, EMEDIUMTYPE,
		    "root directory '%s' is not on tmpfs (its file system's type is 0x%lx), so "
		    "tables and leases would outlive a boot; mount a tmpfs there, choose another "
		    "--root, or say --allow-disk",
		    path, (unsigned long)fs.f_type);
	*ret_volatile = is_volatile;
	return mem_take_fd(&root);
}

bool
publish_root_is_at(const char *path, int root)
{
	struct stat by_path;
	struct stat by_fd;

	return stat(path, &by_path) == 0 && fstat(root, &by_fd) == 0 &&
	    by_path.st_ino == by_fd.st_ino && by_path.st_dev == by_fd.st_dev;
}

/* Only names that an agent makes: what somebody else put there keeps the directory
 * (ENOTEMPTY), and is his to explain. */
int
publish_remove_directory(int tables, const char *name, unsigned count, struct err *err)
{
	scoped_fd int folder = openat(tables, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "cannot open table/%s", name);
	int rc = file_sweep(folder, err);
	for (unsigned bucket = 0; !rc && bucket < count; bucket++)
		if (unlinkat(folder, name_of(bucket).text, 0) < 0 && errno != ENOENT)
			rc = err_errno(err, errno, "cannot remove table/%s/%u", name, bucket);
	if (!rc && unlinkat(tables, name, AT_REMOVEDIR) < 0)
		rc = err_errno(err, errno, "cannot remove the directory table/%s", name);
	return rc;
}

static int
remove_next(int tables, unsigned count, struct err *err)
{
	char next[24];

	(void)snprintf(next, sizeof(next), "%u.next", count);
	return publish_remove_directory(tables, next, count, err);
}

int
publish_open(int root, unsigned buckets, struct publish *ret_publish, struct err *err)
{
	scoped_fd int tables = file_directory(root, "table", 0755, err);
	if (tables < 0)
		return tables;
	scoped_fd int folder = file_directory(tables, name_of(buckets).text, 0755, err);
	if (folder < 0)
		return folder;
	int rc = file_sweep(tables, err);
	if (!rc)
		rc = file_sweep(folder, err);
	if (!rc) /* of a predecessor that was killed while it listed */
		rc = remove_next(tables, buckets, err);
	if (rc)
		return rc;
	*ret_publish = (struct publish){.buckets = buckets};
	ret_publish->folder = mem_take_fd(&folder);
	ret_publish->tables = mem_take_fd(&tables);
	return 0;
}

void
publish_close(struct publish *publish)
{
	scoped_fd int folder = mem_take_fd(&publish->folder);
	scoped_fd int tables = mem_take_fd(&publish->tables);

	(void)folder;
	(void)tables;
}

int
publish_read(
    const struct publish *publish, unsigned bucket, struct buf *text, struct err *err)
{
	struct number_name name = name_of(bucket);

	assert(bucket < publish->buckets);
	if (faccessat(publish->folder, name.text, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno == ENOENT)
		return -ENOENT;
	return file_read(publish->folder, name.text, text, err);
}

void
publish_mark(struct publish *publish, unsigned bucket)
{
	assert(bucket < publish->buckets);
	publish->published += !publish->has[bucket];
	publish->has[bucket] = true;
}

int
publish_write(struct publish *publish, unsigned bucket, const char *text, size_t length,
    struct err *err)
{
	assert(bucket < publish->buckets);
	int rc = file_replace(publish->folder, name_of(bucket).text, text, length, 0644,
	    FILE_SYNC_NONE, err);
	if (!rc)
		publish_mark(publish, bucket);
	return rc;
}

int
publish_remove(struct publish *publish, unsigned bucket, struct err *err)
{
	assert(bucket < publish->buckets);
	if (unlinkat(publish->folder, name_of(bucket).text, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot remove table/%u/%u", publish->buckets, bucket);
	publish->published -= publish->has[bucket];
	publish->has[bucket] = false;
	return 0;
}

/* Whether table/live says this count. */
static bool
live_is(int tables, unsigned buckets)
{
	char target[16];
	ssize_t length = readlinkat(tables, "live", target, sizeof(target));
	struct number_name wanted = name_of(buckets);

	return length == (ssize_t)strlen(wanted.text) &&
	       memcmp(target, wanted.text, (size_t)length) == 0;
}

bool
publish_is_read(const struct publish *publish)
{
	return live_is(publish->tables, publish->buckets);
}

static int
link_live(int tables, unsigned buckets, struct err *err)
{
	char temporary[40]; /* a name that file_sweep knows */

	(void)snprintf(temporary, sizeof(temporary), ".live.tmp.%d", (int)getpid());
	if (symlinkat(name_of(buckets).text, tables, temporary) < 0)
		return err_errno(err, errno, "cannot make the link table/live");
	if (renameat(tables, temporary, tables, "live") < 0) {
		int code = errno;
		(void)unlinkat(tables, temporary, 0); /* swept at the next start */
		return err_errno(err, code, "cannot make the link table/live");
	}
	return 0;
}

/* keep = 0 removes all. */
static int
remove_counts(int tables, unsigned keep, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(counts) / sizeof(counts[0]); i++) {
		rc = remove_next(tables, counts[i], err);
		if (!rc && counts[i] != keep)
			rc = publish_remove_directory(tables, name_of(counts[i]).text, counts[i], err);
	}
	return rc;
}

int
publish_go_live(struct publish *publish, struct err *err)
{
	if (publish->live || publish->published < publish->buckets)
		return 0;
	int rc = live_is(publish->tables, publish->buckets)
	             ? 0
	             : link_live(publish->tables, publish->buckets, err);
	if (rc)
		return rc;
	publish->live = true;
	return 1;
}

int
publish_remove_others(const struct publish *publish, struct err *err)
{
	assert(publish->live);
	return remove_counts(publish->tables, publish->buckets, err);
}

static bool
same_directory(int parent, const char *name, int fd)
{
	struct stat by_name;
	struct stat by_fd;

	return fstatat(parent, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(fd, &by_fd) == 0 && by_name.st_ino == by_fd.st_ino &&
	       by_name.st_dev == by_fd.st_dev;
}

bool
publish_intact(const struct publish *publish, int root)
{
	if (!same_directory(root, "table", publish->tables) ||
	    !same_directory(publish->tables, name_of(publish->buckets).text, publish->folder))
		return false;
	if (publish->live && !live_is(publish->tables, publish->buckets))
		return false;
	for (unsigned bucket = 0; bucket < publish->buckets; bucket++)
		if (publish->has[bucket] &&
		    faccessat(publish->folder, name_of(bucket).text, F_OK,
		        AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	return true;
}

uint64_t
publish_bytes(const struct publish *publish)
{
	uint64_t bytes = 0;
	struct stat file;

	for (unsigned bucket = 0; bucket < publish->buckets; bucket++)
		if (publish->has[bucket] && fstatat(publish->folder, name_of(bucket).text, &file,
		                                AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)file.st_size;
	return bytes;
}

int
publish_wipe(int root, struct err *err)
{
	scoped_fd int tables = file_directory(root, "table", 0755, err);

	if (tables < 0)
		return tables;
	if (unlinkat(tables, "live", 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot remove table/live");
	if (unlinkat(root, "node", 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "cannot remove node");
	return remove_counts(tables, 0, err);
}
