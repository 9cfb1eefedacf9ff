#include "plugin/request.h"

#include <json-c/json.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "core/bounds.h"
#include "core/file.h"
#include "plugin/cni_error.h"
#include "plugin/host_file.h"
#include "table/json.h"

static long
now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (long)now.tv_sec * 1000 + (long)now.tv_nsec / 1000000;
}

/* VERSION must be answered whatever stands on the other end: a closed descriptor,
 * an empty file, a pipe that nobody writes to or closes. */
static void
read_for_a_while(int fd, struct buf *input)
{
	char chunk[4096];
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	long deadline = now_ms() + VERSION_INPUT_MS;

	for (long left = VERSION_INPUT_MS; left > 0; left = deadline - now_ms()) {
		if (poll(&wait, 1, (int)left) <= 0)
			return;
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got <= 0 || !buf_add(input, chunk, (size_t)got))
			return;
	}
}

static void
read_version_input(int fd, struct cni_request *request)
{
	scoped_buf input = buf_make(STDIN_BYTES_MAX);

	read_for_a_while(fd, &input);
	/* rubbish is as good as nothing here */
	(void)json_parse(buf_string(&input), input.length, "standard input",
	    &request->config.json, NULL);
}

int
request_read(const struct cni_environment *environment, int fd,
    struct cni_request *ret_request, struct err *err)
{
	scoped_buf input = buf_make(STDIN_BYTES_MAX);
	struct cni_request *request = ret_request;

	*request = (struct cni_request){.environment = environment, .host_file = HOST_FILE};
	request->config.version = cni_version_newest();
	int rc = cni_environment_read(environment, &request->verb, err);
	if (rc)
		return rc;
	if (request->verb == CNI_VERSION) {
		read_version_input(fd, request);
		return 0;
	}
	rc = file_read_fd(fd, "standard input", &input, err);
	if (rc)
		return rc;
	return cni_config_parse(
	    buf_string(&input), input.length, request->verb, &request->config, err);
}

void
request_release(struct cni_request *request)
{
	cni_config_release(&request->config);
}

int
request_refuse(const struct cni_request *request, struct buf *out, struct err *err)
{
	(void)out; /* a refusal has no result */
	if (request->config.role == CNI_ROLE_BOTH)
		return err_set(err, CNI_ERROR_CONFIG,
		    "network %s wants staticip twice in one object; keep \"type\" (it installs "
		    "routes, behind a main plugin) or \"ipam.type\" (it gives addresses, to the "
		    "main plugin named by \"type\")",
		    request->config.name);
	if (!request->config.ipam)
		return err_set(err, CNI_ERROR_CONFIG,
		    "IPAM config missing 'ipam' key; neither \"type\" nor \"ipam.type\" of "
		    "network %s is \"staticip\"",
		    request->config.name);
	return err_set(err, CNI_ERROR_CONFIG,
	    "the network configuration is another plugin's; neither \"type\" nor "
	    "\"ipam.type\" of network %s is \"staticip\"",
	    request->config.name);
}
