#include "core/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/num.h"

struct buf
buf_make(size_t max)
{
	return (struct buf){.max = max};
}

void
buf_release(struct buf *buf)
{
	size_t max = buf->max;

	mem_free(buf->data);
	*buf = buf_make(max);
}

void
buf_clear(struct buf *buf)
{
	buf->length = 0;
	buf->over = false;
	if (buf->data)
		buf->data[0] = '\0';
}

bool
buf_reserve(struct buf *buf, size_t more)
{
	if (more > buf->max - buf->length) {
		buf->over = true;
		return false;
	}
	size_t need = buf->length + more + 1;
	if (need <= buf->room)
		return true;
	/* no more than is needed when it is much: who adds a page adds no second one */
	size_t room = buf->room ? 2 * buf->room : 64;
	if (room < need)
		room = need;
	buf->data = mem_resize(buf->data, room, 1);
	buf->room = room;
	return true;
}

bool
buf_add(struct buf *buf, const void *bytes, size_t length)
{
	if (!buf_reserve(buf, length))
		return false;
	if (length)
		memcpy(buf->data + buf->length, bytes, length);
	buf->length += length;
	buf->data[buf->length] = '\0';
	return true;
}

bool
buf_text(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

bool
buf_number(struct buf *buf, uint64_t number)
{
	char digits[NUM_TEXT_MAX];

	return buf_text(buf, num_print(number, digits));
}

bool
buf_fill(struct buf *buf, char byte, size_t count)
{
	if (!buf_reserve(buf, count))
		return false;
	memset(buf->data + buf->length, byte, count);
	buf->length += count;
	buf->data[buf->length] = '\0';
	return true;
}

bool
buf_print(struct buf *buf, const char *format, ...)
{
	va_list args;
	va_list again;
	size_t spare = buf->room - buf->length;

	/* most of it fits into the room that there is: formatted once */
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(buf->data ? buf->data + buf->length : NULL, spare, format, args);
	va_end(args);
	bool fits = length >= 0 && buf_reserve(buf, (size_t)length);
	if (fits && (size_t)length >= spare)
		(void)vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
	va_end(again);
	if (fits)
		buf->length += (size_t)length;
	if (buf->data)
		buf->data[buf->length] = '\0';
	return fits;
}

int
buf_whole(const struct buf *buf, const char *what, struct err *err)
{
	if (!buf->over)
		return 0;
	return err_set(err, EFBIG, "%s is larger than %zu bytes", what, buf->max);
}

void
buf_skip(struct buf *buf, size_t count)
{
	if (count > buf->length)
		count = buf->length;
	if (!count)
		return;
	buf->length -= count;
	memmove(buf->data, buf->data + count, buf->length + 1);
}

char *
buf_take(struct buf *buf)
{
	char *data = buf->data ? buf->data : mem_text("");

	*buf = buf_make(buf->max);
	return data;
}

const char *
buf_string(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}
