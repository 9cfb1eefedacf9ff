/* What json-c takes for JSON although RFC 8259 does not, or takes in a way that two
 * readers can understand differently: found before it builds its tree. */
#ifndef TABLE_JSON_SCAN_H
#define TABLE_JSON_SCAN_H

#include <stddef.h>

#include "core/err.h"

/* Whether length bytes of text are exactly one JSON value (RFC 8259) in well-formed
 * UTF-8, with space around it, and beyond the grammar:
 *   - at most JSON_DEPTH_MAX arrays and objects inside each other;
 *   - no key twice in one object, however it is escaped ("a" is "\u0061"): json-c keeps
 *     the last, others the first;
 *   - no NUL in a key: json-c cuts it there;
 *   - escaped surrogates come in pairs;
 *   - numbers fit int64_t, those with a fraction or exponent a finite double, and have at
 *     most JSON_NUMBER_MAX bytes.
 * Returns 0, or -EBADMSG with "WHAT …" and the position, a number of bytes from the start.
 * Costs O(n log n) at worst; allocates only the list of keys that are in open objects. */
int json_scan(const char *text, size_t length, const char *what, struct err *err);

#endif
