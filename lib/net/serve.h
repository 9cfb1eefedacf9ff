/* A small HTTP server for health and metrics, on libmicrohttpd inside the libev loop:
 * no threads. It answers GET and HEAD of the pages that it was given, one request per
 * connection; 404 for other paths, 405 for other methods.
 *
 * Nobody can hold it up: a connection lives for SERVE_DEADLINE_S at most, however
 * slowly its request comes, and when SERVE_CONNECTIONS are open the oldest gives way. */
#ifndef NET_SERVE_H
#define NET_SERVE_H

#include <ev.h>
#include <stdbool.h>

#include "core/buf.h"
#include "core/err.h"

struct serve;
struct MHD_Connection;

struct serve_request {
	struct MHD_Connection *connection;
};
/* Whether the query has this key, with or without a value ("?verbose"). */
bool serve_asked(const struct serve_request *request, const char *key);

struct serve_answer {
	int status;               /* 200 unless the page sets it */
	const char *content_type; /* text/plain unless the page sets it; a literal */
	struct buf body;          /* empty; give it a maximum of the page's own */
};

/* Writes the answer; from the loop, must not block and not free the server. */
typedef void serve_page(
    void *cookie, const struct serve_request *request, struct serve_answer *answer);

struct serve_route {
	const char *path; /* "/livez", exactly */
	serve_page *page;
	void *cookie;
};

/* Takes over the listening socket, also when it fails. Up to SERVE_ROUTES_MAX routes,
 * copied; their strings are not. NULL and err when libmicrohttpd does not start. */
struct serve *serve_new(struct ev_loop *loop, int fd, const struct serve_route *routes,
    unsigned route_count, struct err *err);
/* Ends all connections. NULL is fine. */
void serve_free(struct serve *serve);

#endif
