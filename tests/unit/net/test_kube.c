/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>

#include "core/file.h"
#include "net/kube.h"
#include "net/kube_credentials.h"
#include "server.h"
#include "table/json.h"

struct step {
	int status; /* 0 = close without an answer, -1 = never answer */
	const char *headers;
	const char *body;
};

struct fixture {
	struct ev_loop *loop;
	struct server *server;
	struct kube *kube;
	const struct step *steps;
	unsigned step_count;
	char folder[32];
	char *token_file;

	/* what the server saw last */
	char head[4096];
	char target[4096];
	char authorization[256];
	const char *new_token; /* put into the file when a request comes */
	bool ever_new_token;   /* another one each time */

	/* what came of it */
	int done;
	struct kube_answer answer;
	char *name; /* metadata.name of the body */
	bool free_in_done;
};

static void
put_token(struct fixture *f, const char *token)
{
	struct err err = {0};
	int folder = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(
	    file_replace(folder, "token", token, strlen(token), 0600, FILE_SYNC_NONE, &err), 0);
	(void)close(folder);
}

static void
serve(void *cookie, struct server_connection *to, const struct server_request *request)
{
	struct fixture *f = cookie;

	assert_true(request->number <= f->step_count);
	const struct step *step = &f->steps[request->number - 1];
	(void)snprintf(f->head, sizeof(f->head), "%s%s", request->head, request->body);
	(void)snprintf(f->target, sizeof(f->target), "%s", request->target);
	(void)snprintf(f->authorization, sizeof(f->authorization), "%s", request->authorization);
	if (f->new_token)
		put_token(f, f->new_token);
	if (f->ever_new_token)
		put_token(f, request->number == 1 ? "two" : "three");
	if (step->status > 0)
		server_answer(to, step->status, step->headers ? step->headers : "", step->body);
	if (step->status == 0)
		server_close(to);
}

static void
new_kube(struct fixture *f)
{
	struct kube_config config = {0};

	kube_free(f->kube);
	config.server = mem_format("http://127.0.0.1:%d", f->server->port);
	config.token_file = mem_text(f->token_file);
	f->kube = kube_new(f->loop, &config, "staticip-test/1");
}

static int
set_up(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));

	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/test_kube.XXXXXX");
	if (!mkdtemp(f->folder))
		return -1;
	f->token_file = mem_format("%s/token", f->folder);
	put_token(f, "one\n");
	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->server = server_start(f->loop, serve, f);
	new_kube(f);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	kube_free(f->kube);
	server_stop(f->server);
	ev_loop_destroy(f->loop);
	(void)unlink(f->token_file);
	int rc = rmdir(f->folder);
	mem_free(f->token_file);
	mem_free(f->name);
	mem_free(f);
	return rc;
}

static void
on_done(void *cookie, const struct kube_answer *answer)
{
	struct fixture *f = cookie;

	f->done++;
	f->answer = *answer;
	f->answer.body = NULL;
	mem_free(f->name);
	f->name = answer->body ? mem_text(json_path_text(answer->body, "metadata.name")) : NULL;
	if (f->free_in_done) {
		kube_free(f->kube);
		f->kube = NULL;
	}
}

static bool
is_done(void *cookie)
{
	return ((struct fixture *)cookie)->done > 0;
}

static void
call(struct fixture *f, const char *method, double timeout_s)
{
	f->done = 0;
	(void)kube_call(f->kube, method, "/api/v1/x", "a=b", NULL, NULL, timeout_s, on_done, f);
	assert_int_equal(f->done, 0);
	assert_true(loop_until(f->loop, is_done, f, 10));
	loop_for(f->loop, 0.02);
	assert_int_equal(f->done, 1);
}

#define SCRIPT(f, ...)                                                                   \
	static const struct step steps[] = {__VA_ARGS__};                                \
	struct fixture *f = *state;                                                      \
	f->steps = steps;                                                                \
	f->step_count = sizeof(steps) / sizeof(steps[0])

#define OBJECT "{\"kind\":\"Thing\",\"metadata\":{\"name\":\"a\"}}\n"
#define STATUS(reason)                                                                   \
	"{\"kind\":\"Status\",\"reason\":\"" reason "\",\"message\":\"things \\\"a\\\" already exists\"}"

/* ---- answers ------------------------------------------------------------------ */

