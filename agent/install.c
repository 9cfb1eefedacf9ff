#include "agent/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

enum {
	PLUGIN_MODE = 0755,
};

static const char plugin_name[] = "staticip";

/* Fills the chunk as far as the file goes; -1 on error. */
static ssize_t
read_chunk(int fd, char *chunk, size_t size)
{
	size_t filled = 0;

	while (filled < size) {
		ssize_t got = read(fd, chunk + filled, size - filled);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		filled += (size_t)got;
	}
	return (ssize_t)filled;
}

/* Every minute: so by chunks, not by two copies in memory. */
static bool
same_bytes(int a, int b)
{
	char a_chunk[16 * 1024];
	char b_chunk[16 * 1024];
	ssize_t length;

	do {
		length = read_chunk(a, a_chunk, sizeof(a_chunk));
		if (length < 0 || read_chunk(b, b_chunk, sizeof(b_chunk)) != length)
			return false;
		if (memcmp(a_chunk, b_chunk, (size_t)length) != 0)
			return false;
	} while (length > 0);
	return true;
}

/* Whether the file in the directory is already what it should be. Whatever hinders
 * a look at it (a link, a pipe, no permission) is a reason to replace it. */
static bool
is_installed(int source, int directory)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	scoped_fd int target = openat(directory, plugin_name, flags);
	struct stat is;
	struct stat wanted;

	if (target < 0 || fstat(target, &is) < 0 || fstat(source, &wanted) < 0)
		return false;
	return S_ISREG(is.st_mode) && (is.st_mode & 07777) == PLUGIN_MODE &&
	       is.st_size == wanted.st_size && same_bytes(source, target);
}

static int
copy(int source, const char *file, int directory, struct err *err)
{
	scoped_buf program = buf_make(PLUGIN_BYTES_MAX);

	if (lseek(source, 0, SEEK_SET) < 0)
		return err_errno(err, errno, "cannot read %s again", file);
	int rc = file_read_fd(source, file, &program, err);
	/* an empty one would be "exec format error" for every pod of the node */
	if (!rc && program.length == 0)
		rc = err_set(err, ENOEXEC, "'%s' is empty", file);
	if (!rc)
		rc = file_replace(directory, plugin_name, program.data, program.length,
		    PLUGIN_MODE, FILE_SYNC_DISK, err);
	return rc;
}

static int
open_directory(const char *directory, struct err *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno,
		    "cannot open the CNI directory '%s' (mount the node's there, or give its "
		    "place with --install-plugin)",
		    directory);
	return fd;
}

int
install_plugin(const char *file, const char *directory, struct err *err)
{
	scoped_fd int source = open(file, O_RDONLY | O_CLOEXEC);
	if (source < 0)
		return err_errno(err, errno,
		    "cannot open the plugin '%s' (give its place with --plugin-file)", file);
	scoped_fd int target = open_directory(directory, err);
	if (target < 0)
		return target;
	if (is_installed(source, target))
		return INSTALL_SAME;
	int rc = copy(source, file, target, err);
	if (rc)
		return err_wrap(err,
		    "cannot install the plugin in '%s' (is it writable? elsewhere: "
		    "--install-plugin)",
		    directory);
	return INSTALL_COPIED;
}

static bool
is_ours(const char *name)
{
	static const char front[] = ".staticip.tmp.";

	return strncmp(name, front, sizeof(front) - 1) == 0;
}

int
install_sweep(const char *directory, struct err *err)
{
	scoped_fd int fd = open_directory(directory, err);
	if (fd < 0)
		return fd;
	DIR *listing = fdopendir(fd);
	if (!listing)
		return err_errno(err, errno, "cannot list the CNI directory '%s'", directory);
	struct dirent *entry;
	while ((entry = readdir(listing)))
		if (is_ours(entry->d_name))
			(void)unlinkat(fd, entry->d_name, 0); /* next time, then */
	(void)mem_take_fd(&fd); /* closedir closes it */
	(void)closedir(listing);
	return 0;
}
