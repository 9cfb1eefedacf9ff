/* Shows what lib/net makes of a real API server, one line per callback:
 *   net_probe KUBECONFIG watch PATH [PAGE_ITEMS [ordered]]
 *   net_probe KUBECONFIG METHOD PATH [JSON]
 */
#include <ev.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/kube.h"
#include "net/watch.h"
#include "table/json.h"

static void
on_changed(void *cookie, const struct object_id *id, struct json_object *object)
{
	(void)cookie;
	(void)object;
	(void)printf("+ %s/%s %s %s\n", id->namespace, id->name, id->uid, id->version);
}

static void
on_gone(void *cookie, const struct object_id *id)
{
	(void)cookie;
	(void)printf("- %s/%s %s\n", id->namespace, id->name, id->uid);
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
	(void)printf("fault %d %s\n", err->code, err->text);
}

static void
on_done(void *cookie, const struct kube_answer *answer)
{
	(void)printf("%s %d %s %s\n", answer->ok ? "ok" : "failed", answer->status,
	    answer->reason[0] ? answer->reason : "-", answer->err.text);
	ev_break(cookie, EVBREAK_ALL);
}

static void
watch(struct ev_loop *loop, struct kube *kube, int argc, char **argv)
{
	static const struct watch_events events = {
	    .changed = on_changed, .gone = on_gone, .synced = on_synced, .fault = on_fault};
	struct watch_spec spec = {.path = argv[3],
	    .page_items = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0,
	    .list_in_order = argc > 5,
	    .events = &events};
	struct watch *made = watch_new(loop, kube, &spec);

	(void)ev_run(loop, 0);
	watch_free(made);
}

static void
call(struct ev_loop *loop, struct kube *kube, int argc, char **argv)
{
	struct json_object *body = argc > 4 ? json_tokener_parse(argv[4]) : NULL;

	(void)kube_call(kube, argv[2], argv[3], NULL, NULL, body, 15, on_done, loop);
	(void)ev_run(loop, 0);
	json_object_put(body);
}

int
main(int argc, char **argv)
{
	struct kube_config config = {0};
	struct err err = {0};
	struct ev_loop *loop = ev_default_loop(0);

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4 || kube_config_load(argv[1], NULL, &config, &err) < 0) {
		(void)fprintf(stderr, "net_probe: %s\n", argc < 4 ? "usage" : err.text);
		return 1;
	}
	struct kube *kube = kube_new(loop, &config, "net_probe/1");
	if (strcmp(argv[2], "watch") == 0)
		watch(loop, kube, argc, argv);
	else
		call(loop, kube, argc, argv);
	kube_free(kube);
	return 0;
}
