/* One call of a runtime: the environment and standard input, checked. */
#ifndef PLUGIN_REQUEST_H
#define PLUGIN_REQUEST_H

#include "core/buf.h"
#include "core/err.h"
#include "plugin/cni_config.h"
#include "plugin/cni_environment.h"

struct cni_request {
	const struct cni_environment *environment;
	enum cni_verb verb;
	struct cni_config config;
	const char *host_file; /* where the host's settings are */
};

/* Reads at most STDIN_BYTES_MAX from fd and checks both halves, environment first.
 * VERSION needs no input: it gets what comes within VERSION_INPUT_MS, unchecked.
 * *ret_request is filled as far as it was understood, on errors too: release it in
 * any case. */
int request_read(const struct cni_environment *environment, int fd,
    struct cni_request *ret_request, struct err *err);
void request_release(struct cni_request *request);
#define scoped_request __attribute__((cleanup(request_release))) struct cni_request

/* The answer to a configuration that wants us in no role, or in both: code 7. */
int request_refuse(const struct cni_request *request, struct buf *out, struct err *err);

#endif
