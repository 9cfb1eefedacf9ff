/* Cuts the bytes of a watch response into JSON objects. Pure: no I/O. */
#ifndef NET_EVENT_STREAM_H
#define NET_EVENT_STREAM_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct event_stream;

/* max_bytes bounds one event's text. Free with event_stream_free. */
struct event_stream *event_stream_new(size_t max_bytes);
void event_stream_free(struct event_stream *stream);

/* Feeds bytes, cut anywhere, and calls each (may be several times) for each whole
 * JSON value; the framing is self-delimiting JSON (the newline is a by-product of
 * the server's encoder). each returns false to stop. The value is put after the
 * call. Returns 0, or a negative errno once the stream cannot be JSON or an event
 * is too large: then the stream is of no more use. */
int event_stream_feed(struct event_stream *stream, const char *bytes, size_t length,
    bool (*each)(void *cookie, struct json_object *value), void *cookie,
    struct err *err);

#endif
