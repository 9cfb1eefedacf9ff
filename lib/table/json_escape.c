#include "table/json_escape.h"

#include <stdbool.h>
#include <string.h>

#include "core/utf8.h"

static bool
hex4(const char *text, size_t length, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	if (length < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = text[i];
		if (c >= '0' && c <= '9')
			unit = unit * 16 + (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			unit = unit * 16 + (uint32_t)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			unit = unit * 16 + (uint32_t)(c - 'A') + 10;
		else
			return false;
	}
	*ret_unit = unit;
	return true;
}

/* The surrogates of UTF-16, RFC 2781, section 2. */
static bool
is_high(uint32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low(uint32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

static size_t
unicode_escape(
    const char *text, size_t length, uint32_t *ret_character, const char **ret_why)
{
	uint32_t unit;
	uint32_t low;

	if (!hex4(text + 2, length - 2, &unit)) {
		*ret_why = "\\u without four hexadecimal digits";
		return 0;
	}
	if (!is_high(unit) && !is_low(unit)) {
		*ret_character = unit;
		return 6;
	}
	if (is_low(unit) || length < 12 || text[6] != '\\' || text[7] != 'u' ||
	    !hex4(text + 8, length - 8, &low) || !is_low(low)) {
		*ret_why = "half a surrogate pair";
		return 0;
	}
	*ret_character = 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
	return 12;
}

size_t
json_escape(const char *text, size_t length, uint32_t *ret_character, const char **ret_why)
{
	static const char letters[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
	static const char meanings[] = {'"', '\\', '/', '\b', '\f', '\n', '\r', '\t'};

	if (length >= 2 && text[1] == 'u')
		return unicode_escape(text, length, ret_character, ret_why);
	const char *letter = length >= 2 ? memchr(letters, text[1], sizeof(letters)) : NULL;
	if (!letter) {
		*ret_why = "an escape that JSON does not have";
		return 0;
	}
	*ret_character = (uint32_t)meanings[letter - letters];
	return 2;
}

/* The next character of a well-formed string; what is not well-formed is taken byte by
 * byte, so that a caller's mistake does not loop. */
static uint32_t
take_character(const char **at, const char *end)
{
	const uint8_t *bytes = (const uint8_t *)*at;
	size_t length = (size_t)(end - *at);
	const char *why;
	uint32_t character = bytes[0];
	size_t size;

	if (bytes[0] == '\\') {
		size = json_escape(*at, length, &character, &why);
	} else {
		size = utf8_character(*at, length);
		if (size > 1)
			character &= 0x7fu >> size;
		for (size_t i = 1; i < size; i++)
			character = character * 64 + (bytes[i] & 0x3f);
	}
	*at += size ? size : 1;
	return character;
}

int
json_escaped_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	const char *a_end = a + a_length;
	const char *b_end = b + b_length;

	while (a < a_end && b < b_end) {
		uint32_t of_a = take_character(&a, a_end);
		uint32_t of_b = take_character(&b, b_end);
		if (of_a != of_b)
			return of_a < of_b ? -1 : 1;
	}
	return (a < a_end) - (b < b_end);
}

/* RFC 3629, section 3. */
static size_t
write_character(uint32_t character, char *out)
{
	if (character < 0x80) {
		out[0] = (char)character;
		return 1;
	}
	size_t size = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
	for (size_t i = size - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (character & 0x3f));
		character >>= 6;
	}
	out[0] = (char)((0xf00u >> size & 0xff) | character);
	return size;
}

size_t
json_unescape(const char *text, size_t length, char *out)
{
	const char *end = text + length;
	char *begin = out;

	while (text < end) {
		uint32_t character = 0;
		const char *why;
		size_t size = *text == '\\'
		    ? json_escape(text, (size_t)(end - text), &character, &why)
		    : 0;
		if (size)
			out += write_character(character, out);
		else
			*out++ = *text;
		text += size ? size : 1;
	}
	return (size_t)(out - begin);
}
