/* Whole JSON answers of the API server. Private to lib/net: json_parse of
 * lib/table is for our own documents, which are flatter. */
#ifndef NET_API_JSON_H
#define NET_API_JSON_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "core/err.h"

/* One object in length bytes, strict, at most API_JSON_DEPTH_MAX deep, UTF-8 checked, only space behind it.
 * Returns 0 (the caller puts *ret_value) or -EBADMSG. */
int api_json_parse(const char *text, size_t length, struct json_object **ret_value,
    struct err *err);

#endif
