/* The stopwatch of latency.py: API calls over kept connections, as lib/net makes them, and the
 * moment at which a file in a watched directory has a text.
 *
 *   latency_probe KUBECONFIG echo NAMESPACE    the far end of two bare watch hops: sees each
 *                                              ConfigMap "question" and writes "answer"
 *   latency_probe KUBECONFIG drive NAMESPACE   commands on stdin, fields with tabs between;
 *                                              what comes of them on stdout, times in ns:
 *     watch DIRECTORY                    watching DIRECTORY
 *     call TAG METHOD PATH TYPE BODY     called TAG STATUS SENT ANSWERED ANSWER; TYPE, BODY may be ""
 *     expect TAG TEXT                    expecting TAG, seen TAG WHEN: a file was put there that has TEXT
 *     gone TAG NAME                      expecting TAG, gone TAG WHEN: a file of that name was removed
 *     bare TAG                           bare TAG SENT WHEN */
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "net/kube.h"
#include "net/watch.h"
#include "table/json.h"

enum { DIRECTORIES_MAX = 32, FIELDS_MAX = 6, INPUT_MAX = 4 << 20, FILE_MAX = 4 << 20 };
static const double call_deadline_s = 30;

struct directory {
	int wd, fd;
};

/* What is waited for: a text in a file, or the end of a file. */
struct expected {
	char *tag, *text;
	bool end;
	struct expected *next;
};

struct probe {
	struct ev_loop *loop;
	struct kube *kube;
	const char *namespace;
	int inotify;
	struct directory directories[DIRECTORIES_MAX];
	unsigned directory_count;
	struct expected *expected;
	struct buf input;
	/* bare hops */
	char *tag;
	int64_t sent;
};

struct call {
	char *tag;
	int64_t sent;
};

static int64_t
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
die(const char *why)
{
	(void)fprintf(stderr, "latency_probe: %s\n", why);
	exit(1);
}

/* ---- calls ------------------------------------------------------------------------ */

static void
on_called(void *cookie, const struct kube_answer *answer)
{
	struct call *call = cookie;
	int64_t now = now_ns();

	(void)printf("called\t%s\t%d\t%lld\t%lld\t%s\n", call->tag, answer->status,
	    (long long)call->sent, (long long)now,
	    answer->ok && answer->body ? json_print(answer->body) : answer->err.text);
	mem_free(call->tag);
	mem_free(call);
}

static void
start_call(struct probe *probe, char **fields)
{
	struct call *call = mem_new(1, sizeof(*call));
	scoped_json *body = fields[5][0] ? json_tokener_parse(fields[5]) : NULL;

	call->tag = mem_text(fields[1]);
	call->sent = now_ns();
	(void)kube_call(probe->kube, fields[2], fields[3], NULL, fields[4][0] ? fields[4] : NULL,
	    body, call_deadline_s, on_called, call);
}

/* ---- files ------------------------------------------------------------------------- */

