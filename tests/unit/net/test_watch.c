/* The watch against a scripted API server over real sockets. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <json-c/json.h>

#include "net/watch.h"
#include "server.h"
#include "table/json.h"

/* How the server ends an answer. */
enum ending {
	ENDS,  /* properly */
	CUT,   /* the connection is closed in the middle */
	STAYS, /* silence */
};

/* One request that must come, and its answer. */
struct step {
	const char *wants;   /* is in the target */
	const char *not_in;  /* is not */
	int status;          /* 0 = a stream (200, chunked) */
	const char *headers; /* or NULL */
	const char *body;
	enum ending ending;
};

struct fixture {
	struct ev_loop *loop;
	struct server *server;
	struct kube *kube;
	struct watch *watch;
	struct watch_times times;
	const struct step *steps;
	unsigned step_count;
	double when[32]; /* of each request */

	struct buf log; /* what the consumer saw, one word each */
	struct err fault;
	double fault_at;
	const char *until;     /* in the log: the end of the test's wait */
	const char *free_when; /* in the log: frees the watch there */
	bool deafen_after_list;
};

/* ---- the server's part -------------------------------------------------------- */

static void
answer(struct server_connection *to, const struct step *step)
{
	if (step->status) {
		server_answer(to, step->status, step->headers ? step->headers : "", step->body);
	} else {
		server_stream_begin(to);
		server_stream_send(to, step->body);
		if (step->ending == ENDS)
			server_stream_end(to);
	}
	if (step->ending == CUT)
		server_close(to);
}

static void
serve(void *cookie, struct server_connection *to, const struct server_request *request)
{
	struct fixture *f = cookie;

	if (request->number > f->step_count) {
		(void)buf_print(&f->log, "UNWANTED(%s) ", request->target);
		return;
	}
	const struct step *step = &f->steps[request->number - 1];
	f->when[request->number] = ev_time();
	if (!strstr(request->target, step->wants) ||
	    (step->not_in && strstr(request->target, step->not_in)))
		(void)buf_print(&f->log, "WRONG(%s) ", request->target);
	answer(to, step);
	if (f->deafen_after_list)
		server_deafen(f->server);
}

/* ---- the consumer's part ------------------------------------------------------- */

static void
note(struct fixture *f, const char *what, const struct object_id *id)
{
	(void)buf_print(&f->log, "%s%s%s%s:%s:%s ", what, id->namespace, id->namespace[0] ? "/" : "",
	    id->name, id->uid, id->version);
	if (f->free_when && strstr(buf_string(&f->log), f->free_when)) {
		watch_free(f->watch);
		f->watch = NULL;
	}
}

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	assert_string_equal(json_path_text(object, "metadata.name"), id->name);
	note(cookie, "+", id);
}

static void
on_gone(void *cookie, const struct object_id *id)
{
	note(cookie, "-", id);
}

static void
on_synced(void *cookie)
{
	struct fixture *f = cookie;

	(void)buf_text(&f->log, "synced ");
	if (f->free_when && strcmp(f->free_when, "synced") == 0) {
		watch_free(f->watch);
		f->watch = NULL;
	}
}

static void
on_fault(void *cookie, const struct err *err)
{
	struct fixture *f = cookie;

	(void)buf_text(&f->log, "fault ");
	f->fault = *err;
	f->fault_at = ev_time();
	if (f->free_when && strcmp(f->free_when, "fault") == 0) {
		watch_free(f->watch);
		f->watch = NULL;
	}
}

static const struct watch_events events = {
    .changed = on_changed, .gone = on_gone, .synced = on_synced, .fault = on_fault};

