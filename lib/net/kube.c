#include "net/kube.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/mem.h"
#include "net/clock.h"
#include "net/http.h"
#include "net/kube_answer.h"
#include "net/kube_credentials.h"
#include "net/kube_stream.h"
#include "table/json.h"

struct kube {
	struct ev_loop *loop;
	struct kube_config config;
	struct http *http;
	struct kube_credentials credentials;
	struct kube_call *calls;
	bool (*may_write)(const void *cookie);
	const void *gate_cookie;
};

struct kube_call {
	struct kube *kube;
	struct kube_call *next, *previous;

	/* what to send */
	char *method;
	bool is_read;
	char *url;
	char *subject; /* "PUT /api/..." */
	char *content_type;
	char *body;
	double idle_s;

	/* how it stands: either a request runs, or the timer does */
	struct http_request *request;
	ev_timer wait;
	double deadline;     /* clock_seconds() */
	unsigned version;    /* of the credentials last used */
	bool had_401;
	bool ended;          /* done runs; freed after it */
	struct err err;      /* for done, when it was not the server */

	bool (*bytes)(void *cookie, const char *bytes, size_t length);
	kube_done *done;
	void *cookie;
};

static bool on_bytes(void *cookie, const char *bytes, size_t length);
static void on_done(void *cookie, const struct http_answer *http);

/* ---- the client -------------------------------------------------------------- */

struct kube *
kube_new(struct ev_loop *loop, struct kube_config *config, const char *user_agent)
{
	struct kube *kube = mem_new(1, sizeof(*kube));

	kube->loop = loop;
	kube->config = *config;
	*config = (struct kube_config){0};
	kube->http = http_new(loop, user_agent);
	kube->credentials.config = &kube->config;
	kube->credentials.http = kube->http;
	return kube;
}

static void
call_free(struct kube_call *call)
{
	if (call->next)
		call->next->previous = call->previous;
	if (call->previous)
		call->previous->next = call->next;
	else if (call->kube)
		call->kube->calls = call->next;
	mem_free(call->method);
	mem_free(call->url);
	mem_free(call->subject);
	mem_free(call->content_type);
	mem_free(call->body);
	mem_free(call);
}

void
kube_free(struct kube *kube)
{
	struct kube_call *next;

	if (!kube)
		return;
	for (struct kube_call *call = kube->calls; call; call = next) {
		next = call->next;
		kube_cancel(call);
	}
	/* one may be left: it ends in this very moment, in its done */
	for (struct kube_call *call = kube->calls; call; call = call->next)
		call->kube = NULL;
	http_free(kube->http);
	kube_credentials_release(&kube->credentials);
	kube_config_release(&kube->config);
	mem_free(kube);
}

void
kube_set_gate(
    struct kube *kube, bool (*may_write)(const void *cookie), const void *cookie)
{
	kube->may_write = may_write;
	kube->gate_cookie = cookie;
}

unsigned
kube_writes_under_way(const struct kube *kube)
{
	unsigned count = 0;

	for (const struct kube_call *call = kube->calls; call; call = call->next)
		count += !call->is_read && call->request;
	return count;
}

/* ---- one attempt ------------------------------------------------------------- */

static void
wait_for(struct kube_call *call, double seconds)
{
	ev_now_update(call->kube->loop); /* or the timer counts from an old now */
	ev_timer_set(&call->wait, seconds, 0.);
	ev_timer_start(call->kube->loop, &call->wait);
}

static bool
may_send(void *cookie)
{
	const struct kube_call *call = cookie;
	const struct kube *kube = call->kube;

	return call->is_read || !kube->may_write || kube->may_write(kube->gate_cookie);
}

/* An err without a failure is none: an older token may do. */
static int
prepare(struct kube_call *call, struct err *err)
{
	if (!may_send(call))
		return err_set(err, ECANCELED, "not sent: no longer allowed");
	return kube_credentials_refresh(&call->kube->credentials, err);
}

/* Never calls done itself: it is also what kube_call begins with. */
static void
attempt(struct kube_call *call)
{
	struct kube *kube = call->kube;
	double left = call->deadline - clock_seconds();
	struct err err = {0};

	if (prepare(call, &err) < 0) {
		(void)err_wrap(&err, "%s", call->subject);
		call->err = err;
		wait_for(call, 0.);
		return;
	}
	call->version = kube->credentials.version;
	struct http_call http = {
	    .method = call->method,
	    .url = call->url,
	    .bearer = kube->credentials.token,
	    .content_type = call->content_type,
	    .body = call->body,
	    .body_length = call->body ? strlen(call->body) : 0,
	    .timeout_s = left > 0.001 ? left : 0.001,
	    .idle_s = call->idle_s,
	    .max_bytes = LIST_BYTES_MAX,
	    .may_send = call->is_read ? NULL : may_send,
	    .on_bytes = call->bytes ? on_bytes : NULL,
	    .on_done = on_done,
	    .cookie = call,
	};
	call->request = http_start(kube->http, &http);
}

