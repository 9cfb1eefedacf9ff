/* A growing byte buffer that cannot be made without a maximum. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct buf {
	char *data;  /* always NUL-terminated beyond length, once allocated */
	size_t length;
	size_t room;
	size_t max;  /* length never passes it */
	bool over;   /* something did not fit: the content is not whole */
};

/* An empty buffer for at most max bytes; allocates nothing yet. */
struct buf buf_make(size_t max);
#define scoped_buf __attribute__((cleanup(buf_release))) struct buf
/* Frees the bytes; the buffer is empty and usable again. */
void buf_release(struct buf *buf);
/* Empties, keeps the memory. */
void buf_clear(struct buf *buf);

/* Makes room for so many bytes more, once instead of step by step; false, and `over`, when that
 * passes the maximum. */
bool buf_reserve(struct buf *buf, size_t more);
/* Append. Over the maximum nothing is added, `over` is set and false is
 * returned: callers that print a lot check buf_whole once at the end. */
bool buf_add(struct buf *buf, const void *bytes, size_t length);
bool buf_text(struct buf *buf, const char *text);
/* The digits of number. */
bool buf_number(struct buf *buf, uint64_t number);
bool buf_fill(struct buf *buf, char byte, size_t count);
bool buf_print(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 0, or -EFBIG with "WHAT is larger than N bytes". */
int buf_whole(const struct buf *buf, const char *what, struct err *err);
/* Removes the first count bytes (at most all). */
void buf_skip(struct buf *buf, size_t count);
/* The bytes as a string of the caller's (mem_free); the buffer is empty. */
char *buf_take(struct buf *buf);
/* The bytes as a string of the buffer's; "" when empty. */
const char *buf_string(const struct buf *buf);

#endif