static int
set_up(void **state)
{
	struct fixture *f = mem_new(1, sizeof(*f));
	struct kube_config config = {0};

	f->loop = ev_loop_new(EVFLAG_AUTO);
	f->server = server_start(f->loop, serve, f);
	config.server = mem_format("http://127.0.0.1:%d", f->server->port);
	f->kube = kube_new(f->loop, &config, "staticip-test/1");
	f->log = buf_make(100 * 1000);
	f->times = (struct watch_times){.list = 5,
	    .stream_min = 3,
	    .stream_max = 5,
	    .stream_slack = 2,
	    .stall = 0.3,
	    .short_stream = 0.05,
	    .good_stream = 100,
	    .backoff_first = 0.02,
	    .backoff_max = 0.1,
	    .backoff_reset = 120};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	watch_free(f->watch);
	kube_free(f->kube);
	server_stop(f->server);
	ev_loop_destroy(f->loop);
	buf_release(&f->log);
	mem_free(f);
	return 0;
}

static bool
log_says_until(void *cookie)
{
	struct fixture *f = cookie;

	return strstr(buf_string(&f->log), f->until) != NULL;
}

static void
begin(struct fixture *f, const struct step *steps, size_t count, struct watch_spec spec)
{
	f->steps = steps;
	f->step_count = (unsigned)count;
	spec.path = "/api/v1/things";
	spec.events = &events;
	spec.times = &f->times;
	spec.cookie = f;
	f->watch = watch_new(f->loop, f->kube, &spec);
}

/* Runs until the log ends as wanted, a little longer, and compares all of it. */
static void
expect(struct fixture *f, const char *log)
{
	f->until = log;
	if (!loop_until(f->loop, log_says_until, f, 10))
		print_error("last fault: %s\n", f->fault.text);
	loop_for(f->loop, 0.03);
	assert_string_equal(buf_string(&f->log), log);
}

#define RUN(f, steps, log)                                                               \
	begin(f, steps, sizeof(steps) / sizeof((steps)[0]), (struct watch_spec){0});     \
	expect(f, log)

#define OBJECT(name, uid, version)                                                       \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"uid\":\"" uid       \
	"\",\"resourceVersion\":\"" version "\"}}"
#define LIST_MORE(version, more, items)                                                  \
	"{\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"" version                \
	"\",\"continue\":\"" more "\"},\"items\":[" items "]}\n"
