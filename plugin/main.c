/* READ FIRST. The CNI plugin: one process for each call of a container runtime.
 *
 *   environment + standard input -> verb and role -> JSON on standard output
 *
 * main is the whole story. request.c checks what came in; ipam.c finds a pod's addresses
 * in the tables or in the configuration itself (source.c) and leases them on this node
 * (hold.c); chain.c makes a pod's routes and rules. No network connection is ever
 * opened (I4). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/mem.h"
#include "plugin/about.h"
#include "plugin/chain.h"
#include "plugin/cni_error.h"
#include "plugin/cni_version.h"
#include "plugin/ipam.h"
#include "plugin/parent.h"
#include "plugin/request.h"

/* What a role does for a verb. NULL: nothing, with success. */
static int (*const acts[CNI_ROLES][CNI_VERBS])(
    const struct cni_request *request, struct buf *out, struct err *err) = {
    [CNI_ROLE_NONE] = {[CNI_ADD] = request_refuse,
        [CNI_CHECK] = request_refuse,
        [CNI_VERSION] = cni_version_answer},
    [CNI_ROLE_BOTH] = {[CNI_ADD] = request_refuse, [CNI_CHECK] = request_refuse},
    [CNI_ROLE_IPAM] = {[CNI_ADD] = ipam_add,
        [CNI_CHECK] = ipam_check,
        [CNI_DEL] = ipam_del,
        [CNI_GC] = ipam_gc,
        [CNI_STATUS] = ipam_status},
    /* runtimes forward GC to the plugins of a list, main plugins not to their IPAM's */
    [CNI_ROLE_CHAIN] = {[CNI_ADD] = chain_add,
        [CNI_CHECK] = chain_check,
        [CNI_DEL] = chain_del,
        [CNI_GC] = ipam_gc},
};

/* A runtime may have closed one of the three: the next file or socket that we open
 * would get its number, and our answer be written into it. What holds the place can be
 * neither read nor written. A pipe that nobody reads is an error of write, not our end. */
static void
hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	(void)signal(SIGPIPE, SIG_IGN);
}

static bool
write_all(const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t put = write(STDOUT_FILENO, bytes, length);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		bytes += put;
		length -= (size_t)put;
	}
	return true;
}

static void
say_out_of_memory(void)
{
	(void)write_all(CNI_ERROR_NO_MEMORY, strlen(CNI_ERROR_NO_MEMORY));
	_exit(1);
}

/* Started by hand, not by a runtime. */
static int
answer_person(int argc, char **argv)
{
	const char *argument = argc > 1 ? argv[1] : "";

	if (strcmp(argument, "--help") == 0)
		about_help(stdout);
	else if (strcmp(argument, "--version") == 0)
		about_print(stdout);
	else
		about_print(stderr);
	return 0;
}

static int
answer_runtime(const struct cni_environment *environment, struct buf *out, struct err *err)
{
	scoped_request request = {0};
	int rc = request_read(environment, STDIN_FILENO, &request, err);

	if (!rc && acts[request.config.role][request.verb])
		rc = acts[request.config.role][request.verb](&request, out, err);
	if (rc) {
		buf_clear(out);
		cni_error_print(err, request.config.version, out);
	}
	return rc;
}

int
main(int argc, char **argv)
{
	const struct cni_environment environment = {
	    .command = getenv("CNI_COMMAND"),
	    .container = getenv("CNI_CONTAINERID"),
	    .netns = getenv("CNI_NETNS"),
	    .ifname = getenv("CNI_IFNAME"),
	    .args = getenv("CNI_ARGS"),
	    .path = getenv("CNI_PATH"),
	};
	scoped_buf out = buf_make(OUTPUT_BYTES_MAX);
	struct err err = {0};

	mem_on_exhausted(say_out_of_memory);
	hold_standard_descriptors();
	if (!cni_environment_asked(&environment))
		return answer_person(argc, argv);
	parent_follow();
	int rc = answer_runtime(&environment, &out, &err);
	return write_all(buf_string(&out), out.length) && rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
