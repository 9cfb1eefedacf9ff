/* An HTTP server of our own on loopback, driven by the same loop as the client:
 * each request is handed to the test, which answers as it likes, also wrongly. */
#ifndef TESTS_UNIT_NET_SERVER_H
#define TESTS_UNIT_NET_SERVER_H

#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/mem.h"

#define MAYBE_UNUSED __attribute__((unused))

enum { SERVER_CONNECTIONS_MAX = 64 };

struct server_request {
	unsigned number; /* 1 = the first of this server */
	char method[16];
	char target[4096];
	char authorization[256]; /* "" = none */
	const char *head;        /* all of it */
	const char *body;
};

struct server_connection {
	struct server *server;
	int fd; /* -1 = unused */
	ev_io io;
	struct buf in;
};

struct server {
	struct ev_loop *loop;
	int fd; /* -1 = does not listen */
	int port;
	ev_io io;
	struct server_connection connections[SERVER_CONNECTIONS_MAX];
	unsigned accepted;
	unsigned requests;
	void (*serve)(void *cookie, struct server_connection *to, const struct server_request *request);
	void *cookie;
};

static void
server_close(struct server_connection *connection)
{
	if (connection->fd < 0)
		return;
	ev_io_stop(connection->server->loop, &connection->io);
	(void)close(connection->fd);
	connection->fd = -1;
	buf_release(&connection->in);
}

static void
server_send_bytes(struct server_connection *to, const char *bytes, size_t length)
{
	while (length > 0 && to->fd >= 0) {
		ssize_t put = send(to->fd, bytes, length, MSG_NOSIGNAL);
		if (put <= 0)
			return;
		bytes += put;
		length -= (size_t)put;
	}
}

static void
server_send(struct server_connection *to, const char *text)
{
	server_send_bytes(to, text, strlen(text));
}

/* headers: "X: y\r\n", or "". */
static MAYBE_UNUSED void
server_answer(struct server_connection *to, int status, const char *headers, const char *body)
{
	char *length = strstr(headers, "Content-Length")
	    ? mem_text("") /* the test lies */
	    : mem_format("Content-Length: %zu\r\n", strlen(body));
	char *text = mem_format("HTTP/1.1 %d Some Reason\r\nContent-Type: application/json\r\n"
	                        "%s%s\r\n%s",
	    status, length, headers, body);

	mem_free(length);
	server_send(to, text);
	mem_free(text);
}

static MAYBE_UNUSED void
server_stream_begin(struct server_connection *to)
{
	server_send(to, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	                "Transfer-Encoding: chunked\r\n\r\n");
}

static MAYBE_UNUSED void
server_stream_send(struct server_connection *to, const char *text)
{
	char *chunk = mem_format("%zx\r\n%s\r\n", strlen(text), text);

	if (text[0])
		server_send(to, chunk);
	mem_free(chunk);
}

static MAYBE_UNUSED void
server_stream_end(struct server_connection *to)
{
	server_send(to, "0\r\n\r\n");
}

static size_t
server_body_length(const char *head)
{
	const char *found = strcasestr(head, "\r\nContent-Length: ");

	return found ? strtoul(found + 18, NULL, 10) : 0;
}

static void
server_parse(const char *head, struct server_request *request)
{
	const char *found = strcasestr(head, "\r\nAuthorization: ");

	(void)sscanf(head, "%15s %4095s", request->method, request->target);
	if (found)
		(void)sscanf(found + 17, "%255[^\r]", request->authorization);
}

