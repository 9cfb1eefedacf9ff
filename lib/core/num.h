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

#endif