#define LIST(version, items) LIST_MORE(version, "", items)
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                \
	EVENT("BOOKMARK", "{\"kind\":\"T\",\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define STATUS(code, reason)                                                             \
	"{\"kind\":\"Status\",\"code\":" code ",\"reason\":\"" reason                    \
	"\",\"message\":\"because\"}"
#define LISTS "limit=500", "continue="
#define LOOKS "/api/v1/things?limit=1", "limit=1&continue="
#define WATCHES(version) "&resourceVersion=" version "&timeoutSeconds=", "limit"
/* The last request of a script: it hangs. */
#define THE_END(version) {WATCHES(version), 0, NULL, "", STAYS}

/* ---- the usual way ------------------------------------------------------------- */

static void
lists_then_watches_from_the_version_of_the_list(void **state)
{
	static const struct step steps[] = {
	    {"/api/v1/things?limit=500", "resourceVersion", 200, NULL,
	        LIST("10", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "9")), ENDS},
	    {"/api/v1/things?watch=1&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds=",
	        NULL, 0, NULL,
	        EVENT("ADDED", OBJECT("c", "u3", "11")) EVENT("MODIFIED", OBJECT("a", "u1", "12"))
	            EVENT("DELETED", OBJECT("b", "u2", "13")),
	        STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced +ns/c:u3:11 +ns/a:u1:12 -ns/b:u2:9 ");
	assert_true(watch_stats(f->watch)->synced);
	assert_int_equal(watch_stats(f->watch)->events, 3);
	assert_int_equal(watch_stats(f->watch)->lists, 1);
	assert_int_equal(watch_stats(f->watch)->watches, 1);
	assert_true(watch_stats(f->watch)->last_contact > 0);
}

static void
asks_page_after_page_until_continue_is_empty(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST_MORE("10", "t/1+=", OBJECT("a", "u1", "1")), ENDS},
	    {"limit=500&continue=t%2F1%2B%3D", "resourceVersion", 200, NULL,
	        LIST_MORE("10", "t2", ""), ENDS},
	    {"limit=500&continue=t2", "resourceVersion", 200, NULL,
	        LIST("10", OBJECT("b", "u2", "2")), ENDS},
	    THE_END("10"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:1 +ns/b:u2:2 synced ");
}

static void
selectors_are_escaped_and_in_lists_and_watches(void **state)
{
	static const struct step steps[] = {
	    {"?limit=7&labelSelector=a%3Db%2Cc&fieldSelector=spec.nodeName%3Dn%201", NULL, 200, NULL,
	        "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":null}", ENDS},
	    {"&labelSelector=a%3Db%2Cc&fieldSelector=spec.nodeName%3Dn%201", "limit", 0, NULL,
	        EVENT("ADDED", OBJECT("a", "u", "11")), STAYS},
	};
	struct fixture *f = *state;

	begin(f, steps, 2, (struct watch_spec){.label_selector = "a=b,c",
	                       .field_selector = "spec.nodeName=n 1",
	                       .page_items = 7});
	expect(f, "synced +ns/a:u:11 ");
}

static void
a_list_in_order_comes_by_version_after_what_is_gone(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL,
	        LIST_MORE("20", "t", OBJECT("a", "u1", "9") "," OBJECT("b", "u2", "10")), ENDS},
	    {"continue=t", NULL, 200, NULL,
	        LIST("20", OBJECT("c", "u3", "8") "," OBJECT("d", "u4", "100")), ENDS},
	    {WATCHES("20"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL,
	        LIST("200", OBJECT("f", "u6", "199") "," OBJECT("e", "u5", "101") "," OBJECT(
	                        "b", "u2", "150")),
	        ENDS},
	    THE_END("200"),
	};
	struct fixture *f = *state;

	begin(f, steps, 5, (struct watch_spec){.list_in_order = true});
	expect(f, "+ns/c:u3:8 +ns/a:u1:9 +ns/b:u2:10 +ns/d:u4:100 synced fault "
	          "-ns/a:u1:9 -ns/c:u3:8 -ns/d:u4:100 "
	          "+ns/e:u5:101 +ns/b:u2:150 +ns/f:u6:199 synced ");
}

static void
a_bookmark_moves_the_version_without_an_event(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("ADDED", OBJECT("a", "u1", "11")) BOOKMARK("500"), ENDS},
	    {WATCHES("500"), 0, NULL, EVENT("ADDED", OBJECT("b", "u2", "501")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced +ns/a:u1:11 +ns/b:u2:501 ");
	assert_int_equal(watch_stats(f->watch)->bookmarks, 1);
	assert_int_equal(watch_stats(f->watch)->faults, 0);
}

static void
a_stream_that_ends_properly_goes_on_at_once(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, EVENT("ADDED", OBJECT("a", "u1", "11")), ENDS},
	    {WATCHES("11"), 0, NULL, EVENT("ADDED", OBJECT("b", "u2", "12")), STAYS},
	};
	struct fixture *f = *state;

	f->times.backoff_first = 5;
	RUN(f, steps, "synced +ns/a:u1:11 +ns/b:u2:12 ");
	assert_true(f->when[3] - f->when[2] < 1);
}

static void
the_server_is_asked_to_end_a_stream_at_a_random_time(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {"timeoutSeconds=3", NULL, 0, NULL, EVENT("ADDED", OBJECT("a", "u1", "11")), STAYS},
	};
	struct fixture *f = *state;

	f->times.stream_max = 3.9;
	RUN(f, steps, "synced +ns/a:u1:11 ");
}

/* ---- 410 in its three shapes --------------------------------------------------- */

#define AFTER_410                                                                        \
	{LISTS, 200, NULL, LIST("30", OBJECT("b", "u2", "9")), ENDS}, THE_END("30")
#define BEFORE_410                                                                       \
	{LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "9")), ENDS}

