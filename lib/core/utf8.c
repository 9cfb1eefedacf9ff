#include "core/utf8.h"

#include <stdint.h>
#include <string.h>

/* The forms of RFC 3629, section 4: first byte, range of the second (which keeps
 * out overlong forms, surrogates and what is above U+10FFFF), length. */
struct form {
	uint8_t first_low, first_high, second_low, second_high, length;
};
static const struct form forms[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct form *
form_of(uint8_t first)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (first >= forms[i].first_low && first <= forms[i].first_high)
			return &forms[i];
	return NULL;
}

size_t
utf8_character(const char *text, size_t length)
{
	const uint8_t *bytes = (const uint8_t *)text;

	if (bytes[0] < 0x80)
		return 1;
	const struct form *form = form_of(bytes[0]);
	if (!form || length < form->length)
		return 0;
	if (bytes[1] < form->second_low || bytes[1] > form->second_high)
		return 0;
	for (size_t i = 2; i < form->length; i++)
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
	return form->length;
}

bool
utf8_valid(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t size = utf8_character(text, left);
		if (!size)
			return false;
		text += size;
		left -= size;
	}
	return true;
}

void
utf8_clean(const char *text, size_t length, struct buf *out)
{
	size_t right = 0; /* bytes from text on that are valid */

	while (right < length) {
		size_t size = utf8_character(text + right, length - right);
		right += size;
		if (size)
			continue;
		(void)buf_add(out, text, right); /* the caller asks buf_whole */
		(void)buf_text(out, "\xef\xbf\xbd");
		text += right + 1;
		length -= right + 1;
		right = 0;
	}
	(void)buf_add(out, text, right);
}
