#include "table/json_scan.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "core/num.h"
#include "core/utf8.h"
#include "table/json.h"
#include "table/json_escape.h"
#include "table/json_keys.h"

/* Elements that an array has room for at first: nearly all have one or two. */
enum { ARRAY_ROOM = 4 };

struct scan {
	const char *start, *at, *end;
	const char *what;
	struct err *err;
	struct json_keys keys;
	char *text; /* the string that is being copied, without escapes */
	size_t text_room;
};

static int scan_value(struct scan *scan, unsigned depth, struct json_object **ret_value);

static int
fail(const struct scan *scan, const char *why)
{
	return err_set(scan->err, EBADMSG, "%s is not valid JSON: %s at byte %zu", scan->what,
	    why, (size_t)(scan->at - scan->start));
}

static bool
next_is(const struct scan *scan, char c)
{
	return scan->at < scan->end && *scan->at == c;
}

static void
skip_space(struct scan *scan)
{
	while (next_is(scan, ' ') || next_is(scan, '\n') || next_is(scan, '\t') ||
	    next_is(scan, '\r'))
		scan->at++;
}

/* ---- strings ---- */

static int
scan_escape(struct scan *scan, struct json_string *string)
{
	const char *why;
	uint32_t character;
	size_t size = json_escape(scan->at, (size_t)(scan->end - scan->at), &character, &why);

	if (!size)
		return fail(scan, why);
	string->escaped = true;
	string->nul = string->nul || character == 0;
	scan->at += size;
	return 0;
}

static int
scan_character(struct scan *scan, struct json_string *string)
{
	if (*scan->at == '\\')
		return scan_escape(scan, string);
	if ((uint8_t)*scan->at < 0x20)
		return fail(scan, "a control character in a string");
	size_t size = utf8_character(scan->at, (size_t)(scan->end - scan->at));
	if (!size)
		return fail(scan, "no UTF-8");
	scan->at += size;
	return 0;
}

static int
scan_string(struct scan *scan, struct json_string *ret_string)
{
	struct json_string string = {.text = ++scan->at};

	while (scan->at < scan->end && *scan->at != '"') {
		uint8_t c = (uint8_t)*scan->at;
		int rc = 0;
		if (c >= 0x20 && c < 0x80 && c != '\\')
			scan->at++; /* nearly all that ever comes */
		else
			rc = scan_character(scan, &string);
		if (rc)
			return rc;
	}
	if (scan->at == scan->end)
		return fail(scan, "a string without end");
	string.length = (size_t)(scan->at++ - string.text);
	*ret_string = string;
	return 0;
}

/* The string as C has it, until the next call; a NUL in it is copied as it is. */
static size_t
copy_string(struct scan *scan, const struct json_string *string, const char **ret_text)
{
	size_t length = string->length;

	if (length >= scan->text_room) {
		scan->text_room = length < 256 ? 256 : length + 1;
		scan->text = mem_resize(scan->text, scan->text_room, 1);
	}
	if (string->escaped)
		length = json_unescape(string->text, length, scan->text);
	else
		memcpy(scan->text, string->text, length);
	scan->text[length] = '\0';
	*ret_text = scan->text;
	return length;
}

/* json-c says by NULL that memory ran out, and JSON's null is NULL too. */
static struct json_object *
made(struct json_object *value)
{
	if (!value)
		mem_exhausted();
	return value;
}

static int
take_string(struct scan *scan, struct json_object **ret_value)
{
	struct json_string string;
	int rc = scan_string(scan, &string);

	if (rc)
		return rc;
	const char *text = string.text;
	size_t length = string.escaped ? copy_string(scan, &string, &text) : string.length;
	*ret_value = made(json_object_new_string_len(text, (int)length));
	return 0;
}

/* ---- the same key twice ---- */

static int
fail_twice(const struct scan *scan, const struct json_string *const twice[2])
{
	size_t length = twice[1]->length;

	return err_set(scan->err, EBADMSG,
	    "%s has the key \"%.*s\" twice in one object, at bytes %zu and %zu; keep one of them",
	    scan->what, (int)(length > 64 ? 64 : length), twice[1]->text,
	    (size_t)(twice[0]->text - scan->start), (size_t)(twice[1]->text - scan->start));
}

/* Closes the object whose keys start at first. */
static int
close_keys(struct scan *scan, size_t first)
{
	const struct json_string *twice[2];

	return json_keys_close(&scan->keys, first, twice) ? fail_twice(scan, twice) : 0;
}

static int
scan_key(struct scan *scan, struct json_string *ret_key)
{
	struct json_string *key = ret_key;

	skip_space(scan);
	if (!next_is(scan, '"'))
		return fail(scan, "no key");
	int rc = scan_string(scan, key);
	if (rc)
		return rc;
	if (key->nul)
		return fail(scan, "a NUL character in the key that ends");
	json_keys_add(&scan->keys, key);
	skip_space(scan);
	if (!next_is(scan, ':'))
		return fail(scan, "no ':' behind a key");
	scan->at++;
	return 0;
}

/* ---- values ---- */

/* What follows a member: 1 when there is another, 0 when the end stood there. */
static int
scan_separator(struct scan *scan, char end)
{
	skip_space(scan);
	if (next_is(scan, ',')) {
		scan->at++;
		return 1;
	}
	if (!next_is(scan, end))
		return fail(scan, end == '}' ? "no ',' or '}' in an object" : "no ',' or ']' in an array");
	scan->at++;
	return 0;
}

