/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <dirent.h>
#include <errno.h>

#include "core/bounds.h"
#include "net/http.h"
#include "net/http_private.h"
#include "server.h"

/* What a test has: a loop, a server that does as it is told, a client. */
struct fixture {
	struct ev_loop *loop;
	struct server *server;
	struct http *http;
	char *url;
	void (*serve)(struct fixture *, struct server_connection *, const struct server_request *);

	/* what came of the requests */
	int done;
	int status;
	struct err err;
	char *body;
	long retry_after_s;
	bool maybe_sent;
	struct buf streamed;

	/* what on_bytes and on_done do */
	struct http_request *request, *second;
	bool refuse_bytes, cancel_in_bytes, start_in_bytes, free_in_bytes, free_in_done;
	bool in_start;
	char head[4096];
};

static void
hand_over(void *cookie, struct server_connection *to, const struct server_request *request)
{
	struct fixture *f = cookie;

	(void)snprintf(f->head, sizeof(f->head), "%s%s", request->head, request->body);
	f->serve(f, to, request);
}

static int
set_up(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));

	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->server = server_start(f->loop, hand_over, f);
	f->http = http_new(f->loop, "staticip-test/1");
	f->url = mem_format("http://127.0.0.1:%d/path?query=1", f->server->port);
	f->streamed = buf_make(1000 * 1000);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_free(f->http);
	server_stop(f->server);
	ev_loop_destroy(f->loop);
	mem_free(f->url);
	mem_free(f->body);
	buf_release(&f->streamed);
	mem_free(f);
	return 0;
}

static void
on_done(void *cookie, const struct http_answer *answer)
{
	struct fixture *f = cookie;

	assert_false(f->in_start);
	f->done++;
	f->status = answer->status;
	f->err = answer->err;
	f->retry_after_s = answer->retry_after_s;
	f->maybe_sent = answer->maybe_sent;
	mem_free(f->body);
	f->body = buf_take(answer->body);
	http_cancel(f->request); /* too late, and harmless */
	f->request = NULL;
	if (f->free_in_done) {
		http_free(f->http);
		f->http = NULL;
	}
}

static struct http_call
usual_call(struct fixture *f)
{
	return (struct http_call){.method = "GET",
	    .url = f->url,
	    .timeout_s = 5,
	    .max_bytes = 1000 * 1000,
	    .on_done = on_done,
	    .cookie = f};
}

static void
start(struct fixture *f, const struct http_call *call)
{
	f->in_start = true;
	f->request = http_start(f->http, call);
	f->in_start = false;
}

static bool
one_is_done(void *cookie)
{
	return ((struct fixture *)cookie)->done > 0;
}

static void
finish(struct fixture *f, const struct http_call *call)
{
	f->done = 0;
	start(f, call);
	assert_true(loop_until(f->loop, one_is_done, f, 10));
	assert_int_equal(f->done, 1);
}

/* ---- servers ------------------------------------------------------------------ */

static void
serve_hello(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_answer(to, 200, "", "{\"hello\":1}");
}

static void
serve_nothing(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)to;
	(void)request;
}

static void
serve_stream(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_stream_begin(to);
	server_stream_send(to, "one ");
	server_stream_send(to, "two ");
	server_stream_end(to);
}

static void
serve_cut(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_stream_begin(to);
	server_stream_send(to, "one ");
	server_close(to);
}

static void
serve_open_stream(
    struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_stream_begin(to);
	server_stream_send(to, "one ");
}

static void
serve_refusal(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_answer(to, 429, "Retry-After: 7\r\n", "slow down");
}

static void
serve_and_close(
    struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	(void)f;
	(void)request;
	server_close(to);
}

static void
serve_redirect(
    struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	char *header = mem_format("Location: http://127.0.0.1:%d/other\r\n", f->server->port);

	(void)request;
	server_answer(to, 302, header, "");
	mem_free(header);
}

static void
serve_large(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	char *body = mem_new(100001, 1);

	(void)f;
	(void)request;
	memset(body, 'x', 100000);
	server_answer(to, 200, "", body);
	mem_free(body);
}

/* ---- tests -------------------------------------------------------------------- */

