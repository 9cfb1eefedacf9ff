/* Strict decimal numbers: digits only, no sign, no space, no leading zero. */
#ifndef CORE_NUM_H
#define CORE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

/* Parses exactly length bytes of text as a number from 0 to max. Returns 0, or
 * -EINVAL with "WHAT: '…' is not a number from 0 to MAX". */
int num_parse(const char *text, size_t length, uint64_t max, const char *what,
    uint64_t *ret_number, struct err *err);

/* The digits of 2^64 - 1 and a NUL. */
enum { NUM_TEXT_MAX = 21 };
/* Writes number to the end of out; returns where it starts. */
const char *num_print(uint64_t number, char out[NUM_TEXT_MAX]);

#endif
