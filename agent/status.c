#include "agent/status.h"

#include <json-c/json.h>

#include "core/mem.h"
#include "net/kube.h"
#include "table/json.h"

#define NODES "/apis/staticip.dev/v1alpha1/staticipnodes"
static const double deadline_s = 10;

struct status {
	struct status_spec spec;
	char *path;
	struct kube_call *call;   /* on its way */
	enum status_word word;    /* of that */
	struct json_object *sent; /* the answer on its way, or acknowledged last */
};

static void
forget(struct status *status)
{
	json_object_put(status->sent);
	status->sent = NULL;
}

static void
on_done(void *cookie, const struct kube_answer *got)
{
	struct status *status = cookie;

	status->call = NULL;
	if (!got->ok)
		forget(status);
	status->spec.done(status->spec.cookie, status->word, got->ok ? NULL : &got->err);
}

bool
status_busy(const struct status *status)
{
	return status->call != NULL;
}

void
status_send(struct status *status, enum status_word word, struct json_object *patch)
{
	if (word == STATUS_ANSWER && status->sent && json_object_equal(status->sent, patch))
		return;
	forget(status);
	if (word == STATUS_ANSWER)
		status->sent = json_object_get(patch);
	status->word = word;
	status->call = kube_call(status->spec.kube, "PATCH", status->path, NULL,
	    "application/merge-patch+json", patch, deadline_s, on_done, status);
}

void
status_compare(struct status *status, struct json_object *object)
{
	if (status->sent && !status->call &&
	    !json_object_equal(json_path(object, "status.answer"),
	        json_path(status->sent, "status.answer")))
		forget(status);
}

struct status *
status_new(const struct status_spec *spec)
{
	struct status *status = mem_new(1, sizeof(*status));

	status->spec = *spec;
	status->path = mem_format(NODES "/%s/status", spec->node_name);
	return status;
}

void
status_free(struct status *status)
{
	if (!status)
		return;
	if (status->call)
		kube_cancel(status->call);
	forget(status);
	mem_free(status->path);
	mem_free(status);
}
