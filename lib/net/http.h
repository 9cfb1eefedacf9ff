/* An HTTP/1.1 client: one curl multi on one libev loop. One thread; callbacks
 * run from the loop, never from within http_start or http_cancel. */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/err.h"

struct http;
struct http_request;

/* How to reach and believe a server; strings and bytes are copied. */
struct http_trust {
	const char *ca_pem;     /* PEM bytes of the CA bundle; NULL = the system's */
	const char *cert_pem;   /* client certificate and key, or both NULL */
	const char *key_pem;
	const char *server_name; /* TLS name instead of the URL's host, or NULL */
	bool insecure;           /* no verification at all */
};

struct http_answer {
	int status;         /* HTTP status; 0 = no whole response, see err */
	struct err err;     /* why status is 0: connect, TLS, timeout, size */
	struct buf *body;   /* whole body unless on_bytes took it; the client's */
	long retry_after_s; /* Retry-After in seconds, 0 = none */
	bool maybe_sent;    /* at least a part of the request left this machine */
};

struct http_call {
	const char *method;       /* "GET", "PUT", ... */
	const char *url;
	const char *bearer;       /* token, or NULL */
	const char *content_type; /* with body */
	const char *body;         /* or NULL */
	size_t body_length;
	double timeout_s;         /* whole transfer; must be above 0 */
	double idle_s;            /* no byte for so long = failed; 0 = off */
	size_t max_bytes;         /* of a collected body */

	/* NULL: whenever it can. Else asked before anything of the request leaves, each
	 * time that libcurl sends it again, and whenever the loop comes back while a part
	 * of it is not sent. false ends it: status 0, ECANCELED, and the connection is
	 * closed, so that the server gets all of it or never the end. Must only look. */
	bool (*may_send)(void *cookie);

	/* Streaming: each piece of a 2xx body as it comes; returns false to end
	 * the request (on_done then has status 0 and an err that says so).
	 * NULL: the body is collected. The bodies of other statuses are always
	 * collected, up to max_bytes. */
	bool (*on_bytes)(void *cookie, const char *bytes, size_t length);
	/* Exactly once, unless cancelled before; the request is freed after it. */
	void (*on_done)(void *cookie, const struct http_answer *answer);
	void *cookie;
};

/* A client on this loop. user_agent is copied. Free with http_free, which
 * cancels what still runs; fine from within any callback. */
struct http *http_new(struct ev_loop *loop, const char *user_agent);
void http_free(struct http *http);
/* From the next request on; connections that believe in the old trust are not
 * used again. Copies. */
void http_trust(struct http *http, const struct http_trust *trust);

/* Starts a request; never NULL. A request that cannot even start ends in
 * on_done from the loop, like any other. */
struct http_request *http_start(struct http *http, const struct http_call *call);
/* Ends it without on_done. Fine from within any callback, also its own on_bytes. */
void http_cancel(struct http_request *request);
/* Changes idle_s, counted from now; 0 = off. */
void http_idle(struct http_request *request, double idle_s);

#endif