/* ---- what came of it --------------------------------------------------------- */

static void
deliver(struct kube_call *call, const struct kube_answer *answer)
{
	call->ended = true;
	call->done(call->cookie, answer);
	call_free(call);
}

static void
on_wait(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct kube_call *call = watcher->data;
	struct kube_answer answer = {.err = call->err};

	(void)loop;
	(void)revents;
	if (call->err.code)
		deliver(call, &answer);
	else
		attempt(call);
}

/* A request that was refused for its credentials, when there are others now. */
static bool
retry_401(struct kube_call *call, const struct http_answer *http)
{
	struct kube_credentials *credentials = &call->kube->credentials;
	struct err ignored = {0};

	if (http->status == 0 && http->err.code == EKEYREJECTED)
		kube_credentials_doubt(credentials); /* the next call looks at the CA again */
	if (http->status != 401 || call->had_401)
		return false;
	call->had_401 = true;
	/* another call may have got the new ones meanwhile */
	if (credentials->version == call->version)
		kube_credentials_doubt(credentials);
	if (kube_credentials_refresh(credentials, &ignored) < 0 ||
	    credentials->version == call->version)
		return false;
	attempt(call);
	return true;
}

/* client-go rest/with_retry.go: only with the header does the server ask for it. */
static bool
retry_later(struct kube_call *call, const struct http_answer *http)
{
	double seconds = (double)http->retry_after_s;

	if (call->bytes || (http->status != 429 && http->status != 503) || seconds <= 0.)
		return false;
	if (clock_seconds() + seconds >= call->deadline)
		return false;
	wait_for(call, seconds);
	return true;
}

static bool
on_bytes(void *cookie, const char *bytes, size_t length)
{
	struct kube_call *call = cookie;

	/* nothing after it: the reader may have cancelled the call */
	return call->bytes(call->cookie, bytes, length);
}

static void
on_done(void *cookie, const struct http_answer *http)
{
	struct kube_call *call = cookie;
	struct kube_answer answer = {0};

	call->request = NULL;
	if (retry_401(call, http) || retry_later(call, http))
		return;
	kube_answer_decode(http, call->subject, call->is_read, &answer);
	struct json_object *body = answer.body;
	deliver(call, &answer);
	json_cleanup(&body);
}

/* ---- calls ------------------------------------------------------------------- */

static struct kube_call *
call_new(struct kube *kube, const char *method, const char *path, const char *query,
    double timeout_s)
{
	assert(path[0] == '/' && timeout_s > 0);
	struct kube_call *call = mem_new(1, sizeof(*call));

	call->kube = kube;
	call->next = kube->calls;
	if (call->next)
		call->next->previous = call;
	kube->calls = call;
	call->method = mem_text(method);
	call->is_read = strcmp(method, "GET") == 0;
	call->url = mem_format("%s%s%s%s", kube->config.server, path,
	    query && query[0] ? "?" : "", query ? query : "");
	call->subject = mem_format("%s %s", method, path);
	call->deadline = clock_seconds() + timeout_s;
	ev_init(&call->wait, on_wait);
	call->wait.data = call;
	return call;
}

struct kube_call *
kube_call(struct kube *kube, const char *method, const char *path, const char *query,
    const char *content_type, struct json_object *body, double timeout_s, kube_done *done,
    void *cookie)
{
	struct kube_call *call = call_new(kube, method, path, query, timeout_s);

	if (body) {
		call->body = mem_text(json_print(body));
		call->content_type = mem_text(content_type ? content_type : "application/json");
	}
	call->done = done;
	call->cookie = cookie;
	attempt(call);
	return call;
}

struct kube_call *
kube_stream(struct kube *kube, const struct kube_stream_spec *spec)
{
	struct kube_call *call =
	    call_new(kube, "GET", spec->path, spec->query, spec->timeout_s);

	call->idle_s = spec->idle_s;
	call->bytes = spec->bytes;
	call->done = spec->done;
	call->cookie = spec->cookie;
	attempt(call);
	return call;
}

void
kube_stream_idle(struct kube_call *call, double idle_s)
{
	call->idle_s = idle_s;
	if (call->request)
		http_idle(call->request, idle_s);
}

void
kube_cancel(struct kube_call *call)
{
	if (!call || call->ended)
		return; /* its done runs: freed right after */
	http_cancel(call->request);
	ev_timer_stop(call->kube->loop, &call->wait);
	call_free(call);
}

/* RFC 3986: everything but the unreserved characters. */
char *
kube_escape(const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	static const char plain[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	char *escaped = mem_new(strlen(text) * 3 + 1, 1);
	size_t used = 0;

	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (strchr(plain, *text)) {
			escaped[used++] = *text;
			continue;
		}
		escaped[used++] = '%';
		escaped[used++] = digits[byte >> 4];
		escaped[used++] = digits[byte & 15];
	}
	return escaped;
}
