/* libcurl's multi on libev, as docs/examples/evhiperfifo.c shows it without its
 * faults: timers in whole seconds, a low-speed limit that kills idle watches. */
#include <errno.h>
#include <unistd.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "net/http_private.h"

struct http_socket {
	int fd;
	ev_io io;
	struct http *http;
};

static int
by_fd(const void *a, const void *b)
{
	const struct http_socket *left = a;
	const struct http_socket *right = b;

	return (left->fd > right->fd) - (left->fd < right->fd);
}

static struct http_socket *
socket_find(struct http *http, int fd)
{
	struct http_socket key = {.fd = fd};

	return tree_find(&http->sockets, &key);
}

static void
socket_free(void *item)
{
	struct http_socket *socket = item;

	ev_io_stop(socket->http->loop, &socket->io);
	mem_free(socket);
}

/* libcurl may end a socket that it never announced (curl#17949): none is fine. */
static void
socket_drop(struct http *http, int fd)
{
	struct http_socket *socket = socket_find(http, fd);

	if (!socket)
		return;
	(void)tree_remove(&http->sockets, socket);
	socket_free(socket);
}

int
http_loop_close(void *cookie, curl_socket_t fd)
{
	socket_drop(cookie, fd);
	return close(fd);
}

/* A fault of libcurl itself, or a spin: what runs is void (libcurl-errors(3)),
 * so everything of this multi is thrown away and the requests end in errors. */
static void
renew(struct http *http, const char *why)
{
	struct http_request *request;

	while ((request = http_request_in(http, HTTP_RUNNING, UINT64_MAX))) {
		(void)curl_multi_remove_handle(http->multi, request->easy);
		request->state = HTTP_FAILED;
		(void)err_set(&request->err, EIO, "%s: libcurl %s: %s", request->subject,
		    curl_version_info(CURLVERSION_NOW)->version, why);
	}
	http_loop_release(http);
	http_loop_init(http);
	http_loop_kick(http);
}

/* Reports what libcurl has finished, frees what was cancelled in its callbacks. */
static void
settle(struct http *http)
{
	struct http_request *request;
	CURLMsg *message;
	int left;

	while ((request = http_request_in(http, HTTP_CANCELLED, UINT64_MAX)))
		http_request_free(request);
	while (!http->freed && (message = curl_multi_info_read(http->multi, &left))) {
		char *private = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode result = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		http->spins = 0;
		http_request_finish((struct http_request *)(void *)private, result);
	}
}

static struct http_request *
first_forbidden(struct http *http)
{
	for (struct http_request *r = http->requests; r; r = r->next)
		if (r->state == HTTP_RUNNING && http_request_forbidden(r))
			return r;
	return NULL;
}

/* Between two turns of the loop hours may pass (a stopped process, a suspended
 * machine): what may not leave any more is taken from libcurl before it runs. */
static void
end_forbidden(struct http *http)
{
	struct http_request *request;

	while (!http->freed && (request = first_forbidden(http)))
		http_request_finish(request, CURLE_ABORTED_BY_CALLBACK);
}

static void
act(struct http *http, curl_socket_t fd, int events)
{
	int running;

	http->in_curl = true;
	CURLMcode code = curl_multi_socket_action(http->multi, fd, events, &running);
	http->in_curl = false;
	settle(http);
	if (http->freed)
		return;
	if (code != CURLM_OK)
		renew(http, curl_multi_strerror(code));
	else if (++http->spins > HTTP_SPIN_MAX)
		renew(http, "woken again and again with nothing to do");
}

static void
on_io(struct ev_loop *loop, ev_io *watcher, int revents)
{
	struct http_socket *socket = watcher->data;
	struct http *http = socket->http;
	int fd = socket->fd;
	int events = (revents & EV_READ ? CURL_CSELECT_IN : 0) |
	    (revents & EV_WRITE ? CURL_CSELECT_OUT : 0);

	(void)loop;
	http_enter(http);
	end_forbidden(http);
	/* its connection may have ended with a request */
	if (!http->freed && socket_find(http, fd))
		act(http, fd, events);
	http_leave(http);
}

