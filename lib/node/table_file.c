#include "node/table_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "core/num.h"
#include "table/key.h"

/* The target of ROOT/table/live: how many buckets there are. */
static int
read_live(const char *root, unsigned *ret_buckets, struct err *err)
{
	char target[16];
	uint64_t buckets = 0;
	scoped_free char *path = mem_join(root, "/table/live", NULL);
	ssize_t length = readlink(path, target, sizeof(target));

	if (length < 0)
		return err_errno(err, errno, "cannot read link %s", path);
	int rc = num_parse(target, (size_t)length, TABLE_BUCKETS_MAX, path, &buckets, NULL);
	if (rc || !key_bucket_count_valid((unsigned)buckets))
		return err_set(err, EBADMSG, "link %s says '%.*s', which is no number of buckets",
		    path, (int)length, target);
	*ret_buckets = (unsigned)buckets;
	return 0;
}

int
table_file_open(const char *root, struct table_file *ret_file, struct err *err)
{
	unsigned buckets = 0;
	int rc = read_live(root, &buckets, err);

	if (rc)
		return rc;
	/* by number and not through the link, which may change meanwhile */
	char number[NUM_TEXT_MAX];
	scoped_free char *path = mem_join(root, "/table/", num_print(buckets, number), NULL);
	int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* the link comes after the buckets: without them it is no table that is not there
	 * yet, but one of which nobody can say what it knows */
	if (directory < 0 && errno == ENOENT)
		return err_set(err, EBADMSG,
		    "directory %s is not there; the agent puts the table back within a minute", path);
	if (directory < 0)
		return err_errno(err, errno, "cannot open directory %s", path);
	*ret_file = (struct table_file){.directory = directory, .buckets = buckets};
	return 0;
}

void
table_file_close(struct table_file *file)
{
	mem_cleanup_fd(&file->directory);
	file->directory = -1;
}

/* Up to one page a copy is cheaper than a mapping with its page fault: one ADD in
 * fifty (tests/bench). The file never changes: it is replaced by rename. */
enum { BUCKET_COPY_MAX = 4096 };

static int
copy_bytes(int fd, const char *name, struct table_bucket *bucket, struct err *err)
{
	scoped_free char *bytes = mem_resize(NULL, bucket->length, 1);
	ssize_t got = read(fd, bytes, bucket->length);

	if (got < 0)
		return err_errno(err, errno, "cannot read bucket %s", name);
	if ((size_t)got != bucket->length)
		return err_set(err, EBADMSG, "bucket %s was cut while it was read", name);
	bucket->text = mem_take(&bytes);
	bucket->copied = true;
	return 0;
}

static int
map_bytes(int fd, const char *name, struct table_bucket *bucket, struct err *err)
{
	void *bytes = mmap(NULL, bucket->length, PROT_READ, MAP_PRIVATE, fd, 0);

	if (bytes == MAP_FAILED)
		return err_errno(err, errno, "cannot map bucket %s", name);
	bucket->text = bytes;
	return 0;
}

/* An empty file cannot be mapped (mmap(2)); it is no table either. */
static int
take_bytes(int fd, const char *name, struct table_bucket *ret_bucket, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return err_errno(err, errno, "cannot look at bucket %s", name);
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		return err_set(err, EBADMSG, "bucket %s is empty or no file", name);
	if (status.st_size > TABLE_BYTES_MAX)
		return err_set(err, EFBIG,
		    "bucket %s has %lld bytes, at most %d are allowed", name,
		    (long long)status.st_size, TABLE_BYTES_MAX);
	struct table_bucket bucket = {.length = (size_t)status.st_size,
	    .mark = {.inode = status.st_ino,
	        .seconds = status.st_ctim.tv_sec,
	        .nanoseconds = status.st_ctim.tv_nsec}};
	int rc = bucket.length <= BUCKET_COPY_MAX ? copy_bytes(fd, name, &bucket, err)
	                                          : map_bytes(fd, name, &bucket, err);
	if (!rc)
		*ret_bucket = bucket;
	return rc;
}

int
table_bucket_map(const struct table_file *file, unsigned number,
    struct table_bucket *ret_bucket, struct err *err)
{
	char digits[NUM_TEXT_MAX];
	const char *name = num_print(number, digits);
	scoped_fd int fd =
	    openat(file->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_errno(err, errno, "cannot open bucket %s of %u", name, file->buckets);
	int rc = take_bytes(fd, name, ret_bucket, err);
	ret_bucket->mark.buckets = file->buckets;
	ret_bucket->mark.number = number;
	return rc;
}

int
table_node_map(const char *root, struct table_bucket *ret_table, struct err *err)
{
	scoped_free char *path = mem_join(root, "/node", NULL);
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT; /* the usual case: no sentence for nobody */
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	return take_bytes(fd, "node", ret_table, err);
}

static bool
is_marked(const char *path, const struct table_mark *mark)
{
	struct stat status;

	return stat(path, &status) == 0 && status.st_ino == mark->inode &&
	    status.st_ctim.tv_sec == mark->seconds &&
	    status.st_ctim.tv_nsec == mark->nanoseconds;
}

bool
table_node_current(const char *root, const struct table_mark *mark)
{
	scoped_free char *path = mem_join(root, "/node", NULL);

	return is_marked(path, mark);
}

bool
table_node_marked(const char *root)
{
	scoped_free char *path = mem_join(root, "/marker", NULL);

	return access(path, F_OK) == 0;
}

/* By number and not through the link, as they were read. */
static bool
is_current(const char *root, const struct table_mark *mark)
{
	char buckets[NUM_TEXT_MAX];
	char number[NUM_TEXT_MAX];
	scoped_free char *path = mem_join(root, "/table/", num_print(mark->buckets, buckets), "/",
	    num_print(mark->number, number), NULL);

	return is_marked(path, mark);
}

bool
table_marks_current(const char *root, const struct table_mark *marks, unsigned count)
{
	unsigned buckets = 0;

	if (read_live(root, &buckets, NULL))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (marks[i].buckets != buckets || !is_current(root, &marks[i]))
			return false;
	return true;
}

void
table_bucket_unmap(struct table_bucket *bucket)
{
	if (bucket->copied)
		mem_free((void *)(uintptr_t)bucket->text);
	else if (bucket->text)
		(void)munmap((void *)(uintptr_t)bucket->text, bucket->length);
	*bucket = (struct table_bucket){0};
}