/* A key that stands twice takes the other's place until close_keys finds it: told that all
 * are new, json-c would walk past each earlier one. */
static int
scan_member(struct scan *scan, unsigned depth, struct json_object *object)
{
	struct json_object *value = NULL;
	struct json_string key;
	const char *name;
	int rc = scan_key(scan, &key);

	if (!rc)
		rc = scan_value(scan, depth, &value);
	if (rc)
		return rc;
	(void)copy_string(scan, &key, &name);
	if (json_object_object_add_ex(object, name, value, 0))
		mem_exhausted();
	return 0;
}

static int
scan_object(struct scan *scan, unsigned depth, struct json_object *object)
{
	size_t first = scan->keys.count;
	int rc = 1;

	scan->at++;
	skip_space(scan);
	if (next_is(scan, '}')) {
		scan->at++;
		return 0;
	}
	while (rc == 1) {
		rc = scan_member(scan, depth, object);
		if (!rc)
			rc = scan_separator(scan, '}');
	}
	return rc ? rc : close_keys(scan, first);
}

static int
scan_array(struct scan *scan, unsigned depth, struct json_object *array)
{
	int rc = 1;

	scan->at++;
	skip_space(scan);
	if (next_is(scan, ']')) {
		scan->at++;
		return 0;
	}
	while (rc == 1) {
		struct json_object *value = NULL;
		rc = scan_value(scan, depth, &value);
		if (!rc && json_object_array_add(array, value))
			mem_exhausted();
		if (!rc)
			rc = scan_separator(scan, ']');
	}
	return rc;
}

static size_t
skip_digits(struct scan *scan)
{
	const char *first = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (size_t)(scan->at - first);
}

/* The number, or NULL: 64 bits cannot hold it, and json-c would make the nearest one that
 * it has out of it. */
static struct json_object *
make_whole(const char *text, size_t length)
{
	size_t sign = text[0] == '-';
	uint64_t number;

	if (num_parse(text + sign, length - sign, (uint64_t)INT64_MAX + sign, "", &number, NULL))
		return NULL;
	return made(json_object_new_int64((int64_t)(sign ? 0 - number : number)));
}

static struct json_object *
make_double(const char *text, size_t length)
{
	char copy[JSON_NUMBER_MAX + 1];

	if (length > JSON_NUMBER_MAX)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	double number = strtod(copy, NULL);
	/* it is printed as it was written */
	return isfinite(number) ? made(json_object_new_double_s(number, copy)) : NULL;
}

static int
scan_number(struct scan *scan, struct json_object **ret_value)
{
	const char *first = scan->at;
	bool whole = true;

	scan->at += next_is(scan, '-');
	const char *digits = scan->at;
	if (skip_digits(scan) == 0)
		return fail(scan, "no value");
	if (digits[0] == '0' && scan->at - digits > 1)
		return fail(scan, "a number with a leading zero");
	if (next_is(scan, '.')) {
		whole = false;
		scan->at++;
		if (skip_digits(scan) == 0)
			return fail(scan, "no digit behind a point");
	}
	if (next_is(scan, 'e') || next_is(scan, 'E')) {
		whole = false;
		scan->at++;
		scan->at += next_is(scan, '+') || next_is(scan, '-');
		if (skip_digits(scan) == 0)
			return fail(scan, "no digit in an exponent");
	}
	size_t length = (size_t)(scan->at - first);
	*ret_value = whole ? make_whole(first, length) : make_double(first, length);
	return *ret_value ? 0 : fail(scan, "a number that 64 bits cannot hold");
}

static bool
take_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

static int
scan_word(struct scan *scan, struct json_object **ret_value)
{
	bool yes = take_word(scan, "true");

	if (yes || take_word(scan, "false")) {
		*ret_value = made(json_object_new_boolean(yes));
		return 0;
	}
	*ret_value = NULL;
	return take_word(scan, "null") ? 0 : scan_number(scan, ret_value);
}

/* depth is the number of arrays and objects around it. *ret_value is written on success. */
static int
scan_value(struct scan *scan, unsigned depth, struct json_object **ret_value)
{
	scoped_json *parent = NULL;
	int rc;

	skip_space(scan);
	char c = scan->at < scan->end ? *scan->at : '\0';
	if (c == '"')
		return take_string(scan, ret_value);
	if (c != '{' && c != '[')
		return scan_word(scan, ret_value);
	if (depth == JSON_DEPTH_MAX)
		return fail(scan, "too deep nesting");
	if (c == '{') {
		parent = made(json_object_new_object());
		rc = scan_object(scan, depth + 1, parent);
	} else {
		parent = made(json_object_new_array_ext(ARRAY_ROOM));
		rc = scan_array(scan, depth + 1, parent);
	}
	if (!rc)
		*ret_value = mem_take(&parent);
	return rc;
}

int
json_scan(const char *text, size_t length, const char *what,
    struct json_object **ret_value, struct err *err)
{
	struct scan scan = {
	    .start = text, .at = text, .end = text + length, .what = what, .err = err};
	scoped_json *value = NULL;
	int rc = scan_value(&scan, 0, &value);

	skip_space(&scan);
	if (!rc && scan.at < scan.end)
		rc = fail(&scan, "something behind the value");
	json_keys_release(&scan.keys);
	mem_free(scan.text);
	if (!rc)
		*ret_value = mem_take(&value);
	return rc;
}
