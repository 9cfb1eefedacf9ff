/* One libcurl easy handle for one request: every option with its reason. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "net/http_private.h"

enum {
	CONNECT_TIMEOUT_MS = 10 * 1000,
	/* Found by measuring: keepalive alone took 24 s to see a cut stream with
	 * idle 5/interval 2; TCP_USER_TIMEOUT bounds the unanswered probes. */
	KEEPALIVE_IDLE_S = 20,
	KEEPALIVE_INTERVAL_S = 5,
	TCP_USER_TIMEOUT_MS = 30 * 1000,
	/* The API server closes idle connections after 90 s (net/http IdleTimeout
	 * in apiserver's secure_serving.go): ours must be gone earlier. */
	CONNECTION_IDLE_MAX_S = 60,
	/* Spreads over API servers behind a load balancer again after a while. */
	CONNECTION_AGE_MAX_S = 20 * 60,
	BUFFER_BYTES = 64 * 1024,
};

static size_t
on_body(char *bytes, size_t size, size_t count, void *cookie)
{
	struct http_request *request = cookie;
	long status = 0;

	(void)size; /* always 1 */
	if (request->state == HTTP_CANCELLED)
		return CURL_WRITEFUNC_ERROR;
	request->http->spins = 0;
	if (request->idle.repeat > 0.)
		ev_timer_again(request->http->loop, &request->idle);
	(void)curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (request->on_bytes && status / 100 == 2) {
		if (request->on_bytes(request->cookie, bytes, count))
			return request->state == HTTP_CANCELLED ? CURL_WRITEFUNC_ERROR : count;
		(void)err_set(&request->err, ECANCELED, "%s: ended by its reader", request->subject);
		return CURL_WRITEFUNC_ERROR;
	}
	if (buf_add(&request->body, bytes, count))
		return count;
	(void)err_set(&request->err, EFBIG, "%s: the answer is larger than %zu bytes",
	    request->subject, request->body.max);
	return CURL_WRITEFUNC_ERROR;
}

static size_t
on_header(char *bytes, size_t size, size_t count, void *cookie)
{
	struct http_request *request = cookie;

	(void)bytes;
	(void)size;
	request->http->spins = 0;
	if (request->idle.repeat > 0.)
		ev_timer_again(request->http->loop, &request->idle);
	return count;
}

/* The connection is there, the first byte comes next; also before libcurl repeats a
 * request by itself. */
static int
on_before_send(void *cookie, char *to, char *from, int to_port, int from_port)
{
	struct http_request *request = cookie;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	/* of a cancelled one the cookie is no more */
	return request->state == HTTP_CANCELLED || http_request_forbidden(request)
	    ? CURL_PREREQFUNC_ABORT
	    : CURL_PREREQFUNC_OK;
}

/* CURLOPT_TCP_KEEPCNT came only with libcurl 8.9; TCP_USER_TIMEOUT never. */
static int
on_socket(void *cookie, curl_socket_t fd, curlsocktype purpose)
{
	int timeout_ms = TCP_USER_TIMEOUT_MS;

	(void)cookie;
	(void)purpose;
	/* both only make a dead peer visible sooner: worth no failed request */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

static void
set_connection(CURL *easy)
{
	/* HTTP/2 in libcurl sends no PING by itself, so a dead peer stays unseen,
	 * and a stalled watch holds up what shares its connection */
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* the environment's proxies are not for the cluster's own API */
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S);
	(void)curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
	(void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)CONNECTION_IDLE_MAX_S);
	(void)curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, (long)CONNECTION_AGE_MAX_S);
	(void)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
}

static void
set_callbacks(struct http_request *request)
{
	CURL *easy = request->easy;

	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)(void *)request);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->curl_error);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_before_send);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, request);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_loop_close);
	(void)curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, request->http);
}

/* libcurl copies: the trust may change while the request runs. */
static void
set_blob(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = {.len = pem ? strlen(pem) : 0, .flags = CURL_BLOB_COPY};

	if (!pem)
		return;
	memcpy(&blob.data, &pem, sizeof(pem)); /* libcurl's struct lacks the const */
	(void)curl_easy_setopt(easy, option, &blob);
}

