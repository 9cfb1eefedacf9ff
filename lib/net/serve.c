#include "net/serve.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mem.h"

struct connection {
	struct serve *serve;
	int fd; /* libmicrohttpd's */
	ev_timer deadline;
	struct connection *older, *newer;
};

struct serve {
	struct ev_loop *loop;
	struct MHD_Daemon *daemon;
	struct serve_route routes[SERVE_ROUTES_MAX];
	unsigned route_count;
	ev_io io;       /* libmicrohttpd's epoll */
	ev_timer timer; /* when it wants to be called without an event */
	struct connection *oldest, *newest;
	unsigned connections;
};

/* ---- one request ------------------------------------------------------------ */

bool
serve_asked(const struct serve_request *request, const char *key)
{
	const char *value;
	size_t length;

	return MHD_lookup_connection_value_n(request->connection, MHD_GET_ARGUMENT_KIND, key,
	           strlen(key), &value, &length) == MHD_YES;
}

static const struct serve_route *
find_route(const struct serve *serve, const char *path)
{
	for (unsigned i = 0; i < serve->route_count; i++)
		if (strcmp(serve->routes[i].path, path) == 0)
			return &serve->routes[i];
	return NULL;
}

static bool
is_read(const char *method)
{
	return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

/* Sends the answer and empties it. */
static enum MHD_Result
send_answer(struct MHD_Connection *connection, struct serve_answer *answer)
{
	size_t length = answer->body.length;
	char *body = buf_take(&answer->body);
	struct MHD_Response *response =
	    MHD_create_response_from_buffer_with_free_callback(length, body, mem_free);

	if (!response) {
		mem_free(body);
		return MHD_NO; /* closes the connection */
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result rc =
	    MHD_queue_response(connection, (unsigned)answer->status, response);
	MHD_destroy_response(response);
	return rc;
}

/* libmicrohttpd calls this first without the body of a request: that is not waited
 * for, nobody wants it. */
static enum MHD_Result
on_request(void *cookie, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *body, size_t *body_length,
    void **state)
{
	const struct serve *serve = cookie;
	const struct serve_route *route = find_route(serve, path);
	struct serve_request request = {.connection = connection};
	struct serve_answer answer = {.status = MHD_HTTP_OK,
	    .content_type = "text/plain; charset=utf-8", .body = buf_make(ERR_TEXT_MAX)};

	(void)version;
	(void)body;
	(void)body_length;
	(void)state;
	if (!route) {
		answer.status = MHD_HTTP_NOT_FOUND;
		(void)buf_text(&answer.body, "no such page\n");
	} else if (!is_read(method)) {
		answer.status = MHD_HTTP_METHOD_NOT_ALLOWED;
		(void)buf_text(&answer.body, "GET and HEAD only\n");
	} else {
		route->page(route->cookie, &request, &answer);
	}
	return send_answer(connection, &answer);
}

/* ---- connections ------------------------------------------------------------ */

/* libmicrohttpd meets the end of the connection and tells on_connection. */
static void
cut(const struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
}

static void
on_deadline(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	cut(timer->data);
}

static void
enter(struct serve *serve, struct connection *connection)
{
	connection->older = serve->newest;
	*(serve->newest ? &serve->newest->newer : &serve->oldest) = connection;
	serve->newest = connection;
	serve->connections++;
	ev_timer_init(&connection->deadline, on_deadline, SERVE_DEADLINE_S, 0.);
	connection->deadline.data = connection;
	ev_timer_start(serve->loop, &connection->deadline);
}

static void
leave(struct serve *serve, struct connection *connection)
{
	ev_timer_stop(serve->loop, &connection->deadline);
	*(connection->older ? &connection->older->newer : &serve->oldest) = connection->newer;
	*(connection->newer ? &connection->newer->older : &serve->newest) = connection->older;
	serve->connections--;
	mem_free(connection);
}

/* One over the number: the oldest that still has its socket is cut, the others of
 * that age were cut already and are about to be told. */
static void
make_room(const struct serve *serve)
{
	const struct connection *connection = serve->oldest;

	for (unsigned over = serve->connections; over > SERVE_CONNECTIONS; over--) {
		cut(connection);
		connection = connection->newer;
	}
}

static void
on_connection(void *cookie, struct MHD_Connection *mhd, void **state,
    enum MHD_ConnectionNotificationCode what)
{
	struct serve *serve = cookie;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*state)
			leave(serve, *state);
		*state = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = mem_new(1, sizeof(*connection));
	*connection = (struct connection){.serve = serve, .fd = info->connect_fd};
	*state = connection;
	enter(serve, connection);
	make_room(serve);
}

/* ---- the loop --------------------------------------------------------------- */

static void
run(struct serve *serve)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	(void)MHD_run(serve->daemon); /* fails only when it was told to stop */
	ev_timer_stop(serve->loop, &serve->timer);
	if (MHD_get_timeout(serve->daemon, &wait_ms) != MHD_YES)
		return;
	ev_timer_set(&serve->timer, (double)wait_ms / 1000., 0.);
	ev_timer_start(serve->loop, &serve->timer);
}

static void
on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(io->data);
}

static void
on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(timer->data);
}

static struct MHD_Daemon *
start_daemon(struct serve *serve, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, serve,
	    MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVE_CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVE_MEMORY_MAX,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVE_DEADLINE_S,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, serve,
	    MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_END);
}

struct serve *
serve_new(struct ev_loop *loop, int fd, const struct serve_route *routes,
    unsigned route_count, struct err *err)
{
	struct serve *serve = mem_new(1, sizeof(*serve));
	scoped_fd int own = fd;

	assert(route_count <= SERVE_ROUTES_MAX);
	serve->loop = loop;
	serve->route_count = route_count;
	memcpy(serve->routes, routes, route_count * sizeof(*routes));
	serve->daemon = start_daemon(serve, fd);
	if (!serve->daemon) {
		mem_free(serve);
		(void)err_set(err, EIO, "libmicrohttpd %s does not start its server", MHD_get_version());
		return NULL;
	}
	(void)mem_take_fd(&own);
	ev_io_init(&serve->io, on_io,
	    MHD_get_daemon_info(serve->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, EV_READ);
	ev_init(&serve->timer, on_timer);
	serve->io.data = serve->timer.data = serve;
	ev_io_start(loop, &serve->io);
	return serve;
}

void
serve_free(struct serve *serve)
{
	if (!serve)
		return;
	ev_io_stop(serve->loop, &serve->io);
	ev_timer_stop(serve->loop, &serve->timer);
	MHD_stop_daemon(serve->daemon);
	mem_free(serve);
}