/* Serves what is whole in the buffer; false when nothing is. */
static bool
server_serve_one(struct server_connection *from)
{
	const char *text = buf_string(&from->in);
	const char *end = strstr(text, "\r\n\r\n");
	struct server_request request = {0};

	if (!end)
		return false;
	size_t head_length = (size_t)(end - text) + 4;
	char *head = mem_format("%.*s", (int)head_length, text);
	size_t body_length = server_body_length(head);
	bool whole = from->in.length >= head_length + body_length;
	if (whole) {
		char *body = mem_format("%.*s", (int)body_length, text + head_length);
		server_parse(head, &request);
		request.head = head;
		request.body = body;
		request.number = ++from->server->requests;
		buf_skip(&from->in, head_length + body_length);
		from->server->serve(from->server->cookie, from, &request);
		mem_free(body);
	}
	mem_free(head);
	return whole && from->fd >= 0;
}

static void
server_on_bytes(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct server_connection *from = watcher->data;
	char bytes[65536];

	(void)loop;
	(void)revents;
	ssize_t got = recv(from->fd, bytes, sizeof(bytes), 0);
	if (got <= 0) {
		server_close(from);
		return;
	}
	(void)buf_add(&from->in, bytes, (size_t)got);
	while (server_serve_one(from))
		continue;
}

static void
server_on_connect(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct server *server = watcher->data;
	struct server_connection *free_one = NULL;
	int fd = accept(server->fd, NULL, NULL);

	(void)revents;
	for (int i = 0; i < SERVER_CONNECTIONS_MAX && !free_one; i++)
		if (server->connections[i].fd < 0)
			free_one = &server->connections[i];
	if (fd < 0 || !free_one)
		abort();
	server->accepted++;
	*free_one = (struct server_connection){
	    .server = server, .fd = fd, .in = buf_make(64 * 1024 * 1024)};
	ev_io_init(&free_one->io, server_on_bytes, fd, EV_READ);
	free_one->io.data = free_one;
	ev_io_start(loop, &free_one->io);
}

/* On server->port again when it has one. */
static void
server_listen(struct server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)server->port),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(address);
	int on = 1;

	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->fd < 0 ||
	    setsockopt(server->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(server->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(server->fd, 16) < 0 ||
	    getsockname(server->fd, (struct sockaddr *)&address, &length) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	ev_io_init(&server->io, server_on_connect, server->fd, EV_READ);
	server->io.data = server;
	ev_io_start(server->loop, &server->io);
}

static void
server_close_all(struct server *server)
{
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		server_close(&server->connections[i]);
}

/* Refuses connections; the port stays its own. */
static void
server_deafen(struct server *server)
{
	if (server->fd < 0)
		return;
	ev_io_stop(server->loop, &server->io);
	(void)close(server->fd);
	server->fd = -1;
}

static struct server *
server_start(struct ev_loop *loop,
    void (*serve)(void *, struct server_connection *, const struct server_request *), void *cookie)
{
	struct server *server = mem_new(1, sizeof(*server));

	server->loop = loop;
	server->serve = serve;
	server->cookie = cookie;
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		server->connections[i].fd = -1;
	server_listen(server);
	return server;
}

static void
server_stop(struct server *server)
{
	server_close_all(server);
	server_deafen(server);
	mem_free(server);
}

/* ---- the loop ---------------------------------------------------------------- */

static void
loop_on_deadline(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	(void)loop;
	(void)revents;
	*(bool *)watcher->data = true;
}

/* Turns the loop until done says so; false after so many seconds. */
static MAYBE_UNUSED bool
loop_until(struct ev_loop *loop, bool (*done)(void *cookie), void *cookie, double seconds)
{
	bool late = false;
	ev_timer deadline;

	ev_now_update(loop);
	ev_timer_init(&deadline, loop_on_deadline, seconds, 0.);
	deadline.data = &late;
	ev_timer_start(loop, &deadline);
	while (!late && !done(cookie))
		(void)ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &deadline);
	return !late;
}

static bool
loop_never(void *cookie)
{
	(void)cookie;
	return false;
}

static MAYBE_UNUSED void
loop_for(struct ev_loop *loop, double seconds)
{
	(void)loop_until(loop, loop_never, NULL, seconds);
}

#endif