static void
sends_a_json_body_with_the_token_and_decodes_the_answer(void **state)
{
	SCRIPT(f, {201, NULL, OBJECT});
	struct json_object *body = json_object_new_object();

	json_put_text(body, "path", "a/b");
	(void)kube_call(f->kube, "POST", "/apis/x/v1/things", "dryRun=All", NULL, body, 5, on_done, f);
	json_object_put(body);
	assert_true(loop_until(f->loop, is_done, f, 5));
	assert_true(f->answer.ok);
	assert_int_equal(f->answer.status, 201);
	assert_string_equal(f->name, "a");
	assert_string_equal(f->target, "/apis/x/v1/things?dryRun=All");
	assert_string_equal(f->authorization, "Bearer one");
	assert_non_null(strstr(f->head, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(f->head, "\r\n\r\n{\"path\":\"a/b\"}"));
}

static void
a_refusal_is_told_with_reason_and_message(void **state)
{
	SCRIPT(f, {409, NULL, STATUS("AlreadyExists")});

	call(f, "POST", 5);
	assert_false(f->answer.ok);
	assert_int_equal(f->answer.status, 409);
	assert_string_equal(f->answer.reason, "AlreadyExists");
	assert_string_equal(
	    f->answer.err.text, "POST /api/v1/x: HTTP 409 AlreadyExists: things \"a\" already exists");
	assert_false(f->answer.unknown_outcome);
}

static void
a_refusal_without_status_object_is_told_by_its_number(void **state)
{
	SCRIPT(f, {502, NULL, "<html>bad gateway</html>"});

	call(f, "GET", 5);
	assert_string_equal(f->answer.err.text, "GET /api/v1/x: HTTP 502");
	assert_string_equal(f->answer.reason, "");
}

static void
a_success_that_is_no_json_is_none(void **state)
{
	SCRIPT(f, {200, NULL, "<html>login</html>"}, {200, NULL, "[1]"}, {200, NULL, ""},
	    {200, NULL, "{\"a\":1}{}"});

	call(f, "PUT", 5);
	assert_false(f->answer.ok);
	assert_true(f->answer.unknown_outcome);
	assert_int_equal(f->answer.err.code, EBADMSG);
	call(f, "GET", 5);
	assert_false(f->answer.ok);
	call(f, "DELETE", 5);
	assert_true(f->answer.ok); /* no body at all is fine */
	call(f, "GET", 5);
	assert_false(f->answer.ok);
}

static void
an_outcome_is_unknown_only_when_it_may_have_happened(void **state)
{
	static const struct {
		const char *method;
		struct step step;
		bool unknown;
	} rows[] = {
	    {"PUT", {0, NULL, NULL}, true},
	    {"PUT", {-1, NULL, NULL}, true},
	    {"PUT", {500, NULL, ""}, true},
	    {"PUT", {504, NULL, ""}, true},
	    {"PUT", {409, NULL, ""}, false},
	    {"PUT", {429, NULL, ""}, false},
	    {"GET", {0, NULL, NULL}, false},
	    {"GET", {500, NULL, ""}, false},
	};
	struct fixture *f = *state;

	f->step_count = 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f->steps = &rows[i].step;
		f->server->requests = 0;
		server_close_all(f->server); /* on a kept one libcurl tries again by itself */
		call(f, rows[i].method, 0.3);
		if (f->answer.unknown_outcome != rows[i].unknown)
			print_error("row %zu: %s\n", i, f->answer.err.text);
		assert_false(f->answer.ok);
		assert_true(f->answer.err.code > 0);
		assert_int_equal(f->answer.unknown_outcome, rows[i].unknown);
	}
	server_close_all(f->server);
	server_deafen(f->server);
	call(f, "PUT", 1);
	assert_int_equal(f->answer.err.code, ECONNREFUSED);
	assert_false(f->answer.unknown_outcome);
}

/* ---- trying again -------------------------------------------------------------- */

static void
tries_again_when_the_server_says_when(void **state)
{
	SCRIPT(f, {429, "Retry-After: 1\r\n", STATUS("TooManyRequests")},
	    {503, "Retry-After: 1\r\n", STATUS("ServiceUnavailable")}, {200, NULL, OBJECT});
	ev_tstamp before = ev_time();

	call(f, "PUT", 10);
	assert_true(f->answer.ok);
	assert_int_equal(f->server->requests, 3);
	assert_true(ev_time() - before > 1.9);
}

static void
does_not_wait_past_the_deadline(void **state)
{
	SCRIPT(f, {429, "Retry-After: 5\r\n", STATUS("TooManyRequests")});
	ev_tstamp before = ev_time();

	call(f, "PUT", 3);
	assert_true(ev_time() - before < 1);
	assert_int_equal(f->answer.status, 429);
	assert_int_equal(f->answer.retry_after_s, 5);
	assert_string_equal(f->answer.reason, "TooManyRequests");
}