static void
set_trust(CURL *easy, const struct http_trust *trust)
{
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, trust->insecure ? 0L : 1L);
	(void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, trust->insecure ? 0L : 2L);
	if (trust->ca_pem) {
		/* as a blob it is part of what must match for a connection to be used
		 * again, and it escapes the 24 h of CURLOPT_CA_CACHE_TIMEOUT */
		set_blob(easy, CURLOPT_CAINFO_BLOB, trust->ca_pem);
		/* else the system's CAs would be believed besides (vtls/openssl.c) */
		(void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	set_blob(easy, CURLOPT_SSLCERT_BLOB, trust->cert_pem);
	set_blob(easy, CURLOPT_SSLKEY_BLOB, trust->key_pem);
}

static void
add_header(struct http_request *request, const char *name, const char *value)
{
	scoped_free char *line = mem_format("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(request->headers, line);

	if (!longer)
		mem_exhausted();
	request->headers = longer;
}

static void
set_headers(struct http_request *request, const struct http_call *call)
{
	add_header(request, "Accept", "application/json");
	if (call->bearer) {
		scoped_free char *value = mem_format("Bearer %s", call->bearer);
		add_header(request, "Authorization", value);
	}
	if (call->body && call->content_type)
		add_header(request, "Content-Type", call->content_type);
	if (call->body) {
		/* "Expect:" = none: it costs a round trip for bodies over 1 MB */
		struct curl_slist *longer = curl_slist_append(request->headers, "Expect:");
		if (!longer)
			mem_exhausted();
		request->headers = longer;
	}
	(void)curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers);
	(void)curl_easy_setopt(request->easy, CURLOPT_USERAGENT, request->http->user_agent);
}

/* The URL's host is replaced by the TLS name, and the connection led back to the
 * real host: libcurl has no other way to set the name that is verified. */
static int
redirect_to(struct http_request *request, CURLU *url, const char *server_name)
{
	char *host = NULL, *port = NULL, *whole = NULL;

	if (curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	    curl_url_set(url, CURLUPART_HOST, server_name, 0) == CURLUE_OK &&
	    curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK) {
		scoped_free char *rule = mem_format("%s:%s:%s:%s", server_name, port, host, port);
		request->connect_to = curl_slist_append(NULL, rule);
		(void)curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, request->connect_to);
		(void)curl_easy_setopt(request->easy, CURLOPT_URL, whole);
	}
	curl_free(host);
	curl_free(port);
	curl_free(whole);
	return request->connect_to ? 0 : -EINVAL;
}

static int
set_server_name(struct http_request *request, const char *plain_url,
    const char *server_name, struct err *err)
{
	CURLU *url = curl_url();

	if (!url)
		mem_exhausted();
	int rc = curl_url_set(url, CURLUPART_URL, plain_url, 0) == CURLUE_OK
	    ? redirect_to(request, url, server_name)
	    : -EINVAL;
	curl_url_cleanup(url);
	if (rc < 0)
		return err_set(err, EINVAL, "%s: cannot use '%s' as its TLS server name",
		    request->subject, server_name);
	return 0;
}

static void
set_body(CURL *easy, const struct http_call *call)
{
	if (strcmp(call->method, "HEAD") == 0)
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
	if (!call->body)
		return;
	/* the size first, or libcurl takes strlen (COPYPOSTFIELDS(3)) */
	(void)curl_easy_setopt(
	    easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_length);
	(void)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, call->body);
}

int
http_setup(struct http_request *request, const struct http_call *call, struct err *err)
{
	const struct http_trust *trust = &request->http->trust;

	request->easy = curl_easy_init();
	if (!request->easy)
		mem_exhausted();
	set_connection(request->easy);
	set_callbacks(request);
	set_trust(request->easy, trust);
	set_headers(request, call);
	set_body(request->easy, call);
	(void)curl_easy_setopt(
	    request->easy, CURLOPT_TIMEOUT_MS, (long)(call->timeout_s * 1000) + 1);
	/* what announces itself as too large is not even read */
	if (!call->on_bytes)
		(void)curl_easy_setopt(
		    request->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)call->max_bytes);
	if (!trust->server_name) {
		(void)curl_easy_setopt(request->easy, CURLOPT_URL, call->url);
		return 0;
	}
	return set_server_name(request, call->url, trust->server_name, err);
}