static void
relists_after_410_as_the_http_status_of_a_watch(void **state)
{
	static const struct step steps[] = {
	    BEFORE_410,
	    {WATCHES("10"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    AFTER_410,
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced fault -ns/a:u1:3 synced ");
	assert_int_equal(watch_stats(f->watch)->expired, 1);
	assert_non_null(strstr(f->fault.text, "410 Expired: because; listing again in 0.0"));
}

static void
a_410_ends_the_waiting_that_failures_before_it_had_made_long(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL, LIST("11", ""), ENDS},
	    THE_END("11"),
	};
	struct fixture *f = *state;

	f->times.backoff_first = 0.05;
	f->times.backoff_max = 10;
	RUN(f, steps, "synced fault fault fault fault synced ");
	/* 0.05 to 0.1 s and not 0.4 to 0.8 */
	assert_non_null(strstr(f->fault.text, "listing again in 0.1 s"));
}

static void
relists_after_410_as_the_first_event_of_a_stream(void **state)
{
	static const struct step steps[] = {
	    BEFORE_410,
	    {WATCHES("10"), 0, NULL, EVENT("ERROR", STATUS("410", "Expired")), STAYS},
	    AFTER_410,
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced fault -ns/a:u1:3 synced ");
	assert_int_equal(watch_stats(f->watch)->expired, 1);
	assert_int_equal(f->fault.code, ESTALE);
}

static void
relists_after_410_as_a_later_event(void **state)
{
	static const struct step steps[] = {
	    BEFORE_410,
	    {WATCHES("10"), 0, NULL,
	        EVENT("MODIFIED", OBJECT("a", "u1", "11")) EVENT("ERROR", STATUS("410", "Gone"))
	            EVENT("MODIFIED", OBJECT("a", "u1", "12")),
	        STAYS},
	    AFTER_410,
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced +ns/a:u1:11 fault -ns/a:u1:11 synced ");
	assert_int_equal(watch_stats(f->watch)->expired, 1);
}

static void
lists_again_after_410_on_the_first_page(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "1")), ENDS},
	    THE_END("10"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "fault +ns/a:u1:1 synced ");
}

static void
lists_all_at_once_after_410_on_a_later_page(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST_MORE("10", "t", OBJECT("a", "u1", "1")), ENDS},
	    {"continue=t", NULL, 410, NULL, STATUS("410", "Expired"), ENDS},
	    {"/api/v1/things", "?", 200, NULL,
	        LIST("40", OBJECT("a", "u1", "1") "," OBJECT("b", "u2", "30")), ENDS},
	    THE_END("40"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:1 +ns/b:u2:30 synced ");
	assert_int_equal(watch_stats(f->watch)->expired, 1);
	assert_int_equal(watch_stats(f->watch)->lists, 2);
}

/* ---- what goes wrong ----------------------------------------------------------- */

static void
another_error_event_relists_too(void **state)
{
	static const struct step steps[] = {
	    BEFORE_410,
	    {WATCHES("10"), 0, NULL, EVENT("ERROR", STATUS("500", "InternalError")), STAYS},
	    AFTER_410,
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced fault -ns/a:u1:3 synced ");
	assert_int_equal(watch_stats(f->watch)->expired, 0);
	assert_non_null(strstr(f->fault.text, "watch of /api/v1/things: InternalError: because"));
}

static void
rubbish_in_the_stream_relists(void **state)
{
	static const char *bodies[] = {"rubbish", EVENT("STRANGE", OBJECT("a", "u", "11")),
	    "{\"type\":\"ADDED\"}", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}",
	    EVENT("BOOKMARK", "{}"), "{\"object\":{}}", "[]"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		const struct step steps[] = {BEFORE_410,
		    {WATCHES("10"), 0, NULL, bodies[i], STAYS}, AFTER_410};
		buf_clear(&f->log);
		f->server->requests = 0;
		RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:9 synced fault -ns/a:u1:3 synced ");
		watch_free(f->watch);
		f->watch = NULL;
	}
}

