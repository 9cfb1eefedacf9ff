#include "net/event_stream.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "core/mem.h"
#include "net/api_json.h"

struct event_stream {
	struct json_tokener *tokener;
	size_t max_bytes;

	/* The value being read. */
	bool inside; /* its first byte was seen */
	size_t used; /* its bytes so far */

	/* A character cut by the end of the last feed. json-c checks UTF-8 with a
	 * counter that lives in one call only (json_tokener.c, nBytes): half a
	 * character at either end of a call would be refused. */
	char cut[4];
	size_t cut_length;
};

/* What a feed needs on its way down. */
struct sink {
	bool (*each)(void *cookie, struct json_object *value);
	void *cookie;
	bool stopped;
};

struct event_stream *
event_stream_new(size_t max_bytes)
{
	struct event_stream *stream = mem_new(1, sizeof(*stream));

	stream->max_bytes = max_bytes;
	stream->tokener = json_tokener_new_ex(API_JSON_DEPTH_MAX);
	if (!stream->tokener)
		mem_exhausted();
	/* strict alone refuses a second value behind the first */
	json_tokener_set_flags(stream->tokener, JSON_TOKENER_STRICT |
	    JSON_TOKENER_ALLOW_TRAILING_CHARS | JSON_TOKENER_VALIDATE_UTF8);
	return stream;
}

void
event_stream_free(struct event_stream *stream)
{
	if (!stream)
		return;
	json_tokener_free(stream->tokener);
	mem_free(stream);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Bytes of a value without the space that the tokener takes along behind it:
 * the maximum must not depend on where the stream was cut. */
static size_t
without_space(const char *bytes, size_t length)
{
	while (length > 0 && is_space(bytes[length - 1]))
		length--;
	return length;
}

static int
too_large(const struct event_stream *stream, struct err *err)
{
	return err_set(err, EFBIG, "an event is larger than %zu bytes", stream->max_bytes);
}

/* Between two values: skips space; the next value must be an object. */
static int
begin_value(struct event_stream *stream, const char **bytes, size_t *length,
    struct err *err)
{
	while (*length > 0 && is_space(**bytes)) {
		(*bytes)++;
		(*length)--;
	}
	if (*length == 0)
		return 0;
	if (**bytes != '{')
		return err_set(err, EBADMSG, "an event does not begin with '{' but with byte 0x%02x",
		    (unsigned)(unsigned char)**bytes);
	stream->inside = true;
	stream->used = 0;
	return 0;
}

static void
deliver(struct event_stream *stream, struct json_object *value, struct sink *sink)
{
	stream->inside = false;
	json_tokener_reset(stream->tokener);
	sink->stopped = !sink->each(sink->cookie, value);
	json_object_put(value);
}

/* Gives the tokener one piece of a value. Returns how many bytes it took. */
static int
parse_piece(struct event_stream *stream, const char *bytes, size_t length,
    size_t *ret_taken, struct sink *sink, struct err *err)
{
	size_t piece = length < INT_MAX ? length : INT_MAX;
	struct json_object *value =
	    json_tokener_parse_ex(stream->tokener, bytes, (int)piece);
	enum json_tokener_error code = json_tokener_get_error(stream->tokener);

	if (code != json_tokener_success && code != json_tokener_continue)
		return err_set(err, EBADMSG, "an event is not JSON: %s",
		    json_tokener_error_desc(code));
	*ret_taken = code == json_tokener_continue
	    ? piece
	    : json_tokener_get_parse_end(stream->tokener);
	size_t own = code == json_tokener_continue ? piece : without_space(bytes, *ret_taken);
	if (own > stream->max_bytes - stream->used) {
		json_object_put(value);
		return too_large(stream, err);
	}
	stream->used += own;
	if (code == json_tokener_success)
		deliver(stream, value, sink);
	return 0;
}

/* Bytes with no character cut at the end. */
static int
feed_characters(struct event_stream *stream, const char *bytes, size_t length,
    struct sink *sink, struct err *err)
{
	while (length > 0 && !sink->stopped) {
		size_t taken = 0;
		if (!stream->inside && begin_value(stream, &bytes, &length, err) < 0)
			return -EBADMSG;
		if (length == 0)
			return 0;
		int rc = parse_piece(stream, bytes, length, &taken, sink, err);
		if (rc < 0)
			return rc;
		bytes += taken;
		length -= taken;
	}
	return 0;
}

/* How many bytes the character has that begins with this one; 1 for what begins
 * none: the tokener refuses it. */
static size_t
character_length(char first)
{
	unsigned char byte = (unsigned char)first;

	if (byte < 0xc0 || byte >= 0xf8)
		return 1;
	return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

static bool
continues_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* How many bytes at the end belong to a character that is not whole. */
static size_t
cut_at_end(const char *bytes, size_t length)
{
	size_t back = 1;

	while (back < 3 && back < length && continues_character(bytes[length - back]))
		back++;
	return back <= length && character_length(bytes[length - back]) > back ? back : 0;
}

/* Completes the character that the last feed cut, if the bytes suffice. One that
 * goes on wrongly is handed on as it is: the tokener refuses it. */
static int
feed_cut(struct event_stream *stream, const char **bytes, size_t *length,
    struct sink *sink, struct err *err)
{
	size_t need = character_length(stream->cut[0]);
	bool right = true;

	while (right && stream->cut_length < need && *length > 0) {
		right = continues_character(**bytes);
		stream->cut[stream->cut_length++] = **bytes;
		(*bytes)++;
		(*length)--;
	}
	if (right && stream->cut_length < need)
		return 0;
	size_t whole = stream->cut_length;
	stream->cut_length = 0;
	return feed_characters(stream, stream->cut, whole, sink, err);
}

int
event_stream_feed(struct event_stream *stream, const char *bytes, size_t length,
    bool (*each)(void *cookie, struct json_object *value), void *cookie, struct err *err)
{
	struct sink sink = {.each = each, .cookie = cookie};

	if (stream->cut_length > 0) {
		int rc = feed_cut(stream, &bytes, &length, &sink, err);
		if (rc < 0 || sink.stopped || length == 0)
			return rc;
	}
	size_t cut = cut_at_end(bytes, length);
	int rc = feed_characters(stream, bytes, length - cut, &sink, err);
	if (rc < 0 || sink.stopped || cut == 0)
		return rc;
	memcpy(stream->cut, bytes + length - cut, cut);
	stream->cut_length = cut;
	return 0;
}
