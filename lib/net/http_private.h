/* What the halves of the HTTP client share: http.c knows requests, http_loop.c
 * ties libcurl's multi to libev. Private to lib/net. */
#ifndef NET_HTTP_PRIVATE_H
#define NET_HTTP_PRIVATE_H

#include <curl/curl.h>
#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/err.h"
#include "core/tree.h"
#include "net/http.h"

enum {
	/* Wake-ups in a row by libcurl's sockets and timers in which nothing came
	 * of it. A healthy transfer needs a handful (TLS); a socket that libcurl
	 * forgot to announce as gone (curl#14280, #21960) makes 100 000 a second. */
	HTTP_SPIN_MAX = 10000,
};

struct http {
	struct ev_loop *loop;
	char *user_agent;
	struct http_trust trust; /* own copies */

	/* libcurl on the loop */
	CURLM *multi;
	struct tree sockets; /* struct http_socket, by fd */
	ev_timer timer;      /* libcurl's next timeout */
	bool timeout_due;    /* it is now: the pump does it */
	unsigned spins;      /* wake-ups since the last progress */

	/* Work that must wait until nobody is inside libcurl or a callback. */
	ev_idle pump;
	bool in_curl;
	unsigned depth; /* of entries from the loop, for http_free in a callback */
	bool freed;

	struct http_request *requests;
	uint64_t next_serial;
};

enum http_state {
	HTTP_QUEUED,    /* the pump gives it to libcurl */
	HTTP_RUNNING,   /* libcurl has it */
	HTTP_FAILED,    /* the pump reports err */
	HTTP_ENDED,     /* on_done runs; freed after it */
	HTTP_CANCELLED, /* freed as soon as nobody is inside libcurl */
};

struct http_request {
	struct http *http;
	struct http_request *next, *previous;
	uint64_t serial;
	enum http_state state;

	/* libcurl's part */
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	char curl_error[CURL_ERROR_SIZE];

	/* the client's part */
	char *subject; /* "GET https://host/path", for errors */
	bool (*may_send)(void *cookie);
	size_t body_length;
	bool (*on_bytes)(void *cookie, const char *bytes, size_t length);
	void (*on_done)(void *cookie, const struct http_answer *answer);
	void *cookie;
	double timeout_s;
	ev_timer idle;
	struct buf body;
	struct err err; /* ours, when it was not libcurl that failed */
};

/* ---- http_loop.c ---- */

void http_loop_init(struct http *http);
void http_loop_release(struct http *http);
/* The pump runs in this turn of the loop, from the loop. */
void http_loop_kick(struct http *http);
/* Brackets around every entry from the loop: the last one out frees a client that
 * was freed inside. */
void http_enter(struct http *http);
void http_leave(struct http *http);
/* libcurl's callback that closes a socket: ends its watcher first, so that libev
 * never watches a closed fd (curl#14976, curl#6237). cookie is the struct http. */
int http_loop_close(void *cookie, curl_socket_t fd);

/* ---- http.c ---- */

/* Takes the request from libcurl, reports, frees. result is of libcurl unless
 * request->err says more. */
void http_request_finish(struct http_request *request, CURLcode result);
void http_request_free(struct http_request *request);
/* Whether something of it is still to be sent although it may not be any more; then
 * request->err says so. */
bool http_request_forbidden(struct http_request *request);
/* The first request in this state with a serial below limit, or NULL. */
struct http_request *http_request_in(struct http *http, enum http_state state,
    uint64_t limit);

/* ---- http_setup.c ---- */

/* Makes the easy handle. Returns 0, or -ENOMEM etc. with err. */
int http_setup(struct http_request *request, const struct http_call *call,
    struct err *err);

#endif
