/* The one error type: a code and one sentence that names subject and reason. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#include "core/bounds.h"

/* Codes are errno values; those above ERR_CODE_OWN belong to the component that
 * sets them (errno ends at 4095, linux/err.h MAX_ERRNO). */
enum { ERR_CODE_OWN = 4096 };

struct err {
	int code; /* positive; 0 = nothing was set */
	char text[ERR_TEXT_MAX];
};

/* Sets code and sentence (no capital, no full stop; longer text is cut with
 * "...") and returns -code, for `return err_set(...)`. err may be NULL. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Same, and ends the sentence with ": " and strerror(code). */
int err_errno(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "what: " in front of the sentence and returns -err->code. */
int err_wrap(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts text behind the sentence, as far as there is room; returns -err->code. */
int err_append(struct err *err, const char *text);

#endif
