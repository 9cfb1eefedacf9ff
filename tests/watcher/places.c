#include "places.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SKIPPED_MAX = 256, FILE_MAX = 64 * 1024 };

struct skipped {
	size_t count;
	ino_t list[SKIPPED_MAX];
};

/* Up to size - 1 bytes of a file, with an end. Returns their number or -errno. */
static ssize_t
read_text(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t part = 1;

	if (fd < 0)
		return -errno;
	while (part > 0 && length < size - 1) {
		part = read(fd, out + length, size - 1 - length);
		length += part > 0 ? (size_t)part : 0;
	}
	int code = part < 0 ? -errno : 0;
	(void)close(fd);
	out[length] = '\0';
	return code ? code : (ssize_t)length;
}

static bool
is_skipped(const struct skipped *skipped, ino_t netns)
{
	for (size_t i = 0; i < skipped->count; i++)
		if (skipped->list[i] == netns)
			return true;
	return false;
}

static void
skip(struct skipped *skipped, const char *path)
{
	struct stat facts;

	if (skipped->count < SKIPPED_MAX && stat(path, &facts) == 0)
		skipped->list[skipped->count++] = facts.st_ino;
}

static struct place *
known(struct places *places, ino_t netns)
{
	for (size_t i = 0; i < places->count; i++)
		if (places->list[i].netns == netns)
			return &places->list[i];
	return NULL;
}

static int
add(struct places *places, const struct place *place)
{
	if (places->count == PLACES_MAX)
		return -EOVERFLOW;
	places->list[places->count++] = *place;
	return 0;
}

static bool
in_cgroup(pid_t pid, const char *text)
{
	static _Thread_local char groups[FILE_MAX];
	char path[64];

	if (!text)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	return read_text(path, groups, sizeof(groups)) > 0 && strstr(groups, text);
}

static int
find_process(const struct places_spec *spec, const struct skipped *skipped, pid_t pid,
    struct places *places)
{
	struct place place = {.pid = pid};
	struct stat facts;

	(void)snprintf(place.path, sizeof(place.path), "/proc/%d/ns/net", (int)pid);
	/* A zombie has none. */
	if (stat(place.path, &facts) < 0 || is_skipped(skipped, facts.st_ino) ||
	    known(places, facts.st_ino) || !in_cgroup(pid, spec->cgroup))
		return 0;
	place.netns = facts.st_ino;
	return add(places, &place);
}

static int
find_processes(
    const struct places_spec *spec, const struct skipped *skipped, struct places *places)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int code = proc ? 0 : -errno;

	while (!code && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			code = find_process(spec, skipped,
			    (pid_t)strtol(entry->d_name, NULL, 10), places);
	if (proc)
		(void)closedir(proc);
	return code;
}

static int
find_mount(const char *path, const struct skipped *skipped, struct places *places)
{
	struct place place = {0};
	struct stat facts;

	if (snprintf(place.path, sizeof(place.path), "%s", path) >=
	    (int)sizeof(place.path))
		return -ENAMETOOLONG;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Before the mount and after it there is a plain file. */
	bool is_netns =
	    fd >= 0 && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && fstat(fd, &facts) == 0;
	if (fd >= 0)
		(void)close(fd);
	if (!is_netns || is_skipped(skipped, facts.st_ino) || known(places, facts.st_ino))
		return 0;
	place.netns = facts.st_ino;
	return add(places, &place);
}

static int
find_mounts(pid_t node, const struct skipped *skipped, struct places *places)
{
	char pattern[64];
	glob_t found = {0};
	int code = 0;

	(void)snprintf(pattern, sizeof(pattern), "/proc/%d/root/run/netns/*", (int)node);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) == 0)
		for (size_t i = 0; !code && i < found.gl_pathc; i++)
			code = find_mount(found.gl_pathv[i], skipped, places);
	globfree(&found);
	return code;
}