static void
does_not_try_again_unasked(void **state)
{
	SCRIPT(f, {429, NULL, ""}, {503, NULL, ""}, {500, "Retry-After: 1\r\n", ""});

	call(f, "PUT", 5);
	assert_int_equal(f->answer.status, 429);
	call(f, "PUT", 5);
	assert_int_equal(f->answer.status, 503);
	call(f, "PUT", 5);
	assert_int_equal(f->answer.status, 500);
	assert_int_equal(f->server->requests, 3);
}

static void
a_call_that_waits_to_try_again_can_be_cancelled(void **state)
{
	SCRIPT(f, {429, "Retry-After: 1\r\n", STATUS("TooManyRequests")});

	struct kube_call *waiting =
	    kube_call(f->kube, "GET", "/api/v1/x", NULL, NULL, NULL, 5, on_done, f);
	loop_for(f->loop, 0.2);
	assert_int_equal(f->server->requests, 1);
	kube_cancel(waiting);
	loop_for(f->loop, 1.2);
	assert_int_equal(f->done, 0);
	assert_int_equal(f->server->requests, 1);
}

/* ---- credentials --------------------------------------------------------------- */

static void
a_401_reads_the_token_again_and_tries_once_more(void **state)
{
	SCRIPT(f, {401, NULL, STATUS("Unauthorized")}, {200, NULL, OBJECT});

	f->new_token = "two";
	call(f, "GET", 5);
	assert_true(f->answer.ok);
	assert_string_equal(f->authorization, "Bearer two");
	assert_int_equal(f->server->requests, 2);
}

static void
a_401_with_the_same_token_is_final(void **state)
{
	SCRIPT(f, {401, NULL, STATUS("Unauthorized")});

	call(f, "GET", 5);
	assert_int_equal(f->answer.status, 401);
	assert_string_equal(f->answer.reason, "Unauthorized");
	assert_int_equal(f->server->requests, 1);
}

static void
two_401s_are_final_whatever_the_token(void **state)
{
	SCRIPT(f, {401, NULL, STATUS("Unauthorized")}, {401, NULL, STATUS("Unauthorized")});

	f->ever_new_token = true;
	call(f, "GET", 5);
	assert_int_equal(f->answer.status, 401);
	assert_int_equal(f->server->requests, 2);
}

static void
without_any_token_nothing_is_sent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unlink(f->token_file), 0);
	call(f, "GET", 5);
	assert_int_equal(f->answer.status, 0);
	assert_int_equal(f->answer.err.code, ENOENT);
	assert_non_null(strstr(f->answer.err.text, "GET /api/v1/x: cannot open /tmp/"));
	assert_int_equal(f->server->requests, 0);
}

static void
refresh(struct kube_credentials *credentials)
{
	struct err err = {0};

	assert_int_equal(kube_credentials_refresh(credentials, &err), 0);
}

static void
the_token_is_read_again_when_it_is_due_and_kept_when_it_cannot_be(void **state)
{
	struct fixture *f = *state;
	struct kube_config config = {.token_file = f->token_file};
	struct kube_credentials credentials = {
	    .config = &config, .http = http_new(f->loop, "test")};

	refresh(&credentials);
	assert_string_equal(credentials.token, "one");
	put_token(f, "two");
	refresh(&credentials);
	assert_string_equal(credentials.token, "one"); /* not due */
	credentials.token_until -= 51;
	refresh(&credentials);
	assert_string_equal(credentials.token, "two");
	put_token(f, "bad\001token");
	kube_credentials_doubt(&credentials);
	refresh(&credentials);
	assert_string_equal(credentials.token, "two");
	assert_int_equal(unlink(f->token_file), 0);
	kube_credentials_doubt(&credentials);
	refresh(&credentials);
	assert_string_equal(credentials.token, "two");
	http_free(credentials.http);
	kube_credentials_release(&credentials);
}

