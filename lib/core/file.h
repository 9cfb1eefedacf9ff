/* Whole files, read with a maximum and replaced atomically. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/buf.h"
#include "core/err.h"

/* Appends the file to buf, whose maximum is the file's: a larger file is
 * -EFBIG. directory is a directory's fd or AT_FDCWD. */
int file_read(int directory, const char *name, struct buf *buf, struct err *err);

/* What is left of fd, likewise; what names it in errors. Waits as long as the
 * other end does: for regular files and standard input. */
int file_read_fd(int fd, const char *what, struct buf *buf, struct err *err);

enum file_sync {
	FILE_SYNC_NONE, /* tmpfs: gone with the boot anyway */
	FILE_SYNC_DISK, /* fsync of the file and its directory */
};

/* Replaces NAME by a file with these bytes and this mode: a reader sees the old
 * file or the new one, whole. Writes .NAME.tmp.PID beside it and renames; on
 * failure the temporary file is removed and the old one stays. */
int file_replace(int directory, const char *name, const void *bytes, size_t length,
    mode_t mode, enum file_sync sync, struct err *err);

/* Removes temporary files that file_replace left when its process was killed.
 * Only for a directory with one writer: it must hold none of its own open. */
int file_sweep(int directory, struct err *err);

/* Opens a directory (O_DIRECTORY | O_CLOEXEC), making it with this mode when it
 * is not there; its parents must be. Returns the fd, or a negative errno. */
int file_directory(int parent, const char *name, mode_t mode, struct err *err);

/* `scoped_listing *listing = opendir(...)` closes it at the end of the block; NULL is
 * fine. */
#define scoped_listing __attribute__((cleanup(file_listing_close))) DIR
void file_listing_close(DIR **listing);

#endif
