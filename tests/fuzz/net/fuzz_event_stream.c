/* Rule: a stream that is taken in one piece gives the same events in many. Not the
 * other way round: json-c 0.16 refuses "1-2" whole, but takes it when the cut lies
 * behind the 1; and what stood before a fault in the same piece may be lost (the
 * watch lists again). */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/hash.h"
#include "net/event_stream.h"
#include "table/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash;
	unsigned count;
};

static bool
each(void *cookie, struct json_object *value)
{
	struct seen *seen = cookie;
	const char *text = json_print(value);

	seen->hash = hash_bytes(seen->hash, text, strlen(text) + 1);
	seen->count++;
	return true;
}

static int
feed(const char *bytes, size_t size, size_t piece, struct seen *seen)
{
	struct event_stream *stream = event_stream_new(64 * 1024);
	int rc = 0;

	*seen = (struct seen){.hash = HASH_START};
	for (size_t at = 0; at < size && !rc; at += piece)
		rc = event_stream_feed(stream, bytes + at, at + piece < size ? piece : size - at,
		    each, seen, NULL);
	event_stream_free(stream);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole;
	struct seen cut;

	if (size == 0)
		return 0;
	size_t piece = 1 + data[0] % 7;
	int rc = feed((const char *)data, size, size, &whole);
	int rc_cut = feed((const char *)data, size, piece, &cut);
	if (rc == 0)
		assert(rc_cut == 0 && whole.count == cut.count && whole.hash == cut.hash);
	return 0;
}