static void
an_event_cut_in_the_middle_is_watched_again_not_listed(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("ADDED", OBJECT("a", "u1", "11")) "{\"type\":\"ADDED\",\"object\":{\"meta", CUT},
	    {LOOKS, 200, NULL, LIST_MORE("14", "more", OBJECT("x", "u9", "14")), ENDS},
	    {WATCHES("11"), 0, NULL, EVENT("ADDED", OBJECT("b", "u2", "12")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced +ns/a:u1:11 fault +ns/b:u2:12 ");
	assert_int_equal(f->fault.code, ECONNRESET);
	assert_non_null(strstr(f->fault.text, "; watching again in 0.0"));
	assert_int_equal(watch_stats(f->watch)->lists, 1);
}

/* Restored from a backup so fast that we never saw it away: a stream from our version would
 * be silent. */
static void
a_server_gone_back_in_time_behind_a_cut_is_found_out(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    {WATCHES("10"), 0, NULL, BOOKMARK("20"), CUT},
	    {LOOKS, 200, NULL, LIST("19", OBJECT("a", "u1", "9")), ENDS},
	    {LISTS, 200, NULL, LIST("21", OBJECT("a", "u1", "9")), ENDS},
	    THE_END("21"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:9 synced fault fault synced ");
	assert_int_equal(f->fault.code, ENOTRECOVERABLE);
	assert_non_null(strstr(f->fault.text, "gone back from resourceVersion 20 to 19"));
}

static void
a_look_that_the_server_refuses_is_tried_again(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, BOOKMARK("11"), CUT},
	    {LOOKS, 503, NULL, STATUS("503", "ServiceUnavailable"), ENDS},
	    {LOOKS, 200, NULL, LIST("11", ""), ENDS},
	    {WATCHES("11"), 0, NULL, EVENT("ADDED", OBJECT("b", "u2", "12")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault fault +ns/b:u2:12 ");
	assert_int_equal(watch_stats(f->watch)->lists, 1);
}

/* Then it was away. */
static void
a_look_that_is_cut_makes_a_list(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, BOOKMARK("11"), CUT},
	    {LOOKS, 0, NULL, "", CUT},
	    {LISTS, 200, NULL, LIST("12", OBJECT("b", "u2", "12")), ENDS},
	    THE_END("12"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault fault +ns/b:u2:12 synced ");
}

static void
a_429_is_watched_again_when_the_server_says(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 429, "Retry-After: 1\r\n", STATUS("429", "TooManyRequests"), ENDS},
	    {WATCHES("10"), 0, NULL, EVENT("ADDED", OBJECT("b", "u2", "12")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault +ns/b:u2:12 ");
	assert_true(f->when[3] - f->when[2] > 0.9);
}

static void
a_list_waits_as_long_as_the_server_says(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 429, "Retry-After: 1\r\n", STATUS("429", "TooManyRequests"), ENDS},
	    {LISTS, 200, NULL, LIST("10", OBJECT("b", "u2", "9")), ENDS},
	    THE_END("10"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/b:u2:9 synced ");
	assert_true(f->when[2] - f->when[1] > 0.9);
}

static void
listen_again(struct ev_loop *loop, ev_timer *watcher, int revents)
{
	(void)loop;
	(void)revents;
	server_listen(watcher->data);
}

static void
a_server_that_was_away_is_listed(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, "Connection: close\r\n", LIST("10", ""), CUT},
	    {LISTS, 200, NULL, LIST("12", OBJECT("b", "u2", "12")), ENDS},
	    THE_END("12"),
	};
	struct fixture *f = *state;
	ev_timer later;

	f->deafen_after_list = true;
	begin(f, steps, 3, (struct watch_spec){0});
	f->until = "fault fault fault";
	assert_true(loop_until(f->loop, log_says_until, f, 5));
	assert_int_equal(f->fault.code, ECONNREFUSED);
	f->deafen_after_list = false;
	ev_timer_init(&later, listen_again, 0.05, 0.);
	later.data = f->server;
	ev_timer_start(f->loop, &later);
	f->until = "+ns/b:u2:12 synced";
	assert_true(loop_until(f->loop, log_says_until, f, 5));
	assert_null(strstr(buf_string(&f->log), "WRONG"));
	assert_int_equal(watch_stats(f->watch)->watches, 2);
}

static void
a_stream_that_ends_at_once_without_an_event_counts_as_failed(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, "", ENDS},
	    {WATCHES("10"), 0, NULL, "", ENDS},
	    {WATCHES("10"), 0, NULL, EVENT("ADDED", OBJECT("a", "u1", "11")), STAYS},
	};
	struct fixture *f = *state;

	f->times.short_stream = 2; /* also on a busy machine */
	RUN(f, steps, "synced fault fault +ns/a:u1:11 ");
	assert_true(f->when[4] - f->when[2] > 0.06 - 0.005);
	assert_non_null(strstr(f->fault.text, "ended at once, without an event"));
}