static void
watch_directory(struct probe *probe, const char *path)
{
	struct directory *directory = &probe->directories[probe->directory_count];

	if (probe->directory_count == DIRECTORIES_MAX)
		die("too many directories");
	directory->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	directory->wd = inotify_add_watch(
	    probe->inotify, path, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
	if (directory->fd < 0 || directory->wd < 0)
		die(path);
	probe->directory_count++;
	(void)printf("watching\t%s\n", path);
}

static void
expect(struct probe *probe, char **fields)
{
	struct expected *expected = mem_new(1, sizeof(*expected));

	*expected = (struct expected){.tag = mem_text(fields[1]), .text = mem_text(fields[2]),
	    .end = strcmp(fields[0], "gone") == 0, .next = probe->expected};
	probe->expected = expected;
	(void)printf("expecting\t%s\n", expected->tag);
}

static void
say_those(struct probe *probe, bool end, const char *bytes, size_t length, int64_t now)
{
	struct expected **at = &probe->expected;

	while (*at) {
		struct expected *one = *at;
		size_t wanted = strlen(one->text);
		bool met = one->end == end && (end ? strcmp(one->text, bytes) == 0
		                                   : memmem(bytes, length, one->text, wanted) != NULL);
		if (!met) {
			at = &one->next;
			continue;
		}
		(void)printf("%s\t%s\t%lld\n", end ? "gone" : "seen", one->tag, (long long)now);
		*at = one->next;
		mem_free(one->tag);
		mem_free(one->text);
		mem_free(one);
	}
}

static void
on_file(struct probe *probe, const struct inotify_event *event, int64_t now)
{
	scoped_buf text = buf_make(FILE_MAX);

	if (event->len == 0)
		return;
	if (!(event->mask & IN_MOVED_TO)) {
		say_those(probe, true, event->name, strlen(event->name), now);
		return;
	}
	for (unsigned i = 0; i < probe->directory_count; i++)
		if (probe->directories[i].wd == event->wd &&
		    file_read(probe->directories[i].fd, event->name, &text, NULL) == 0)
			say_those(probe, false, buf_string(&text), text.length, now);
}

static void
on_inotify(struct ev_loop *loop, ev_io *io, int revents)
{
	struct probe *probe = io->data;
	union {
		struct inotify_event event;
		char bytes[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	} events;
	int64_t now = now_ns();
	ssize_t length = read(probe->inotify, &events, sizeof(events));

	(void)loop;
	(void)revents;
	for (ssize_t at = 0; at < length;) {
		const struct inotify_event *event = (const void *)(events.bytes + at);
		on_file(probe, event, now);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* ---- two bare watch hops -------------------------------------------------------------- */

static void
on_bare_written(void *cookie, const struct kube_answer *answer)
{
	(void)cookie;
	if (!answer->ok)
		die(answer->err.text);
}

static struct json_object *
bare_map(const char *name, const char *role, const char *tag, const char *version)
{
	struct json_object *map = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	struct json_object *data = json_object_new_object();

	json_put_text(labels, "role", role);
	json_put_text(metadata, "name", name);
	json_put_text(metadata, "resourceVersion", version);
	json_object_object_add(metadata, "labels", labels);
	json_put_text(data, "tag", tag);
	json_put_text(map, "apiVersion", "v1");
	json_put_text(map, "kind", "ConfigMap");
	json_object_object_add(map, "metadata", metadata);
	json_object_object_add(map, "data", data);
	return map;
}

static void
write_bare(struct probe *probe, const char *method, const char *name, struct json_object *map)
{
	scoped_free char *path = mem_format("/api/v1/namespaces/%s/configmaps%s%s",
	    probe->namespace, name ? "/" : "", name ? name : "");

	(void)kube_call(probe->kube, method, path, NULL, NULL, map, call_deadline_s,
	    on_bare_written, NULL);
	json_object_put(map);
}

static void
begin_bare(struct probe *probe, const char *tag)
{
	scoped_free char *name = mem_format("question-%s", tag);

	mem_free(probe->tag);
	probe->tag = mem_text(tag);
	probe->sent = now_ns();
	write_bare(probe, "POST", NULL, bare_map(name, "question", tag, NULL));
}

/* The near end: the answer is there. */
static void
on_answer(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct probe *probe = cookie;
	const char *tag = json_path_text(object, "data.tag");

	(void)id;
	if (!tag || !probe->tag || strcmp(tag, probe->tag) != 0)
		return;
	(void)printf(
	    "bare\t%s\t%lld\t%lld\n", tag, (long long)probe->sent, (long long)now_ns());
	mem_free(probe->tag);
	probe->tag = NULL;
}

/* The far end: each question is answered in the one ConfigMap "answer". */
static void
on_question(void *cookie, const struct object_id *id, struct json_object *object)
{
	struct probe *probe = cookie;
	const char *tag = json_path_text(object, "data.tag");

	(void)id;
	if (tag)
		write_bare(probe, "PUT", "answer", bare_map("answer", "answer", tag, NULL));
}

static void
on_gone(void *cookie, const struct object_id *id)
{
	(void)cookie;
	(void)id;
}

static void
on_synced(void *cookie)
{
	(void)cookie;
	(void)printf("synced\n");
}

static void
on_fault(void *cookie, const struct err *err)
{
	(void)cookie;
	(void)fprintf(stderr, "latency_probe: %s\n", err->text);
}

/* ---- commands --------------------------------------------------------------------------- */

static void
obey(struct probe *probe, char *line)
{
	char *fields[FIELDS_MAX] = {NULL};
	char *rest = line;
	unsigned count = 0;
	unsigned most = strncmp(line, "call", 4) == 0 ? FIELDS_MAX : 3;

	/* the last field takes the rest: a row has tabs, too */
	while (count < most && rest) {
		fields[count] = count + 1 < most ? strsep(&rest, "\t") : mem_take(&rest);
		count++;
	}
	if (strcmp(line, "watch") == 0 && count == 2)
		watch_directory(probe, fields[1]);
	else if (strcmp(line, "call") == 0 && count == 6)
		start_call(probe, fields);
	else if ((strcmp(line, "expect") == 0 || strcmp(line, "gone") == 0) && count >= 3)
		expect(probe, fields);
	else if (strcmp(line, "bare") == 0 && count == 2)
		begin_bare(probe, fields[1]);
	else
		die("no such command");
}

static void
on_input(struct ev_loop *loop, ev_io *io, int revents)
{
	struct probe *probe = io->data;
	char bytes[65536];
	ssize_t length = read(0, bytes, sizeof(bytes));
	char *end;

	(void)revents;
	if (length <= 0) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	if (!buf_add(&probe->input, bytes, (size_t)length))
		die("a command is too long");
	while ((end = memchr(probe->input.data, '\n', probe->input.length))) {
		*end = '\0';
		size_t used = (size_t)(end - probe->input.data) + 1;
		scoped_free char *line = mem_text(probe->input.data);
		buf_skip(&probe->input, used);
		obey(probe, line);
		if (probe->input.length == 0)
			break;
	}
}

static void
run(struct probe *probe, bool drives)
{
	const struct watch_events events = {.changed = drives ? on_answer : on_question,
	    .gone = on_gone, .synced = on_synced, .fault = on_fault};
	scoped_free char *path = mem_format("/api/v1/namespaces/%s/configmaps", probe->namespace);
	struct watch_spec spec = {.path = path,
	    .label_selector = drives ? "role=answer" : "role=question",
	    .events = &events, .cookie = probe};
	struct watch *watch = watch_new(probe->loop, probe->kube, &spec);
	ev_io input, files;

	ev_io_init(&input, on_input, 0, EV_READ);
	ev_io_init(&files, on_inotify, probe->inotify, EV_READ);
	input.data = files.data = probe;
	ev_io_start(probe->loop, &files);
	ev_io_start(probe->loop, &input);
	(void)ev_run(probe->loop, 0);
	ev_io_stop(probe->loop, &files);
	ev_io_stop(probe->loop, &input);
	watch_free(watch);
}

int
main(int argc, char **argv)
{
	struct kube_config config = {0};
	struct err err = {0};
	struct probe probe = {.loop = ev_default_loop(0), .input = buf_make(INPUT_MAX),
	    .inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 4 || (strcmp(argv[2], "echo") != 0 && strcmp(argv[2], "drive") != 0))
		die("usage: latency_probe KUBECONFIG echo|drive NAMESPACE");
	if (kube_config_load(argv[1], NULL, &config, &err) < 0)
		die(err.text);
	probe.namespace = argv[3];
	probe.kube = kube_new(probe.loop, &config, "latency_probe/1");
	run(&probe, strcmp(argv[2], "drive") == 0);
	kube_free(probe.kube);
	buf_release(&probe.input);
	mem_free(probe.tag);
	return 0;
}