static void
on_timer(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct http *http = watcher->data;

	(void)loop;
	(void)revents;
	http_enter(http);
	end_forbidden(http);
	if (!http->freed)
		act(http, CURL_SOCKET_TIMEOUT, 0);
	http_leave(http);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int what, void *cookie, void *unused)
{
	struct http *http = cookie;
	struct http_socket *socket = socket_find(http, fd);

	(void)easy;
	(void)unused; /* the pointer is lost at CURL_POLL_REMOVE: our tree is not */
	http->spins = 0;
	if (what == CURL_POLL_REMOVE) {
		socket_drop(http, fd);
		return 0;
	}
	if (!socket) {
		socket = mem_new(1, sizeof(*socket));
		*socket = (struct http_socket){.fd = fd, .http = http};
		ev_init(&socket->io, on_io);
		socket->io.data = socket;
		(void)tree_add(&http->sockets, socket);
	}
	ev_io_stop(http->loop, &socket->io);
	ev_io_set(&socket->io, fd,
	    (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(http->loop, &socket->io);
	return 0;
}

static int
set_timer(CURLM *multi, long timeout_ms, void *cookie)
{
	struct http *http = cookie;

	(void)multi;
	ev_timer_stop(http->loop, &http->timer);
	http->timeout_due = timeout_ms == 0;
	/* not here: libcurl must not be called from this callback */
	if (timeout_ms == 0)
		http_loop_kick(http);
	if (timeout_ms <= 0)
		return 0;
	/* after a long callback the loop's idea of now is old, and the timer early */
	ev_now_update(http->loop);
	ev_timer_set(&http->timer, (double)timeout_ms / 1000, 0.);
	ev_timer_start(http->loop, &http->timer);
	return 0;
}

static void
begin(struct http *http, struct http_request *request)
{
	http->in_curl = true;
	CURLMcode code = curl_multi_add_handle(http->multi, request->easy);
	http->in_curl = false;
	http->spins = 0;
	request->state = code == CURLM_OK ? HTTP_RUNNING : HTTP_FAILED;
	if (code != CURLM_OK)
		(void)err_set(&request->err, EIO, "%s: cannot start: %s", request->subject,
		    curl_multi_strerror(code));
}

/* Only what is there when it begins: a client that starts the next request in
 * on_done of one that fails at once must not hold up the loop. */
static void
on_pump(struct ev_loop *loop, ev_idle *watcher, int revents)
{
	struct http *http = watcher->data;
	struct http_request *request;
	uint64_t limit = http->next_serial;

	(void)revents;
	ev_idle_stop(loop, watcher);
	http_enter(http);
	end_forbidden(http);
	while (!http->freed && (request = http_request_in(http, HTTP_QUEUED, limit)))
		begin(http, request);
	while (!http->freed && (request = http_request_in(http, HTTP_FAILED, limit)))
		http_request_finish(request, CURLE_FAILED_INIT);
	if (!http->freed && http->timeout_due) {
		http->timeout_due = false;
		act(http, CURL_SOCKET_TIMEOUT, 0);
	}
	http_leave(http);
}

void
http_loop_kick(struct http *http)
{
	ev_idle_start(http->loop, &http->pump);
}

void
http_loop_init(struct http *http)
{
	http->multi = curl_multi_init();
	if (!http->multi)
		mem_exhausted();
	http->spins = 0;
	http->timeout_due = false;
	http->sockets = tree_make(by_fd);
	ev_init(&http->timer, on_timer);
	http->timer.data = http;
	ev_idle_init(&http->pump, on_pump);
	/* idle only by libev's name: at the highest priority it runs in each turn,
	 * and a turn with it does not sleep (a zero ev_timer costs 1 ms of epoll) */
	ev_set_priority(&http->pump, EV_MAXPRI);
	http->pump.data = http;
	/* what is more waits in its order; its deadline is looked at when its turn comes */
	(void)curl_multi_setopt(
	    http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_CONNECTIONS_MAX);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	(void)curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	(void)curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
}

void
http_loop_release(struct http *http)
{
	(void)curl_multi_cleanup(http->multi); /* closes by http_loop_close */
	tree_release(&http->sockets, socket_free);
	ev_timer_stop(http->loop, &http->timer);
	ev_idle_stop(http->loop, &http->pump);
}