static void
a_version_that_the_server_refuses_again_and_again_is_listed(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {WATCHES("10"), 500, NULL, STATUS("500", "InternalError"), ENDS},
	    {LISTS, 200, NULL, LIST("11", ""), ENDS},
	    THE_END("11"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault fault fault fault fault synced ");
}

static void
a_watch_that_is_forbidden_lists_again(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 403, NULL, STATUS("403", "Forbidden"), ENDS},
	    {LISTS, 200, NULL, LIST("11", ""), ENDS},
	    THE_END("11"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault synced ");
}

static void
silence_after_bookmarks_is_a_dead_server(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, BOOKMARK("20"), STAYS},
	    {LOOKS, 200, NULL, LIST("20", ""), ENDS},
	    {WATCHES("20"), 0, NULL, "", STAYS},
	    {LISTS, 200, NULL, LIST("20", ""), ENDS},
	    {WATCHES("20"), 0, NULL, EVENT("ADDED", OBJECT("a", "u1", "21")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "synced fault fault synced +ns/a:u1:21 ");
	assert_int_equal(f->fault.code, ETIMEDOUT);
	assert_true(f->when[3] - f->when[2] > 0.29 && f->when[3] - f->when[2] < 1.5);
	assert_true(f->when[5] - f->when[4] > 0.29 && f->when[5] - f->when[4] < 1.5);
}

static void
silence_without_bookmarks_may_last_until_the_stream_is_over(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, "", STAYS},
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    {WATCHES("10"), 0, NULL, EVENT("ADDED", OBJECT("a", "u1", "11")), STAYS},
	};
	struct fixture *f = *state;

	f->times.stream_min = f->times.stream_max = 1;
	f->times.stream_slack = 0.2;
	RUN(f, steps, "synced fault synced +ns/a:u1:11 ");
	assert_true(f->when[3] - f->when[2] > 1.15);
}

static void
a_list_that_is_none_is_a_fault(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, "<html>", ENDS},
	    {LISTS, 200, NULL, "{}", ENDS},
	    {LISTS, 200, NULL, "", ENDS},
	    {LISTS, 200, NULL, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":{}}", ENDS},
	    {LISTS, 200, NULL, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[1]}", ENDS},
	    {LISTS, 404, NULL, STATUS("404", "NotFound"), ENDS},
	    {LISTS, 200, NULL, LIST("10", ""), ENDS},
	    THE_END("10"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "fault fault fault fault fault fault synced ");
	assert_non_null(strstr(f->fault.text, "HTTP 404 NotFound: because; listing again"));
}

