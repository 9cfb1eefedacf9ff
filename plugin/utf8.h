/* Text from anywhere made fit for JSON. */
#ifndef PLUGIN_UTF8_H
#define PLUGIN_UTF8_H

#include <stddef.h>

#include "core/buf.h"

/* Appends text with each byte that is no part of well-formed UTF-8 (RFC 3629)
 * replaced by U+FFFD. */
void utf8_clean(const char *text, size_t length, struct buf *out);

#endif
