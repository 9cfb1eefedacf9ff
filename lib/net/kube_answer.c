#include "net/kube_answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/api_json.h"
#include "table/json.h"

enum {
	/* Of Status.message in an error: the rest of ERR_TEXT_MAX is for subject and
	 * what the callers put around it. */
	MESSAGE_MAX = 400,
};

static bool
is_status(struct json_object *body)
{
	const char *kind = body ? json_path_text(body, "kind") : NULL;

	return kind && strcmp(kind, "Status") == 0;
}

/* An errno near enough for callers that only look at codes. */
static int
code_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 409:
		return EEXIST;
	case 410:
		return ESTALE;
	case 429:
		return EAGAIN;
	default:
		return status / 100 == 5 ? EREMOTEIO : EINVAL;
	}
}

static void
explain(struct kube_answer *answer, const char *subject)
{
	const char *message = NULL;
	const char *reason = NULL;

	if (is_status(answer->body)) {
		message = json_path_text(answer->body, "message");
		reason = json_path_text(answer->body, "reason");
	}
	if (reason)
		(void)snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
	(void)err_set(&answer->err, code_of(answer->status), "%s: HTTP %d%s%s%s%.*s", subject,
	    answer->status, answer->reason[0] ? " " : "", answer->reason, message ? ": " : "",
	    MESSAGE_MAX, message ? message : "");
}

/* 4xx is the server's word that nothing was done. */
static bool
may_have_happened(const struct http_answer *http, bool is_read)
{
	if (is_read)
		return false;
	return http->status == 0 ? http->maybe_sent : http->status / 100 != 4;
}

void
kube_answer_decode(const struct http_answer *http, const char *subject, bool is_read,
    struct kube_answer *ret_answer)
{
	struct kube_answer answer = {
	    .status = http->status, .err = http->err, .retry_after_s = http->retry_after_s};
	struct err parse = {0};
	size_t length = http->body->length;

	answer.ok = http->status / 100 == 2;
	if (http->status && length &&
	    api_json_parse(buf_string(http->body), length, &answer.body, &parse) < 0 && answer.ok) {
		answer.ok = false;
		(void)err_set(&answer.err, EBADMSG, "%s: HTTP %d, but the body is %s", subject,
		    answer.status, parse.text);
	} else if (http->status && !answer.ok) {
		explain(&answer, subject);
	}
	answer.unknown_outcome = !answer.ok && may_have_happened(http, is_read);
	*ret_answer = answer;
}
