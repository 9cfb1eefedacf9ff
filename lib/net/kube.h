/* Calls to the API server: credentials kept fresh, answers decoded. */
#ifndef NET_KUBE_H
#define NET_KUBE_H

#include <ev.h>
#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "net/kube_config.h"

struct kube;
struct kube_call;

/* What came of a call. ok means a 2xx status. */
struct kube_answer {
	bool ok;
	int status;                /* HTTP; 0 = no answer at all */
	struct json_object *body;  /* decoded, or NULL; the caller may json_object_get it */
	char reason[64];           /* metav1.Status.reason: Conflict, AlreadyExists, Expired, ... */
	struct err err;            /* when not ok: one sentence with Status.message */
	long retry_after_s;
	/* When not ok, of a call that is no GET: it may have been carried out all
	 * the same (timeout, connection lost after sending, 5xx): read before you
	 * act. libcurl also repeats a request by itself when a kept connection turns
	 * out to be closed: a Conflict or AlreadyExists may be about one's own. */
	bool unknown_outcome;
};

typedef void kube_done(void *cookie, const struct kube_answer *answer);

/* A client; takes over config (released with the client; the struct is empty
 * then). One multi, one set of connections: for a lease, which must not queue
 * behind other work, make a client of its own. Token, CA and client
 * certificate files are read again when they change: the token at most every
 * 50 s and at once after a 401, the others every 5 minutes (as client-go:
 * transport/token_source.go, ca_rotation.go), or at once after the server's
 * certificate was not believed. */
struct kube *kube_new(struct ev_loop *loop, struct kube_config *config,
    const char *user_agent);
/* Cancels what still runs; fine from within any callback. */
void kube_free(struct kube *kube);

/* Whether calls that change something may be sent. may_write is asked about every call
 * that is no GET: when it is made, each time it is tried again, before its first byte
 * leaves, and whenever the loop comes back while a part of it is not sent (a process that
 * was stopped meanwhile wakes up anywhere). When it says no, the call ends with status 0
 * and ECANCELED. may_write only looks (at a clock), and must live as long as the client.
 *
 * What remains: a request whose last byte was with the kernel, or between the last
 * question and that system call, when the permission ended. The network may deliver it up
 * to TCP_USER_TIMEOUT (30 s) later, the server carry it out up to its own deadline (60 s)
 * later. So a write must be conditional besides: on resourceVersion or UID, or on the name
 * not being there. */
void kube_set_gate(
    struct kube *kube, bool (*may_write)(const void *cookie), const void *cookie);
/* Calls that are no GET and wait for their answer: they may yet be carried out. */
unsigned kube_writes_under_way(const struct kube *kube);

/* One call. path starts with '/', query (already escaped, or NULL) comes behind
 * '?'. body may be NULL; its bytes are copied out at once. content_type NULL =
 * application/json. Retried inside, up to the deadline: 429 and 503 with
 * Retry-After, and one 401 when the credentials have changed since; nothing else.
 * done comes from the loop, exactly once. A 2xx answer that is neither empty nor a
 * JSON object is not ok. */
struct kube_call *kube_call(struct kube *kube, const char *method, const char *path,
    const char *query, const char *content_type, struct json_object *body,
    double timeout_s, kube_done *done, void *cookie);
/* done is not called any more. Fine from within any callback. */
void kube_cancel(struct kube_call *call);

/* Escapes a query value or path segment; the caller frees (mem_free). */
char *kube_escape(const char *text);

#endif
