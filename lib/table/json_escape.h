/* Strings of JSON as they stand between their quotes. */
#ifndef TABLE_JSON_ESCAPE_H
#define TABLE_JSON_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* The character that the escape at text, a backslash, stands for. Returns the escape's
 * length: 2, 6, or 12 for a surrogate pair; 0 when the at most length bytes there are no
 * escape, and then *ret_why says why. */
size_t json_escape(
    const char *text, size_t length, uint32_t *ret_character, const char **ret_why);

/* Writes the string that length bytes, well-formed, stand for: UTF-8, without a NUL at its
 * end, and never longer than them. Returns its length. */
size_t json_unescape(const char *text, size_t length, char *out);

/* Compares two well-formed strings by their characters, however they are escaped. The
 * order is that of strcmp on unescaped UTF-8. */
int json_escaped_compare(
    const char *a, size_t a_length, const char *b, size_t b_length);

#endif
