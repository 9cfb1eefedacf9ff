#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"

int
file_read_fd(int fd, const char *what, struct buf *buf, struct err *err)
{
	/* small: it is cleared first, and the plugin pays for each page */
	char chunk[4 * 1024];

	for (;;) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, errno, "cannot read %s", what);
		if (!buf_add(buf, chunk, (size_t)got))
			return buf_whole(buf, what, err);
	}
}

int
file_read(int directory, const char *name, struct buf *buf, struct err *err)
{
	scoped_fd int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", name);
	return file_read_fd(fd, name, buf, err);
}

static int
write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = write(fd, bytes, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return errno;
		bytes += put;
		length -= (size_t)put;
	}
	return 0;
}

/* Returns 0 or a positive errno; the file is there, whole, only after 0. */
static int
write_temporary(int directory, const char *temporary, const void *bytes, size_t length,
    mode_t mode, enum file_sync sync)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
	scoped_fd int fd = openat(directory, temporary, flags, 0600);

	if (fd < 0)
		return errno;
	int code = write_all(fd, bytes, length);
	if (code)
		return code;
	/* by fd: the process's umask must not decide who reads a table */
	if (fchmod(fd, mode) < 0)
		return errno;
	if (sync == FILE_SYNC_DISK && fsync(fd) < 0)
		return errno;
	return close(mem_take_fd(&fd)) < 0 ? errno : 0;
}

int
file_replace(int directory, const char *name, const void *bytes, size_t length,
    mode_t mode, enum file_sync sync, struct err *err)
{
	char temporary[NAME_MAX + 1];

	if (snprintf(temporary, sizeof(temporary), ".%s.tmp.%d", name, (int)getpid()) >=
	    (int)sizeof(temporary))
		return err_set(err, ENAMETOOLONG, "file name '%.60s...' is too long", name);
	int code = write_temporary(directory, temporary, bytes, length, mode, sync);
	if (!code && renameat(directory, temporary, directory, name) < 0)
		code = errno;
	if (code) {
		(void)unlinkat(directory, temporary, 0); /* may not be there */
		return err_errno(err, code, "cannot replace %s", name);
	}
	if (sync == FILE_SYNC_DISK && fsync(directory) < 0)
		return err_errno(err, errno, "cannot sync the directory of %s", name);
	return 0;
}

static bool
is_temporary(const char *name)
{
	return name[0] == '.' && strstr(name, ".tmp.") != NULL;
}

int
file_sweep(int directory, struct err *err)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing) {
		int code = errno;
		if (fd >= 0)
			(void)close(fd);
		return err_errno(err, code, "cannot list a directory");
	}
	struct dirent *entry;
	while ((entry = readdir(listing)))
		if (is_temporary(entry->d_name))
			(void)unlinkat(directory, entry->d_name, 0); /* next time, then */
	(void)closedir(listing);
	return 0;
}

int
file_directory(int parent, const char *name, mode_t mode, struct err *err)
{
	if (mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return err_errno(err, errno, "cannot make directory %s", name);
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "cannot open directory %s", name);
	return fd;
}

void
file_listing_close(DIR **listing)
{
	if (*listing)
		(void)closedir(*listing); /* read only: nothing can be lost */
}