/* The nodes that run, by their pid files; returns how many. */
static size_t
find_nodes(const char *pattern, struct skipped *skipped, pid_t nodes[static SKIPPED_MAX])
{
	glob_t found = {0};
	char text[32];
	char path[64];
	size_t count = 0;

	if (pattern && glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && count < SKIPPED_MAX; i++) {
			if (read_text(found.gl_pathv[i], text, sizeof(text)) <= 0)
				continue;
			nodes[count] = (pid_t)strtol(text, NULL, 10);
			(void)snprintf(
			    path, sizeof(path), "/proc/%d/ns/net", (int)nodes[count]);
			skip(skipped, path);
			count++;
		}
	globfree(&found);
	return count;
}

static void
skip_files(const char *pattern, struct skipped *skipped)
{
	glob_t found = {0};

	if (pattern && glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			skip(skipped, found.gl_pathv[i]);
	globfree(&found);
}

int
places_find(const struct places_spec *spec, struct places *ret_places)
{
	struct skipped skipped = {0};
	pid_t nodes[SKIPPED_MAX];

	ret_places->count = 0;
	skip(&skipped, "/proc/self/ns/net");
	skip(&skipped, "/proc/1/ns/net");
	skip_files(spec->skip, &skipped);
	size_t node_count = find_nodes(spec->node_pids, &skipped, nodes);
	int code = find_processes(spec, &skipped, ret_places);
	for (size_t i = 0; !code && i < node_count; i++)
		code = find_mounts(nodes[i], &skipped, ret_places);
	return code;
}

int
place_open(const struct place *place)
{
	struct stat facts;
	int fd = open(place->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &facts) == 0 && facts.st_ino == place->netns)
		return fd;
	(void)close(fd);
	return -ESTALE;
}

/* The value of a process's HOSTNAME, which in a pod is the pod's name. */
static void
pod_name(pid_t pid, char *out, size_t size)
{
	static _Thread_local char environment[FILE_MAX];
	char path[64];

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	ssize_t length = read_text(path, environment, sizeof(environment));
	for (ssize_t at = 0; at < length; at += (ssize_t)strlen(environment + at) + 1)
		if (strncmp(environment + at, "HOSTNAME=", 9) == 0)
			(void)snprintf(out, size, "%.63s", environment + at + 9);
}

/* Behind "pod" in the cgroup's path; the kubelet writes it with - or _. */
static void
pod_uid(pid_t pid, char *out, size_t size)
{
	static _Thread_local char groups[FILE_MAX];
	char path[64];
	const char *at = NULL;

	out[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if (read_text(path, groups, sizeof(groups)) > 0)
		at = strstr(groups, "/pod");
	if (at)
		(void)snprintf(out, size, "%.*s", (int)strcspn(at + 4, "/.\n"), at + 4);
}

void
place_describe(const struct place *place, char ret_text[static PLACE_TEXT_MAX])
{
	char name[64];
	char uid[64];
	struct stat facts;
	char path[64];
	pid_t pid = place->pid;

	if (pid == 0) {
		(void)snprintf(ret_text, PLACE_TEXT_MAX, "netns %ju (no process, %.160s)",
		    (uintmax_t)place->netns, place->path);
		return;
	}
	/* Most often it is the sandbox's pause, which has no HOSTNAME; a container,
	 * started a little later, has one. */
	pod_name(pid, name, sizeof(name));
	for (pid_t next = pid + 1; !name[0] && next < pid + 400; next++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)next);
		if (stat(path, &facts) == 0 && facts.st_ino == place->netns)
			pod_name(next, name, sizeof(name));
	}
	pod_uid(pid, uid, sizeof(uid));
	(void)snprintf(ret_text, PLACE_TEXT_MAX, "netns %ju (pid %d, pod %s, uid %s)",
	    (uintmax_t)place->netns, (int)pid, name[0] ? name : "unknown",
	    uid[0] ? uid : "unknown");
}
