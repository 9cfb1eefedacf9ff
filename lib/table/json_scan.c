#include "table/json_scan.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/bounds.h"
#include "core/mem.h"
#include "core/num.h"
#include "core/utf8.h"
#include "table/json_escape.h"

/* A string's bytes between its quotes, as they stand there. */
struct string {
	const char *text;
	size_t length;
	bool escaped;
	bool nul;
};

struct scan {
	const char *start, *at, *end;
	const char *what;
	struct err *err;
	struct string *keys; /* of all open objects, the innermost last */
	size_t key_count, key_room;
};

static int scan_value(struct scan *scan, unsigned depth);

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
scan_escape(struct scan *scan, struct string *string)
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
scan_character(struct scan *scan, struct string *string)
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
scan_string(struct scan *scan, struct string *ret_string)
{
	struct string string = {.text = ++scan->at};

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

/* ---- the same key twice ---- */

/* The plain comparison has the same order as the other: UTF-8 sorts by code point. */
static int
compare_keys(const void *a, const void *b)
{
	const struct string *left = a;
	const struct string *right = b;
	size_t shorter = left->length < right->length ? left->length : right->length;

	if (left->escaped || right->escaped)
		return json_escaped_compare(
		    left->text, left->length, right->text, right->length);
	int order = memcmp(left->text, right->text, shorter);
	return order ? order : (left->length > right->length) - (left->length < right->length);
}

static int
fail_twice(const struct scan *scan, const struct string *a, const struct string *b)
{
	const struct string *first = a->text < b->text ? a : b;
	const struct string *second = first == a ? b : a;

	return err_set(scan->err, EBADMSG,
	    "%s has the key \"%.*s\" twice in one object, at bytes %zu and %zu; keep one of them",
	    scan->what, (int)(second->length > 64 ? 64 : second->length), second->text,
	    (size_t)(first->text - scan->start), (size_t)(second->text - scan->start));
}

/* Closes the object whose keys start at first. */
static int
close_keys(struct scan *scan, size_t first)
{
	struct string *keys = scan->keys + first;
	size_t count = scan->key_count - first;

	scan->key_count = first;
	if (count < 2)
		return 0;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 1; i < count; i++)
		if (compare_keys(&keys[i - 1], &keys[i]) == 0)
			return fail_twice(scan, &keys[i - 1], &keys[i]);
	return 0;
}

static int
scan_key(struct scan *scan)
{
	struct string key;

	skip_space(scan);
	if (!next_is(scan, '"'))
		return fail(scan, "no key");
	int rc = scan_string(scan, &key);
	if (rc)
		return rc;
	if (key.nul)
		return fail(scan, "a NUL character in the key that ends");
	if (scan->key_count == scan->key_room) {
		scan->key_room = scan->key_room ? scan->key_room * 2 : 32;
		scan->keys = mem_resize(scan->keys, scan->key_room, sizeof(*scan->keys));
	}
	scan->keys[scan->key_count++] = key;
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

static int
scan_object(struct scan *scan, unsigned depth)
{
	size_t first = scan->key_count;
	int rc = 1;

	scan->at++;
	skip_space(scan);
	if (next_is(scan, '}')) {
		scan->at++;
		return 0;
	}
	while (rc == 1) {
		rc = scan_key(scan);
		if (!rc)
			rc = scan_value(scan, depth);
		if (!rc)
			rc = scan_separator(scan, '}');
	}
	return rc ? rc : close_keys(scan, first);
}

static int
scan_array(struct scan *scan, unsigned depth)
{
	int rc = 1;

	scan->at++;
	skip_space(scan);
	if (next_is(scan, ']')) {
		scan->at++;
		return 0;
	}
	while (rc == 1) {
		rc = scan_value(scan, depth);
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

/* json-c makes the nearest number that it has out of one that does not fit. */
static bool
number_fits(const char *text, size_t length, bool whole)
{
	char copy[JSON_NUMBER_MAX + 1];
	size_t sign = text[0] == '-';
	uint64_t number;

	if (whole)
		return num_parse(text + sign, length - sign, (uint64_t)INT64_MAX + sign, "",
		    &number, NULL) == 0;
	if (length > JSON_NUMBER_MAX)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return isfinite(strtod(copy, NULL));
}

static int
scan_number(struct scan *scan)
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
	if (!number_fits(first, (size_t)(scan->at - first), whole))
		return fail(scan, "a number that 64 bits cannot hold");
	return 0;
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

/* depth is the number of arrays and objects around it. */
static int
scan_value(struct scan *scan, unsigned depth)
{
	struct string string;

	skip_space(scan);
	char c = scan->at < scan->end ? *scan->at : '\0';
	if (c == '"')
		return scan_string(scan, &string);
	if ((c == '{' || c == '[') && depth == JSON_DEPTH_MAX)
		return fail(scan, "too deep nesting");
	if (c == '{')
		return scan_object(scan, depth + 1);
	if (c == '[')
		return scan_array(scan, depth + 1);
	if (take_word(scan, "true") || take_word(scan, "false") || take_word(scan, "null"))
		return 0;
	return scan_number(scan);
}

int
json_scan(const char *text, size_t length, const char *what, struct err *err)
{
	struct scan scan = {
	    .start = text, .at = text, .end = text + length, .what = what, .err = err};
	int rc = scan_value(&scan, 0);

	skip_space(&scan);
	if (!rc && scan.at < scan.end)
		rc = fail(&scan, "something behind the value");
	mem_free(scan.keys);
	return rc;
}