static void
a_server_gone_back_in_time_loses_nothing(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    {WATCHES("10"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL, LIST("5", ""), ENDS},
	    {LISTS, 200, NULL, LIST("12", OBJECT("a", "u1", "11")), ENDS},
	    THE_END("12"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:9 synced fault fault +ns/a:u1:11 synced ");
	assert_non_null(strstr(f->fault.text, "gone back from resourceVersion 10 to 5"));
}

/* As etcdutl restores with --bump-revision: the list is newer, what is in it is not. */
static void
an_object_gone_back_in_time_is_a_fault_for_good(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    {WATCHES("10"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL, LIST("1000", OBJECT("a", "u1", "7")), ENDS},
	    {LISTS, 200, NULL, LIST("1001", OBJECT("a", "u1", "1001")), ENDS},
	    THE_END("1001"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:9 synced fault fault +ns/a:u1:1001 synced ");
	assert_int_equal(f->fault.code, ENOTRECOVERABLE);
	assert_non_null(strstr(f->fault.text, "from resourceVersion 9 to 7 of ns/a"));
}

/* By now the server's version is above ours again, and its object is not. */
static void
a_server_that_was_away_and_has_caught_up_is_found_out(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    {WATCHES("10"), 0, NULL, "", CUT},
	    {LISTS, 200, NULL, LIST("12", OBJECT("a", "u1", "8")), ENDS},
	    {LISTS, 200, NULL, LIST("13", OBJECT("a", "u1", "13")), ENDS},
	    THE_END("13"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:9 synced fault fault +ns/a:u1:13 synced ");
	assert_int_equal(f->fault.code, ENOTRECOVERABLE);
}

/* A page may have at most LIST_BYTES_MAX bytes; then fewer objects are asked for. */
static void
a_page_that_is_too_large_is_asked_for_smaller(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, "Content-Length: 70000000\r\n", "", ENDS},
	    {"limit=126", NULL, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    THE_END("10"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "fault +ns/a:u1:9 synced ");
	assert_non_null(strstr(f->fault.text, "larger than 67108864 bytes; listing again"));
}

/* ---- what the consumer sees ---------------------------------------------------- */

static void
a_relist_tells_only_what_is_new(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL,
	        LIST("10", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "4") "," OBJECT("c", "u3", "5")),
	        ENDS},
	    {WATCHES("10"), 0, NULL, EVENT("ADDED", OBJECT("d", "u4", "11")), CUT},
	    {LOOKS, 200, NULL, LIST("20", OBJECT("a", "u1", "3")), ENDS},
	    {WATCHES("11"), 410, NULL, STATUS("410", "Expired"), ENDS},
	    {LISTS, 200, NULL,
	        LIST("20", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "15") "," OBJECT("d", "u4", "11")),
	        ENDS},
	    THE_END("20"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:4 +ns/c:u3:5 synced +ns/d:u4:11 fault fault "
	              "+ns/b:u2:15 -ns/c:u3:5 synced ");
}

static void
another_uid_is_another_object(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "4")), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("MODIFIED", OBJECT("a", "u9", "11")) EVENT("ERROR", STATUS("410", "Expired")), STAYS},
	    {LISTS, 200, NULL, LIST("20", OBJECT("a", "u9", "11") "," OBJECT("b", "u8", "15")), ENDS},
	    THE_END("20"),
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:3 +ns/b:u2:4 synced -ns/a:u1:3 +ns/a:u9:11 fault "
	              "-ns/b:u2:4 +ns/b:u8:15 synced ");
}

static void
versions_of_one_object_never_go_back(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "9")), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("MODIFIED", OBJECT("a", "u1", "15")) EVENT("MODIFIED", OBJECT("a", "u1", "12"))
	            EVENT("MODIFIED", OBJECT("a", "u1", "15")) EVENT("DELETED", OBJECT("a", "u0", "14"))
	                EVENT("MODIFIED", OBJECT("a", "u1", "9")) EVENT("ADDED", OBJECT("z", "u3", "13")),
	        ENDS},
	    {WATCHES("15"), 0, NULL, EVENT("DELETED", OBJECT("a", "u1", "16")), STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "+ns/a:u1:9 synced +ns/a:u1:15 +ns/z:u3:13 -ns/a:u1:15 ");
}

static void
objects_without_namespace_and_deletions_of_the_unknown_are_fine(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL,
	        LIST("10", "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"2\"}}"), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("DELETED", OBJECT("x", "u1", "11"))
	            EVENT("DELETED", "{\"metadata\":{\"name\":\"n\",\"uid\":\"u\",\"resourceVersion\":\"12\"}}"),
	        STAYS},
	};
	struct fixture *f = *state;

	RUN(f, steps, "+n:u:2 synced -n:u:2 ");
}

