/* Kubernetes events (events.k8s.io/v1), for people who read kubectl describe. */
#ifndef NET_EVENT_H
#define NET_EVENT_H

#include <stdbool.h>

#include "net/kube.h"

struct recorder;

/* What an event is about; namespace is NULL for a cluster-scoped object. */
struct event_subject {
	const char *api_version, *kind, *namespace, *name, *uid;
};

/* A recorder that speaks as "staticip.dev/PART" from INSTANCE (a pod or node).
 * Copies. on_fault is called when an event could not be written, for the log;
 * events are not repeated: what they say is in a condition too. */
struct recorder *recorder_new(struct kube *kube, const char *part, const char *instance,
    void (*on_fault)(void *cookie, const struct err *err), void *cookie);
void recorder_free(struct recorder *recorder);

/* Writes an event in the subject's namespace. note is cut to 1 KiB, the API's
 * limit. A burst of 1000 (client-go's recorder queues as many), then 10 a second, so
 * that a fault that repeats does not fill etcd; callers tell only what is new;
 * four are under way at once. Returns whether it was taken. */
bool recorder_event(struct recorder *recorder, const struct event_subject *subject,
    bool warning, const char *reason, const char *action, const char *note);

#endif
