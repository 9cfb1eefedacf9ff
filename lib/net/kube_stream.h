/* A call whose answer is read as it comes. Private to lib/net: for watches. */
#ifndef NET_KUBE_STREAM_H
#define NET_KUBE_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "net/kube.h"

struct kube_stream_spec {
	const char *path;
	const char *query;
	double timeout_s; /* of the whole stream */
	double idle_s;    /* no byte for so long = failed; 0 = off */
	/* A piece of a 2xx body; false ends the stream: done then has status 0. */
	bool (*bytes)(void *cookie, const char *bytes, size_t length);
	/* The end: ok after a whole 2xx body (answer->body is NULL then). */
	kube_done *done;
	void *cookie;
};

/* A GET with the client's credentials. Only a 401 is tried again (with fresh ones);
 * Retry-After is handed on. Ends with kube_cancel or done. */
struct kube_call *kube_stream(struct kube *kube, const struct kube_stream_spec *spec);
/* Changes idle_s, counted from now. */
void kube_stream_idle(struct kube_call *call, double idle_s);

#endif