static void
a_watch_may_be_freed_in_any_of_its_callbacks(void **state)
{
	static const struct step steps[] = {
	    {LISTS, 200, NULL, LIST("10", OBJECT("a", "u1", "3") "," OBJECT("b", "u2", "4")), ENDS},
	    {WATCHES("10"), 0, NULL,
	        EVENT("MODIFIED", OBJECT("a", "u1", "11")) EVENT("DELETED", OBJECT("a", "u1", "12"))
	            EVENT("ERROR", STATUS("410", "Expired")),
	        STAYS},
	    {LISTS, 200, NULL, LIST("20", ""), ENDS},
	    THE_END("20"),
	};
	static const char *moments[] = {"+ns/a:u1:3", "+ns/b:u2:4", "synced", "+ns/a:u1:11",
	    "-ns/a:u1:11", "fault", "-ns/b:u2:4"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * sizeof(moments) / sizeof(moments[0]); i++) {
		buf_clear(&f->log);
		f->server->requests = 0;
		f->free_when = f->until = moments[i / 2];
		begin(f, steps, 4, (struct watch_spec){.list_in_order = i % 2});
		assert_true(loop_until(f->loop, log_says_until, f, 5));
		loop_for(f->loop, 0.1);
		assert_null(f->watch);
		const char *log = buf_string(&f->log);
		const char *end = strstr(log, moments[i / 2]) + strlen(moments[i / 2]);
		assert_true(strlen(end) <= 1); /* the space: nothing came after it */
	}
}

static void
a_watch_may_be_freed_before_anything_happened(void **state)
{
	static const struct step steps[] = {{LISTS, 200, NULL, LIST("10", ""), ENDS}};
	struct fixture *f = *state;

	begin(f, steps, 1, (struct watch_spec){0});
	watch_free(f->watch);
	f->watch = NULL;
	loop_for(f->loop, 0.1);
	assert_string_equal(buf_string(&f->log), "");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(lists_then_watches_from_the_version_of_the_list),
	    TEST(asks_page_after_page_until_continue_is_empty),
	    TEST(selectors_are_escaped_and_in_lists_and_watches),
	    TEST(a_list_in_order_comes_by_version_after_what_is_gone),
	    TEST(a_bookmark_moves_the_version_without_an_event),
	    TEST(a_stream_that_ends_properly_goes_on_at_once),
	    TEST(the_server_is_asked_to_end_a_stream_at_a_random_time),
	    TEST(relists_after_410_as_the_http_status_of_a_watch),
	    TEST(a_410_ends_the_waiting_that_failures_before_it_had_made_long),
	    TEST(relists_after_410_as_the_first_event_of_a_stream),
	    TEST(relists_after_410_as_a_later_event),
	    TEST(lists_again_after_410_on_the_first_page),
	    TEST(lists_all_at_once_after_410_on_a_later_page),
	    TEST(another_error_event_relists_too),
	    TEST(rubbish_in_the_stream_relists),
	    TEST(an_event_cut_in_the_middle_is_watched_again_not_listed),
	    TEST(a_server_gone_back_in_time_behind_a_cut_is_found_out),
	    TEST(a_look_that_the_server_refuses_is_tried_again),
	    TEST(a_look_that_is_cut_makes_a_list),
	    TEST(a_429_is_watched_again_when_the_server_says),
	    TEST(a_list_waits_as_long_as_the_server_says),
	    TEST(a_server_that_was_away_is_listed),
	    TEST(a_stream_that_ends_at_once_without_an_event_counts_as_failed),
	    TEST(a_version_that_the_server_refuses_again_and_again_is_listed),
	    TEST(a_watch_that_is_forbidden_lists_again),
	    TEST(silence_after_bookmarks_is_a_dead_server),
	    TEST(silence_without_bookmarks_may_last_until_the_stream_is_over),
	    TEST(a_list_that_is_none_is_a_fault),
	    TEST(a_server_gone_back_in_time_loses_nothing),
	    TEST(an_object_gone_back_in_time_is_a_fault_for_good),
	    TEST(a_server_that_was_away_and_has_caught_up_is_found_out),
	    TEST(a_page_that_is_too_large_is_asked_for_smaller),
	    TEST(a_relist_tells_only_what_is_new),
	    TEST(another_uid_is_another_object),
	    TEST(versions_of_one_object_never_go_back),
	    TEST(objects_without_namespace_and_deletions_of_the_unknown_are_fine),
	    TEST(a_watch_may_be_freed_in_any_of_its_callbacks),
	    TEST(a_watch_may_be_freed_before_anything_happened),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