static void
sends_what_it_is_told_and_collects_the_answer(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	call.method = "PUT";
	call.bearer = "secret";
	call.content_type = "application/merge-patch+json";
	call.body = "{\"a\":1}tail";
	call.body_length = 7;
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_string_equal(f->body, "{\"hello\":1}");
	assert_true(f->maybe_sent);
	assert_int_equal(f->err.code, 0);
	assert_non_null(strstr(f->head, "PUT /path?query=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(f->head, "\r\nAuthorization: Bearer secret\r\n"));
	assert_non_null(strstr(f->head, "\r\nContent-Type: application/merge-patch+json\r\n"));
	assert_non_null(strstr(f->head, "\r\nUser-Agent: staticip-test/1\r\n"));
	assert_non_null(strstr(f->head, "\r\nAccept: application/json\r\n"));
	assert_null(strstr(f->head, "Expect"));
	assert_null(strstr(f->head, "tail"));
	assert_non_null(strstr(f->head, "\r\n\r\n{\"a\":1}"));
}

static void
keeps_the_connection_for_the_next_request(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	for (int i = 0; i < 20; i++)
		finish(f, &call);
	assert_int_equal(f->server->accepted, 1);
	assert_int_equal(f->server->requests, 20);
}

static void
a_request_after_another_costs_no_sleep_of_the_loop(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	finish(f, &call);
	ev_tstamp before = ev_time();
	for (int i = 0; i < 200; i++)
		finish(f, &call);
	double each_ms = (ev_time() - before) / 200 * 1000;
	print_message("%.3f ms each\n", each_ms);
	assert_true(each_ms < 5);
}

static void
the_proxies_of_the_environment_do_not_matter(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0);
	assert_int_equal(setenv("all_proxy", "http://127.0.0.1:9", 1), 0);
	f->serve = serve_hello;
	finish(f, &call);
	(void)unsetenv("http_proxy");
	(void)unsetenv("all_proxy");
	assert_int_equal(f->status, 200);
}

static void
does_not_follow_a_redirect(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_redirect;
	finish(f, &call);
	assert_int_equal(f->status, 302);
	assert_int_equal(f->server->requests, 1);
}

static bool
on_bytes(void *cookie, const char *bytes, size_t length)
{
	struct fixture *f = cookie;
	struct http_call call = usual_call(f);

	(void)buf_add(&f->streamed, bytes, length);
	if (f->start_in_bytes)
		f->second = http_start(f->http, &call);
	f->start_in_bytes = false;
	if (f->cancel_in_bytes)
		http_cancel(f->request);
	if (f->free_in_bytes) {
		http_free(f->http);
		f->http = NULL;
	}
	return !f->refuse_bytes;
}

static void
streams_the_body_of_a_success(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_stream;
	call.on_bytes = on_bytes;
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_string_equal(buf_string(&f->streamed), "one two ");
	assert_string_equal(f->body, "");
}

static void
collects_the_body_of_a_refusal_also_when_it_streams(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_refusal;
	call.on_bytes = on_bytes;
	finish(f, &call);
	assert_int_equal(f->status, 429);
	assert_int_equal(f->retry_after_s, 7);
	assert_string_equal(f->body, "slow down");
	assert_int_equal(f->streamed.length, 0);
}

static void
a_stream_that_is_cut_is_no_success(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_cut;
	call.on_bytes = on_bytes;
	finish(f, &call);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, ECONNRESET);
	assert_string_equal(buf_string(&f->streamed), "one ");
}

static void
the_reader_may_end_the_stream(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	f->refuse_bytes = true;
	call.on_bytes = on_bytes;
	finish(f, &call);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, ECANCELED);
}

static void
an_answer_over_the_maximum_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_large;
	call.max_bytes = 99999;
	finish(f, &call);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, EFBIG);
	assert_non_null(strstr(f->err.text, "larger than 99999 bytes"));
	call.max_bytes = 100000;
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_int_equal(strlen(f->body), 100000);
}

static void
a_server_that_is_silent_is_given_up_at_the_deadline(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_nothing;
	call.timeout_s = 0.3;
	ev_tstamp before = ev_time();
	finish(f, &call);
	double took = ev_time() - before;
	assert_true(took > 0.25 && took < 2);
	assert_int_equal(f->err.code, ETIMEDOUT);
	assert_true(f->maybe_sent);
	assert_non_null(strstr(f->err.text, "GET http://127.0.0.1:"));
	assert_null(strstr(f->err.text, "query"));
}

