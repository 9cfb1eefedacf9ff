#include "table/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "core/bounds.h"
#include "table/json_scan.h"

void
json_cleanup(struct json_object **object)
{
	json_object_put(*object);
}

int
json_parse(const char *text, size_t length, const char *what,
    struct json_object **ret_value, struct err *err)
{
	if (length == 0)
		return err_set(err, EBADMSG, "%s is empty", what);
	if (length > INT_MAX)
		return err_set(err, EBADMSG, "%s is not JSON text", what);
	return json_scan(text, length, what, ret_value, err);
}

/* 1 and the member; 0 when it is missing or null; -EINVAL when that is wrong. */
static int
member(struct json_object *object, const char *key, const char *where, bool required,
    enum json_type type, struct json_object **ret, struct err *err)
{
	struct json_object *found = NULL;

	if (!json_object_is_type(object, json_type_object))
		return err_set(err, EINVAL, "%s is not an object", where);
	if (!json_object_object_get_ex(object, key, &found) || !found) {
		if (required)
			return err_set(err, EINVAL, "%s.%s is missing", where, key);
		return 0;
	}
	if (!json_object_is_type(found, type))
		return err_set(err, EINVAL, "%s.%s is of type %s, not %s", where, key,
		    json_type_to_name(json_object_get_type(found)), json_type_to_name(type));
	*ret = found;
	return 1;
}

int
json_get_text(struct json_object *object, const char *key, const char *where,
    bool required, size_t max, const char **ret, struct err *err)
{
	struct json_object *found;
	int rc = member(object, key, where, required, json_type_string, &found, err);

	if (rc <= 0)
		return rc;
	const char *text = json_object_get_string(found);
	size_t length = (size_t)json_object_get_string_len(found);
	if (length > max)
		return err_set(err, EINVAL, "%s.%s is longer than %zu bytes", where, key, max);
	if (strlen(text) != length)
		return err_set(err, EINVAL, "%s.%s has a NUL character", where, key);
	*ret = text;
	return 0;
}

int
json_get_number(struct json_object *object, const char *key, const char *where,
    bool required, uint64_t max, uint64_t *ret, struct err *err)
{
	struct json_object *found;
	int rc = member(object, key, where, required, json_type_int, &found, err);

	if (rc <= 0)
		return rc;
	int64_t number = json_object_get_int64(found);
	if (number < 0 || (uint64_t)number > max)
		return err_set(err, EINVAL, "%s.%s is not a number from 0 to %llu", where, key,
		    (unsigned long long)max);
	*ret = (uint64_t)number;
	return 0;
}

int
json_get_bool(struct json_object *object, const char *key, const char *where, bool *ret,
    struct err *err)
{
	struct json_object *found;
	int rc = member(object, key, where, false, json_type_boolean, &found, err);

	if (rc > 0)
		*ret = json_object_get_boolean(found);
	return rc < 0 ? rc : 0;
}

int
json_get_object(struct json_object *object, const char *key, const char *where,
    bool required, struct json_object **ret, struct err *err)
{
	int rc = member(object, key, where, required, json_type_object, ret, err);

	return rc < 0 ? rc : 0;
}

int
json_get_array(struct json_object *object, const char *key, const char *where,
    bool required, size_t max, struct json_object **ret, struct err *err)
{
	struct json_object *found;
	int rc = member(object, key, where, required, json_type_array, &found, err);

	if (rc <= 0)
		return rc;
	if (json_object_array_length(found) > max)
		return err_set(err, EINVAL, "%s.%s has %zu elements, at most %zu are allowed",
		    where, key, json_object_array_length(found), max);
	*ret = found;
	return 0;
}

struct json_object *
json_path(struct json_object *object, const char *path)
{
	char key[64];

	while (object && *path) {
		size_t length = strcspn(path, ".");
		if (length >= sizeof(key))
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		if (!json_object_is_type(object, json_type_object) ||
		    !json_object_object_get_ex(object, key, &object))
			return NULL;
		path += length + (path[length] == '.');
	}
	return object;
}

const char *
json_path_text(struct json_object *object, const char *path)
{
	struct json_object *found = json_path(object, path);

	if (!json_object_is_type(found, json_type_string))
		return NULL;
	const char *text = json_object_get_string(found);
	return strlen(text) == (size_t)json_object_get_string_len(found) ? text : NULL;
}

int64_t
json_path_number(struct json_object *object, const char *path, int64_t otherwise)
{
	struct json_object *found = json_path(object, path);

	return json_object_is_type(found, json_type_int) ? json_object_get_int64(found) : otherwise;
}

void
json_put_text(struct json_object *object, const char *key, const char *text)
{
	if (text)
		json_object_object_add(object, key, json_object_new_string(text));
}

void
json_put_number(struct json_object *object, const char *key, uint64_t number)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)number));
}

const char *
json_print(struct json_object *object)
{
	return json_object_to_json_string_ext(
	    object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
