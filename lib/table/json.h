/* Strict reading of JSON objects: every refusal names where it is. */
#ifndef TABLE_JSON_H
#define TABLE_JSON_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* Parses exactly one JSON value in length bytes, as strictly as json_scan.h says. what
 * names the text in errors. Returns 0 (the caller puts *ret_value) or -EBADMSG. */
int json_parse(const char *text, size_t length, const char *what,
    struct json_object **ret_value, struct err *err);

/* The member of an object, of the wanted type. A missing or null member gives 0
 * and leaves *ret as it was, unless required (then -EINVAL). Another type, a text
 * longer than max bytes or with a NUL in it, or a number outside 0..max is
 * -EINVAL: "WHERE.KEY: ...". Returned pointers are the object's. */
int json_get_text(struct json_object *object, const char *key, const char *where,
    bool required, size_t max, const char **ret, struct err *err);
int json_get_number(struct json_object *object, const char *key, const char *where,
    bool required, uint64_t max, uint64_t *ret, struct err *err);
int json_get_bool(struct json_object *object, const char *key, const char *where,
    bool *ret, struct err *err);
int json_get_object(struct json_object *object, const char *key, const char *where,
    bool required, struct json_object **ret, struct err *err);
/* max is the largest number of elements. */
int json_get_array(struct json_object *object, const char *key, const char *where,
    bool required, size_t max, struct json_object **ret, struct err *err);

/* Reads a path of member names ("metadata.name") as text; NULL when any step is
 * missing or no text, or the text has a NUL in it. For objects whose schema the API
 * server has checked. */
const char *json_path_text(struct json_object *object, const char *path);
int64_t json_path_number(struct json_object *object, const char *path, int64_t otherwise);
struct json_object *json_path(struct json_object *object, const char *path);

/* Adds members to an object that is being made; NULL text adds nothing. */
void json_put_text(struct json_object *object, const char *key, const char *text);
void json_put_number(struct json_object *object, const char *key, uint64_t number);
/* Compact text without escaped slashes; the object's memory. */
const char *json_print(struct json_object *object);

#define scoped_json __attribute__((cleanup(json_cleanup))) struct json_object
void json_cleanup(struct json_object **object);

#endif