static void
a_stream_without_a_byte_is_given_up_after_the_idle_time(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	call.on_bytes = on_bytes;
	call.idle_s = 0.2;
	call.timeout_s = 30;
	finish(f, &call);
	assert_int_equal(f->err.code, ETIMEDOUT);
	assert_non_null(strstr(f->err.text, "no byte came for 0.2 s"));
	assert_string_equal(buf_string(&f->streamed), "one ");
}

static struct server_connection *dripping;
static int drips;

static void
drip(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	(void)revents;
	if (++drips == 8) {
		server_stream_end(dripping);
		ev_timer_stop(loop, watcher);
		return;
	}
	server_stream_send(dripping, "x");
}

static void
serve_drips(struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	static ev_timer timer;

	(void)request;
	drips = 0;
	dripping = to;
	server_stream_begin(to);
	ev_timer_init(&timer, drip, 0.1, 0.1);
	ev_timer_start(f->loop, &timer);
}

static void
each_byte_begins_the_idle_time_anew(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_drips;
	call.on_bytes = on_bytes;
	call.idle_s = 0.3; /* of 0.8 s in all */
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_string_equal(buf_string(&f->streamed), "xxxxxxx");
}

static void
a_refused_connection_is_told_as_such_and_nothing_was_sent(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	server_deafen(f->server);
	finish(f, &call);
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, ECONNREFUSED);
	assert_false(f->maybe_sent);
}

static void
a_connection_lost_before_the_answer_leaves_the_outcome_open(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_and_close;
	finish(f, &call);
	assert_int_equal(f->err.code, ECONNRESET);
	assert_true(f->maybe_sent);
}

static void
serve_but_the_second(
    struct fixture *f, struct server_connection *to, const struct server_request *request)
{
	if (request->number == 2)
		server_close(to);
	else
		serve_hello(f, to, request);
}

/* Not our wish, but libcurl's way (Curl_retry_request), and kube.h tells of it. */
static void
a_kept_connection_that_is_closed_instead_of_an_answer_sends_the_request_again(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_but_the_second;
	call.method = "PUT";
	call.body = "{}";
	call.body_length = 2;
	finish(f, &call);
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->server->requests, 3);
}

static void
an_impossible_url_ends_in_on_done_too(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	call.url = "ftp://127.0.0.1/";
	finish(f, &call);
	assert_int_equal(f->err.code, EINVAL);
	call.url = "http://[::1";
	finish(f, &call);
	assert_int_equal(f->err.code, EINVAL);
}

static void
a_cancelled_request_calls_nobody(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	start(f, &call);
	http_cancel(f->request); /* before it began */
	start(f, &call);
	loop_for(f->loop, 0.001);
	if (f->done == 0)
		http_cancel(f->request); /* on its way */
	f->done = 0;
	loop_for(f->loop, 0.2);
	assert_int_equal(f->done, 0);
}

static void
a_request_may_be_cancelled_in_its_own_bytes(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	f->cancel_in_bytes = true;
	call.on_bytes = on_bytes;
	start(f, &call);
	loop_for(f->loop, 0.2);
	assert_int_equal(f->done, 0);
	assert_string_equal(buf_string(&f->streamed), "one ");
}

static void
a_request_may_be_started_in_the_bytes_of_another(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	f->start_in_bytes = true;
	call.on_bytes = on_bytes;
	start(f, &call);
	loop_for(f->loop, 0.1);
	assert_int_equal(f->server->requests, 2);
	http_cancel(f->second);
	http_cancel(f->request);
	loop_for(f->loop, 0.1);
	assert_int_equal(f->done, 0);
}

static void
the_client_may_be_freed_in_any_callback(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	f->free_in_done = true;
	start(f, &call);
	(void)http_start(f->http, &call); /* a bystander that is never told */
	loop_for(f->loop, 0.2);
	assert_int_equal(f->done, 1);

	f->http = http_new(f->loop, "again");
	f->serve = serve_open_stream;
	f->free_in_bytes = true;
	call.on_bytes = on_bytes;
	start(f, &call);
	loop_for(f->loop, 0.2);
	assert_int_equal(f->done, 1);
	assert_null(f->http);
}

static int
open_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count;
}

