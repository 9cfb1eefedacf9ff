#include "core/err.h"

#include <stdio.h>
#include <string.h>

/* Cuts at the size with a visible mark: half a sentence must not pass for one. */
__attribute__((format(printf, 3, 0))) static void
print_bounded(char *text, size_t size, const char *format, va_list args)
{
	int length = vsnprintf(text, size, format, args);

	if (length >= (int)size)
		memcpy(text + size - 4, "...", 4);
}

int
err_append(struct err *err, const char *text)
{
	if (!err)
		return -1;
	size_t used = strlen(err->text);
	if (used + strlen(text) < sizeof(err->text))
		memcpy(err->text + used, text, strlen(text) + 1);
	return -err->code;
}

int
err_set(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return -code;
	err->code = code;
	va_start(args, format);
	print_bounded(err->text, sizeof(err->text), format, args);
	va_end(args);
	return -code;
}

int
err_errno(struct err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return -code;
	err->code = code;
	va_start(args, format);
	print_bounded(err->text, sizeof(err->text), format, args);
	va_end(args);
	(void)err_append(err, ": ");
	return err_append(err, strerrordesc_np(code) ? strerrordesc_np(code) : "unknown error");
}

int
err_wrap(struct err *err, const char *format, ...)
{
	char inner[ERR_TEXT_MAX];
	va_list args;

	if (!err)
		return -1;
	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	print_bounded(err->text, sizeof(err->text), format, args);
	va_end(args);
	size_t used = strlen(err->text);
	int length = snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	if (length >= (int)(sizeof(err->text) - used))
		memcpy(err->text + sizeof(err->text) - 4, "...", 4);
	return -err->code;
}
