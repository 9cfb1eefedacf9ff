/* How a lease ends, and what else walks over the directories of leases. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "node/lease_store.h"

/* A directory's entries by an fd of its own: the caller's keeps its position. */
static DIR *
list(int directory)
{
	scoped_fd int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (listing)
		(void)mem_take_fd(&fd);
	return listing;
}

static struct dirent *
next_entry(DIR *listing)
{
	errno = 0;
	return readdir(listing);
}

/* After the last entry: half a list must not pass for the whole. */
static int
listed(struct err *err, const char *what)
{
	return errno ? err_errno(err, errno, "cannot list %s", what) : 0;
}

/* A killed ADD may have linked an address that it had no time to write down. */
static int
unlink_unrecorded(const struct lease_file *file, int directory, struct err *err)
{
	struct stat ours;
	scoped_listing *listing = list(directory);
	struct dirent *entry;

	if (!listing || fstat(file->fd, &ours) < 0)
		return err_errno(err, errno, "cannot list the leases of a domain");
	while ((entry = next_entry(listing))) {
		int rc = entry->d_ino == ours.st_ino
		    ? lease_unlink(file, directory, entry->d_name, err)
		    : 0;
		if (rc)
			return rc;
	}
	return listed(err, "the leases of a domain");
}

static bool
has_more_names(const struct lease_file *file)
{
	struct stat status;

	/* its attachment's is the one that it keeps to the end */
	return fstat(file->fd, &status) < 0 || status.st_nlink > 1;
}

static int
unlink_addresses(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	scoped_fd int directory = -1;
	int rc = lease_domain_open(store, lease->domain, false, &directory, err);

	if (rc <= 0)
		return rc;
	for (unsigned i = 0; i < lease->ip_count; i++) {
		rc = lease_unlink(file, directory, ip_print(&lease->ips[i].ip, text), err);
		if (rc)
			return rc;
	}
	return has_more_names(file) ? unlink_unrecorded(file, directory, err) : 0;
}

int
lease_end(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err)
{
	const struct attachment *holder = &lease->holder;
	char name[LEASE_NAME_MAX];
	scoped_fd int directory = -1;
	int rc = unlink_addresses(store, file, lease, err);

	if (!rc)
		rc = lease_network_open(store, holder->network, false, &directory, err);
	if (rc <= 0)
		return rc;
	(void)lease_name(holder->container, holder->ifname, name);
	return lease_unlink(file, directory, name, err);
}

int
lease_each(const struct lease_store *store, void (*visit)(void *cookie, const char *name),
    void *cookie, struct err *err)
{
	scoped_listing *listing = list(store->attachments);
	struct dirent *entry;

	if (!listing)
		return err_errno(err, errno, "cannot list the leases of a network");
	while ((entry = next_entry(listing)))
		if (strchr(entry->d_name, ':'))
			visit(cookie, entry->d_name);
	return listed(err, "the leases of a network");
}

/* ---- what was given last ---------------------------------------------------- */

static const char *
last_name(unsigned set, char out[24])
{
	(void)snprintf(out, 24, ".last.%u", set);
	return out;
}

struct ip
lease_last_read(int directory, unsigned set)
{
	char name[24];
	char text[ADDRESS_TEXT_MAX] = "";
	struct ip last = {0};
	scoped_fd int fd = openat(directory, last_name(set, name), O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (got <= 0 || ip_parse(text, strcspn(text, " "), &last, NULL))
		return (struct ip){0};
	return last;
}

void
lease_last_write(int directory, unsigned set, const struct ip *last)
{
	char name[24];
	char address[ADDRESS_TEXT_MAX];
	char text[ADDRESS_TEXT_MAX + 1];
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
	scoped_fd int fd = openat(directory, last_name(set, name), flags, 0600);

	(void)snprintf(text, sizeof(text), "%-*s", ADDRESS_TEXT_MAX - 1,
	    ip_print(last, address));
	/* a hint: without it the search begins where the range does */
	if (fd >= 0 && write(fd, text, ADDRESS_TEXT_MAX - 1) < 0)
		return;
}
