#include "net/http.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "core/mem.h"
#include "net/http_private.h"

/* ---- the client -------------------------------------------------------------- */

struct http *
http_new(struct ev_loop *loop, const char *user_agent)
{
	struct http *http = mem_new(1, sizeof(*http));

	/* counts inside: once more is cheap and not for threads, which we have not */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		mem_exhausted();
	http->loop = loop;
	http->user_agent = mem_text(user_agent);
	http_loop_init(http);
	return http;
}

static void
trust_release(struct http_trust *trust)
{
	const char *texts[] = {
	    trust->ca_pem, trust->cert_pem, trust->key_pem, trust->server_name};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *text;
		memcpy(&text, &texts[i], sizeof(text)); /* ours, const only for readers */
		mem_free(text);
	}
	*trust = (struct http_trust){0};
}

static void
destroy(struct http *http)
{
	http_loop_release(http);
	trust_release(&http->trust);
	mem_free(http->user_agent);
	mem_free(http);
	curl_global_cleanup();
}

void
http_free(struct http *http)
{
	struct http_request *next;

	if (!http)
		return;
	http->freed = true;
	for (struct http_request *request = http->requests; request; request = next) {
		next = request->next;
		http_cancel(request);
	}
	if (http->depth == 0)
		destroy(http);
}

void
http_enter(struct http *http)
{
	http->depth++;
}

void
http_leave(struct http *http)
{
	assert(http->depth > 0 && !http->in_curl);
	if (--http->depth == 0 && http->freed)
		destroy(http);
}

void
http_trust(struct http *http, const struct http_trust *trust)
{
	struct http_trust copy = {
	    .ca_pem = mem_text(trust->ca_pem),
	    .cert_pem = mem_text(trust->cert_pem),
	    .key_pem = mem_text(trust->key_pem),
	    .server_name = mem_text(trust->server_name),
	    .insecure = trust->insecure,
	};

	trust_release(&http->trust);
	http->trust = copy;
}

/* ---- the life of a request --------------------------------------------------- */

static void
link_in(struct http_request *request)
{
	struct http *http = request->http;

	request->next = http->requests;
	if (request->next)
		request->next->previous = request;
	http->requests = request;
}

static void
link_out(struct http_request *request)
{
	if (request->next)
		request->next->previous = request->previous;
	if (request->previous)
		request->previous->next = request->next;
	else
		request->http->requests = request->next;
}

struct http_request *
http_request_in(struct http *http, enum http_state state, uint64_t limit)
{
	struct http_request *found = NULL;

	/* the newest stand in front: the oldest first, as they were started */
	for (struct http_request *r = http->requests; r; r = r->next)
		if (r->state == state && r->serial < limit)
			found = r;
	return found;
}

static void
on_idle(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	struct http_request *request = watcher->data;
	struct http *http = request->http;

	(void)loop;
	(void)revents;
	(void)err_set(&request->err, ETIMEDOUT, "%s: no byte came for %.1f s",
	    request->subject, watcher->repeat);
	http_enter(http);
	http_request_finish(request, CURLE_OPERATION_TIMEDOUT);
	http_leave(http);
}

void
http_idle(struct http_request *request, double idle_s)
{
	ev_now_update(request->http->loop); /* as in set_timer of http_loop.c */
	request->idle.repeat = idle_s;
	ev_timer_again(request->http->loop, &request->idle); /* 0 stops it */
}

/* The query is long and says nothing to a person. */
static char *
subject_of(const struct http_call *call)
{
	return mem_format(
	    "%s %.*s", call->method, (int)strcspn(call->url, "?"), call->url);
}

