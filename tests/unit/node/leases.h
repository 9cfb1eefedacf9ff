/* Leases for tests: a root of their own on tmpfs, and how to make one in a line. */
#ifndef TESTS_LEASES_H
#define TESTS_LEASES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "node/lease_store.h"

/* *state is the path of a fresh directory on tmpfs. */
static inline int
make_root(void **state)
{
	char *path = mem_text("/dev/shm/leases-XXXXXX");

	if (!mkdtemp(path))
		return -1;
	*state = path;
	return 0;
}

static inline int
remove_root(void **state)
{
	scoped_free char *path = *state;
	scoped_free char *command = mem_format("rm -r %s", path);

	return system(command);
}
#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

static inline struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {.length = 0};

	assert_int_equal(cidr_parse(text, strlen(text), &cidr, NULL), 0);
	return cidr;
}

/* The lease of pod "p" with UID "u-CONTAINER" and these addresses (NULL ends none). */
static inline struct lease
lease_of(const char *container, const char *first, const char *second)
{
	struct lease lease = {.domain = "network/mynet",
	    .holder = {.network = "mynet", .ifname = "eth0", .namespace = "default",
	        .pod = "p", .netns = "/nowhere"},
	    .since = 1700000000};

	(void)snprintf(lease.holder.container, sizeof(lease.holder.container), "%s", container);
	(void)snprintf(lease.holder.uid, sizeof(lease.holder.uid), "u-%.60s", container);
	if (first)
		lease.ips[lease.ip_count++] = cidr_of(first);
	if (second)
		lease.ips[lease.ip_count++] = cidr_of(second);
	return lease;
}

/* How many names a directory below the root has; hidden ones not counted. */
static inline unsigned
names_in(const char *root, const char *directory)
{
	scoped_free char *path = mem_format("%s/%s", root, directory);
	DIR *listing = opendir(path);
	unsigned count = 0;

	for (struct dirent *entry; listing && (entry = readdir(listing));)
		count += entry->d_name[0] != '.';
	if (listing)
		(void)closedir(listing);
	return count;
}

static inline bool
is_there(const char *root, const char *name)
{
	scoped_free char *path = mem_format("%s/%s", root, name);
	struct stat status;

	return lstat(path, &status) == 0;
}

#endif
