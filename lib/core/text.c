#include "core/text.h"

#include <string.h>

size_t
text_join_list(char *out, size_t size, va_list texts)
{
	size_t length = 0;

	for (const char *text; (text = va_arg(texts, const char *));) {
		size_t more = strlen(text);
		size_t spare = length < size - 1 ? size - 1 - length : 0;
		if (spare)
			memcpy(out + length, text, more < spare ? more : spare);
		length += more;
	}
	out[length < size ? length : size - 1] = '\0';
	return length;
}

size_t
text_join(char *out, size_t size, ...)
{
	va_list texts;

	va_start(texts, size);
	size_t length = text_join_list(out, size, texts);
	va_end(texts);
	return length;
}
