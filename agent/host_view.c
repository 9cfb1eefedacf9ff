#include "agent/host_view.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/num.h"
#include "node/mountinfo.h"

#define NETNS "/run/netns"

/* A process has no more ancestors than that on any machine. */
enum { ANCESTORS_MAX = 256 };

void
host_view_judge(const struct host_facts_of_view *facts, struct host_view *ret_view)
{
	const char *why = NULL;

	if (facts->is_init || !facts->under_init)
		why = "the agent sees the processes of its container only: give its pod hostPID";
	else if (!facts->may_look)
		why = "the agent may not look which network namespace other processes are in: give "
		      "it the capability SYS_PTRACE, and no AppArmor profile";
	else if (facts->mounts != HOST_MOUNTS_OURS && !facts->netns_follows)
		why = "the agent does not see what the host mounts: give its container the host's "
		      NETNS " with mountPropagation HostToContainer";
	*ret_view = (struct host_view){
	    .seen = !why, .contained = facts->mounts != HOST_MOUNTS_OURS};
	if (why)
		(void)snprintf(ret_view->why, sizeof(ret_view->why),
		    "%s; leases of pods that vanished are not ended", why);
}

/* ---- the facts -------------------------------------------------------------- */

/* The parent of a process, 0 above the namespace's top; -1: not known. */
static long
parent_of(long pid)
{
	scoped_free char *path = mem_format("/proc/%ld/stat", pid);
	scoped_buf text = buf_make(CONFIG_FILE_MAX);
	uint64_t parent = 0;

	if (file_read(AT_FDCWD, path, &text, NULL))
		return -1;
	/* the name stands in parentheses and may have any: "7 (a) b) S 1 …" */
	const char *at = strrchr(buf_string(&text), ')');
	if (!at || strlen(at) < 5)
		return -1;
	at += 4;
	if (num_parse(at, strcspn(at, " "), INT32_MAX, "ppid", &parent, NULL))
		return -1;
	return (long)parent;
}

static bool
is_under_init(void)
{
	long pid = getpid();

	for (unsigned i = 0; pid > 1 && i < ANCESTORS_MAX; i++)
		pid = parent_of(pid);
	return pid == 1;
}

/* Init is left out: nobody may look at it on some machines, and it is in no pod. */
static bool
may_look(void)
{
	long parent = getppid();
	scoped_free char *path = mem_format("/proc/%ld/ns/net", parent);
	struct stat status;

	return parent <= 1 || stat(path, &status) == 0;
}

static enum host_mounts
look_at_mounts(void)
{
	struct stat init;
	struct stat ours;

	if (stat("/proc/1/ns/mnt", &init) < 0 || stat("/proc/self/ns/mnt", &ours) < 0)
		return HOST_MOUNTS_UNKNOWN;
	return init.st_ino == ours.st_ino ? HOST_MOUNTS_OURS : HOST_MOUNTS_OTHERS;
}

static bool
netns_follows(void)
{
	scoped_buf text = buf_make(MOUNTINFO_MAX);
	struct mount_line line;
	bool follows = false;

	if (file_read(AT_FDCWD, "/proc/self/mountinfo", &text, NULL))
		return false;
	scoped_free char *lines = buf_take(&text);
	char *rest = lines;
	/* of several, the last lies on top */
	while (mountinfo_next(&rest, &line))
		if (strcmp(line.point, NETNS) == 0)
			follows = line.follows;
	return follows;
}

void
host_view_look(struct host_view *ret_view)
{
	const struct host_facts_of_view facts = {.is_init = getpid() == 1,
	    .under_init = is_under_init(),
	    .may_look = may_look(),
	    .mounts = look_at_mounts(),
	    .netns_follows = netns_follows()};

	host_view_judge(&facts, ret_view);
}

static bool
is_below(const char *path, const char *folder)
{
	return strncmp(path, folder, strlen(folder)) == 0;
}

bool
host_view_covers(const struct host_view *view, const char *path)
{
	if (!view->seen || !view->contained)
		return view->seen;
	/* one below /proc was a process's, and is gone with it */
	return is_below(path, NETNS "/") || is_below(path, "/var" NETNS "/") ||
	    is_below(path, "/proc/");
}