static void
neither_ends_nor_cancels_leave_a_descriptor_open(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	call.on_bytes = on_bytes;
	int before = open_fds();
	for (int i = 0; i < 20; i++) {
		start(f, &call);
		loop_for(f->loop, 0.01);
		http_cancel(f->request);
	}
	loop_for(f->loop, 0.05);
	server_close_all(f->server);
	loop_for(f->loop, 0.05);
	assert_true(open_fds() <= before + 3); /* epoll, resolver, kept ones */
}

/* An idle watch must cost nothing: no turn of the loop without a byte. */
static void
an_open_stream_does_not_keep_the_loop_busy(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	call.on_bytes = on_bytes;
	call.timeout_s = 60;
	start(f, &call);
	loop_for(f->loop, 0.1);
	unsigned before = ev_iteration(f->loop);
	loop_for(f->loop, 1);
	print_message("%u turns in 1 s\n", ev_iteration(f->loop) - before);
	assert_true(ev_iteration(f->loop) - before < 10);
}

/* A byte that is the half of a chunk's head wakes libcurl and moves nothing. */
static void
a_spin_ends_what_runs_and_the_client_goes_on(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_open_stream;
	call.on_bytes = on_bytes;
	start(f, &call);
	loop_for(f->loop, 0.05);
	f->http->spins = HTTP_SPIN_MAX;
	server_send(&f->server->connections[0], "5");
	assert_true(loop_until(f->loop, one_is_done, f, 5));
	assert_int_equal(f->status, 0);
	assert_int_equal(f->err.code, EIO);
	assert_non_null(strstr(f->err.text, "woken again and again"));
	f->serve = serve_hello;
	call.on_bytes = NULL;
	finish(f, &call);
	assert_int_equal(f->status, 200);
	assert_int_equal(f->server->accepted, 2);
}

enum { CROWD = 4 * HTTP_CONNECTIONS_MAX };

static bool
crowd_is_done(void *cookie)
{
	return ((struct fixture *)cookie)->done == CROWD;
}

/* A leader that begins asks hundreds of questions. */
static void
requests_that_are_many_wait_for_few_connections(void **state)
{
	struct fixture *f = *state;
	struct http_call call = usual_call(f);

	f->serve = serve_hello;
	for (int i = 0; i < CROWD; i++)
		(void)http_start(f->http, &call);
	assert_true(loop_until(f->loop, crowd_is_done, f, 10));
	assert_int_equal(f->status, 200);
	assert_int_equal(f->server->requests, CROWD);
	assert_in_range(f->server->accepted, 1, HTTP_CONNECTIONS_MAX);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(sends_what_it_is_told_and_collects_the_answer),
	    TEST(keeps_the_connection_for_the_next_request),
	    TEST(a_request_after_another_costs_no_sleep_of_the_loop),
	    TEST(the_proxies_of_the_environment_do_not_matter),
	    TEST(does_not_follow_a_redirect),
	    TEST(streams_the_body_of_a_success),
	    TEST(collects_the_body_of_a_refusal_also_when_it_streams),
	    TEST(a_stream_that_is_cut_is_no_success),
	    TEST(the_reader_may_end_the_stream),
	    TEST(an_answer_over_the_maximum_is_an_error),
	    TEST(a_server_that_is_silent_is_given_up_at_the_deadline),
	    TEST(a_stream_without_a_byte_is_given_up_after_the_idle_time),
	    TEST(each_byte_begins_the_idle_time_anew),
	    TEST(a_refused_connection_is_told_as_such_and_nothing_was_sent),
	    TEST(a_connection_lost_before_the_answer_leaves_the_outcome_open),
	    TEST(a_kept_connection_that_is_closed_instead_of_an_answer_sends_the_request_again),
	    TEST(an_impossible_url_ends_in_on_done_too),
	    TEST(a_cancelled_request_calls_nobody),
	    TEST(a_request_may_be_cancelled_in_its_own_bytes),
	    TEST(a_request_may_be_started_in_the_bytes_of_another),
	    TEST(the_client_may_be_freed_in_any_callback),
	    TEST(neither_ends_nor_cancels_leave_a_descriptor_open),
	    TEST(a_spin_ends_what_runs_and_the_client_goes_on),
	    TEST(an_open_stream_does_not_keep_the_loop_busy),
	    TEST(requests_that_are_many_wait_for_few_connections),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
