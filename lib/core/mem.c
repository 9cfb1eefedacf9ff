#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"

static void (*exhausted_handler)(void);

void
mem_on_exhausted(void (*handler)(void))
{
	exhausted_handler = handler;
}

void
mem_exhausted(void)
{
	if (exhausted_handler)
		exhausted_handler();
	(void)fputs("out of memory\n", stderr);
	abort();
}

static void *
check(void *memory)
{
	if (!memory)
		mem_exhausted();
	return memory;
}

void *
mem_new(size_t count, size_t size)
{
	return check(calloc(count ? count : 1, size ? size : 1));
}

void *
mem_resize(void *memory, size_t count, size_t size)
{
	return check(reallocarray(memory, count ? count : 1, size ? size : 1));
}

char *
mem_text(const char *text)
{
	return text ? check(strdup(text)) : NULL;
}

char *
mem_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	return check(length < 0 ? NULL : text);
}

char *
mem_join(const char *first, ...)
{
	size_t length = strlen(first);
	va_list texts;
	va_list again;

	va_start(texts, first);
	va_copy(again, texts);
	for (const char *text; (text = va_arg(again, const char *));)
		length += strlen(text);
	va_end(again);
	char *joined = check(malloc(length + 1));
	size_t used = text_join(joined, length + 1, first, NULL);
	(void)text_join_list(joined + used, length + 1 - used, texts);
	va_end(texts);
	return joined;
}

void
mem_free(void *memory)
{
	free(memory);
}

void
mem_cleanup_free(void *pointer_to_pointer)
{
	void *memory;

	memcpy(&memory, pointer_to_pointer, sizeof(memory));
	free(memory);
}

void
mem_cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* what had to be checked was closed before */
}

void *
mem_take(void *pointer_to_pointer)
{
	void *memory;
	void *null = NULL;

	memcpy(&memory, pointer_to_pointer, sizeof(memory));
	memcpy(pointer_to_pointer, &null, sizeof(null));
	return memory;
}

int
mem_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
