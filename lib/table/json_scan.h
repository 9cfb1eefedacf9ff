/* JSON into json-c's tree, in one walk: json-c's own reader takes for JSON what RFC 8259
 * does not, or in a way that two readers can understand differently, and costs twice as
 * much. */
#ifndef TABLE_JSON_SCAN_H
#define TABLE_JSON_SCAN_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "core/err.h"

/* Reads length bytes of text (at most INT_MAX) that are exactly one JSON value (RFC 8259) in
 * well-formed UTF-8, with space around it, and beyond the grammar:
 *   - at most JSON_DEPTH_MAX arrays and objects inside each other;
 *   - no key twice in one object, however it is escaped ("a" is "\u0061"): json-c keeps
 *     the last, others the first;
 *   - no NUL in a key: json-c cuts it there;
 *   - escaped surrogates come in pairs;
 *   - numbers fit int64_t, those with a fraction or exponent a finite double, and have at
 *     most JSON_NUMBER_MAX bytes.
 * The tree is what json-c's reader would have made of it. Returns 0 (the caller puts
 * *ret_value; NULL is JSON's null), or -EBADMSG with "WHAT …" and the position, a number of
 * bytes from the start. Costs O(n log n) at worst. */
int json_scan(const char *text, size_t length, const char *what,
    struct json_object **ret_value, struct err *err);

#endif
