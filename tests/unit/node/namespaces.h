/* For tests that need namespaces of their own: each such program runs in a fresh
 * network namespace, or skips and says why. */
#ifndef TESTS_NAMESPACES_H
#define TESTS_NAMESPACES_H

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a command line of iproute2; the test fails when it does. */
static inline void
run(const char *command)
{
	pid_t child = fork();

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	assert_true(waitpid(child, &status, 0) == child);
	if (status != 0)
		fail_msg("'%s' failed", command);
}

/* A namespace of its own for this process, "lo" up. */
static inline int
own_namespace(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		puts("skipped: a network namespace needs root");
		return -1;
	}
	run("ip link set lo up");
	return 0;
}
#define NEEDS_ROOT()                                                                     \
	do {                                                                             \
		if (geteuid() != 0) {                                                    \
			puts("skipped: network namespaces need root");                   \
			skip();                                                          \
		}                                                                        \
	} while (0)

/* Another namespace; returns its fd, we stay where we are. */
static inline int
other_namespace(void)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
	return other;
}

#endif
