/* UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

/* The length in bytes of the character at text, of at most length bytes (at least
 * 1); 0 when it is none. */
size_t utf8_character(const char *text, size_t length);

/* Whether all of text is well-formed. */
bool utf8_valid(const char *text);

/* Makes text from anywhere fit for JSON: appends it with each byte that is no part of
 * well-formed UTF-8 replaced by U+FFFD. */
void utf8_clean(const char *text, size_t length, struct buf *out);

#endif