static void
the_trust_is_read_again_all_of_it_or_none(void **state)
{
	struct fixture *f = *state;
	struct kube_config config = {.ca_file = f->token_file};
	struct kube_credentials credentials = {
	    .config = &config, .http = http_new(f->loop, "test")};
	struct err err = {0};

	assert_int_equal(kube_credentials_refresh(&credentials, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is not PEM"));
	put_token(f, "-----BEGIN CERTIFICATE-----1");
	refresh(&credentials);
	unsigned version = credentials.version;
	put_token(f, "-----BEGIN CERTIFICATE-----2");
	refresh(&credentials);
	assert_int_equal(credentials.version, version); /* not due */
	credentials.trust_until -= 301;
	refresh(&credentials);
	assert_int_equal(credentials.version, version + 1);
	assert_string_equal(credentials.ca_pem, "-----BEGIN CERTIFICATE-----2");
	put_token(f, "half");
	kube_credentials_doubt(&credentials);
	refresh(&credentials);
	assert_string_equal(credentials.ca_pem, "-----BEGIN CERTIFICATE-----2");
	http_free(credentials.http);
	kube_credentials_release(&credentials);
}

/* ---- the gate ------------------------------------------------------------------ */

static bool
is_allowed(const void *cookie)
{
	return *(const bool *)cookie;
}

static void
behind_a_closed_gate_only_reads_are_sent(void **state)
{
	SCRIPT(f, {200, NULL, OBJECT}, {200, NULL, OBJECT});
	bool allowed = false;

	kube_set_gate(f->kube, is_allowed, &allowed);
	call(f, "PATCH", 5);
	assert_int_equal(f->answer.status, 0);
	assert_int_equal(f->answer.err.code, ECANCELED);
	assert_string_equal(
	    f->answer.err.text, "PATCH /api/v1/x: not sent: no longer allowed");
	assert_false(f->answer.unknown_outcome);
	assert_int_equal(f->server->requests, 0);
	call(f, "GET", 5);
	assert_true(f->answer.ok);
	allowed = true;
	call(f, "PATCH", 5);
	assert_true(f->answer.ok);
	assert_int_equal(f->server->requests, 2);
}

static void
a_write_is_not_tried_again_when_the_gate_closed_meanwhile(void **state)
{
	SCRIPT(f, {429, "Retry-After: 1\r\n", STATUS("TooManyRequests")});
	bool allowed = true;

	kube_set_gate(f->kube, is_allowed, &allowed);
	(void)kube_call(f->kube, "PUT", "/api/v1/x", NULL, NULL, NULL, 5, on_done, f);
	assert_int_equal(kube_writes_under_way(f->kube), 1);
	loop_for(f->loop, 0.2);
	assert_int_equal(f->server->requests, 1);
	assert_int_equal(kube_writes_under_way(f->kube), 0); /* it waits */
	allowed = false;
	assert_true(loop_until(f->loop, is_done, f, 5));
	assert_int_equal(f->answer.err.code, ECANCELED);
	assert_int_equal(f->server->requests, 1);
}

/* Told yes so many times, no from then on. */
static bool
is_allowed_for_a_while(const void *cookie)
{
	int *left;

	memcpy(&left, cookie, sizeof(left));
	return (*left)-- > 0;
}

/* The gate is asked at each step: whichever is the last one that it lets pass, the
 * server gets the whole request or none. */
static void
a_gate_that_closes_at_any_question_keeps_the_request_here(void **state)
{
	SCRIPT(f, {200, NULL, OBJECT});
	struct json_object *body = json_object_new_object();
	int refused = 0;

	json_put_text(body, "a", "b");
	for (int questions = 0;; questions++) {
		int left = questions;
		int *cookie = &left;
		assert_true(questions < 20);
		f->done = 0;
		kube_set_gate(f->kube, is_allowed_for_a_while, &cookie);
		(void)kube_call(f->kube, "PUT", "/api/v1/x", NULL, NULL, body, 5, on_done, f);
		assert_true(loop_until(f->loop, is_done, f, 5));
		if (f->answer.ok)
			break;
		assert_int_equal(f->answer.err.code, ECANCELED);
		assert_int_equal(f->server->requests, 0);
		refused++;
	}
	assert_true(refused >= 2); /* when it was made, before the first byte */
	assert_int_equal(f->server->requests, 1);
	json_object_put(body);
}

static void
close_gate(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	*(bool *)timer->data = false;
}

static void
resume_server(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct fixture *f = timer->data;

	(void)events;
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (f->server->connections[i].fd >= 0)
			ev_io_start(loop, &f->server->connections[i].io);
}

static void
stop_reading(struct fixture *f)
{
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		if (f->server->connections[i].fd >= 0)
			ev_io_stop(f->loop, &f->server->connections[i].io);
}

/* A body that is larger than all buffers on the way, a server that does not read: the
 * gate closes with a part of the request sent. The rest never follows. */
static void
a_write_that_is_half_sent_when_the_gate_closes_is_never_completed(void **state)
{
	SCRIPT(f, {200, NULL, OBJECT}, {200, NULL, OBJECT});
	char *text = mem_new(16 * 1024 * 1024 + 1, 1);
	struct json_object *body = json_object_new_object();
	bool allowed = true;
	ev_timer closing, resuming;

	memset(text, 'x', 16 * 1024 * 1024);
	json_put_text(body, "a", text);
	call(f, "GET", 5); /* a connection that the server can stop to read */
	stop_reading(f);
	f->done = 0;
	kube_set_gate(f->kube, is_allowed, &allowed);
	ev_timer_init(&closing, close_gate, 0.2, 0.);
	closing.data = &allowed;
	ev_timer_init(&resuming, resume_server, 0.4, 0.);
	resuming.data = f;
	(void)kube_call(f->kube, "PUT", "/api/v1/x", NULL, NULL, body, 10, on_done, f);
	ev_timer_start(f->loop, &closing);
	ev_timer_start(f->loop, &resuming);
	assert_true(loop_until(f->loop, is_done, f, 8));
	loop_for(f->loop, 0.2);
	assert_int_equal(f->answer.err.code, ECANCELED);
	assert_true(f->answer.unknown_outcome); /* something was sent */
	assert_int_equal(f->server->requests, 1);
	json_object_put(body);
	mem_free(text);
}

/* ---- the rest ------------------------------------------------------------------ */

static void
the_client_may_be_freed_in_done(void **state)
{
	SCRIPT(f, {200, NULL, OBJECT}, {200, NULL, OBJECT});

	f->free_in_done = true;
	(void)kube_call(f->kube, "GET", "/api/v1/x", NULL, NULL, NULL, 5, on_done, f);
	(void)kube_call(f->kube, "GET", "/api/v1/y", NULL, NULL, NULL, 5, on_done, f);
	loop_for(f->loop, 0.2);
	assert_int_equal(f->done, 1);
}

static void
freeing_the_client_ends_its_calls(void **state)
{
	SCRIPT(f, {-1, NULL, NULL}, {429, "Retry-After: 3\r\n", ""});

	(void)kube_call(f->kube, "GET", "/api/v1/x", NULL, NULL, NULL, 5, on_done, f);
	(void)kube_call(f->kube, "GET", "/api/v1/y", NULL, NULL, NULL, 5, on_done, f);
	loop_for(f->loop, 0.2);
	(void)kube_call(f->kube, "GET", "/api/v1/z", NULL, NULL, NULL, 5, on_done, f);
	kube_free(f->kube);
	f->kube = NULL;
	loop_for(f->loop, 0.1);
	assert_int_equal(f->done, 0);
}

static void
escapes_all_but_the_unreserved(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {{"", ""}, {"aZ09-._~", "aZ09-._~"}, {"a=b,c in (d)", "a%3Db%2Cc%20in%20%28d%29"},
	    {"/+&?%", "%2F%2B%26%3F%25"}, {"\xc3\xa4\x01", "%C3%A4%01"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *got = kube_escape(rows[i].text);
		assert_string_equal(got, rows[i].want);
		mem_free(got);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(sends_a_json_body_with_the_token_and_decodes_the_answer),
	    TEST(a_refusal_is_told_with_reason_and_message),
	    TEST(a_refusal_without_status_object_is_told_by_its_number),
	    TEST(a_success_that_is_no_json_is_none),
	    TEST(an_outcome_is_unknown_only_when_it_may_have_happened),
	    TEST(tries_again_when_the_server_says_when),
	    TEST(does_not_wait_past_the_deadline),
	    TEST(does_not_try_again_unasked),
	    TEST(a_call_that_waits_to_try_again_can_be_cancelled),
	    TEST(a_401_reads_the_token_again_and_tries_once_more),
	    TEST(a_401_with_the_same_token_is_final),
	    TEST(two_401s_are_final_whatever_the_token),
	    TEST(without_any_token_nothing_is_sent),
	    TEST(the_token_is_read_again_when_it_is_due_and_kept_when_it_cannot_be),
	    TEST(the_trust_is_read_again_all_of_it_or_none),
	    TEST(behind_a_closed_gate_only_reads_are_sent),
	    TEST(a_write_is_not_tried_again_when_the_gate_closed_meanwhile),
	    TEST(a_gate_that_closes_at_any_question_keeps_the_request_here),
	    TEST(a_write_that_is_half_sent_when_the_gate_closes_is_never_completed),
	    TEST(the_client_may_be_freed_in_done),
	    TEST(freeing_the_client_ends_its_calls),
	    TEST(escapes_all_but_the_unreserved),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