struct http_request *
http_start(struct http *http, const struct http_call *call)
{
	assert(call->timeout_s > 0 && call->on_done);
	struct http_request *request = mem_new(1, sizeof(*request));

	request->http = http;
	request->serial = http->next_serial++;
	request->subject = subject_of(call);
	request->may_send = call->may_send;
	request->body_length = call->body_length;
	request->on_bytes = call->on_bytes;
	request->on_done = call->on_done;
	request->cookie = call->cookie;
	request->timeout_s = call->timeout_s;
	request->body = buf_make(call->max_bytes);
	ev_init(&request->idle, on_idle);
	request->idle.data = request;
	link_in(request);
	http_idle(request, call->idle_s);
	request->state =
	    http_setup(request, call, &request->err) < 0 ? HTTP_FAILED : HTTP_QUEUED;
	http_loop_kick(http);
	return request;
}

/* libcurl counts what the socket took. */
static bool
all_sent(const struct http_request *request)
{
	long sent = 0;
	curl_off_t body = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &sent);
	(void)curl_easy_getinfo(request->easy, CURLINFO_SIZE_UPLOAD_T, &body);
	return sent > 0 && (size_t)body >= request->body_length;
}

bool
http_request_forbidden(struct http_request *request)
{
	if (!request->may_send || all_sent(request) || request->may_send(request->cookie))
		return false;
	(void)err_set(&request->err, ECANCELED, "%s: not sent: no longer allowed",
	    request->subject);
	return true;
}

/* Takes it from libcurl, so that none of its callbacks comes any more. */
static void
withdraw(struct http_request *request)
{
	assert(!request->http->in_curl);
	if (request->state == HTTP_RUNNING || request->state == HTTP_CANCELLED) {
		/* none was added when it was cancelled before it began: an error then,
		 * and a harmless one */
		(void)curl_multi_remove_handle(request->http->multi, request->easy);
	}
	ev_timer_stop(request->http->loop, &request->idle);
}

void
http_request_free(struct http_request *request)
{
	withdraw(request);
	link_out(request);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	curl_slist_free_all(request->connect_to);
	buf_release(&request->body);
	mem_free(request->subject);
	mem_free(request);
}

void
http_cancel(struct http_request *request)
{
	if (!request || request->state == HTTP_ENDED)
		return; /* its on_done runs: freed right after */
	ev_timer_stop(request->http->loop, &request->idle);
	if (request->http->in_curl)
		request->state = HTTP_CANCELLED; /* settle() frees it */
	else
		http_request_free(request);
}

/* ---- what came of it --------------------------------------------------------- */

static int
code_of(CURL *easy, CURLcode result)
{
	long os_error = 0;

	(void)curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
	switch ((int)result) { /* few of libcurl's hundred */
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
		return EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return os_error > 0 ? (int)os_error : ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
		return EPROTO;
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return ECONNRESET;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return EINVAL;
	default:
		return EIO;
	}
}

static void
explain(struct http_request *request, CURLcode result, struct err *err)
{
	if (request->err.code) {
		*err = request->err;
		return;
	}
	const char *why = request->curl_error[0] ? request->curl_error
	                                         : curl_easy_strerror(result);
	if (result == CURLE_FILESIZE_EXCEEDED)
		(void)err_set(err, EFBIG, "%s: the answer is larger than %zu bytes",
		    request->subject, request->body.max);
	else if (result == CURLE_OPERATION_TIMEDOUT)
		(void)err_set(err, ETIMEDOUT, "%s: not done after %.1f s: %s", request->subject,
		    request->timeout_s, why);
	else
		(void)err_set(
		    err, code_of(request->easy, result), "%s: %s", request->subject, why);
}

static void
describe(struct http_request *request, CURLcode result, struct http_answer *answer)
{
	curl_off_t retry_after = 0;
	long status = 0;
	long sent = 0;

	(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER, &retry_after);
	(void)curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &sent);
	answer->maybe_sent = sent > 0;
	answer->body = &request->body;
	if (result == CURLE_OK && !request->err.code) {
		answer->status = (int)status;
		answer->retry_after_s = (long)retry_after;
	} else {
		explain(request, result, &answer->err);
	}
}

void
http_request_finish(struct http_request *request, CURLcode result)
{
	struct http_answer answer = {0};

	describe(request, result, &answer);
	withdraw(request);
	request->state = HTTP_ENDED;
	request->on_done(request->cookie, &answer);
	http_request_free(request);
}
