/* Ethernet addresses. */
#ifndef NODE_MAC_H
#define NODE_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

enum {
	MAC_BYTES = 6,
	MAC_TEXT_MAX = 18, /* "02:00:00:00:00:01" and its NUL */
};

struct mac {
	uint8_t bytes[MAC_BYTES];
};

/* Exactly what mac_print writes: 0, or -EINVAL. */
int mac_parse(const char *text, size_t length, struct mac *ret_mac, struct err *err);
bool mac_equal(const struct mac *a, const struct mac *b);
/* Text into out of at least MAC_TEXT_MAX bytes; returns out. */
const char *mac_print(const struct mac *mac, char *out);

#endif
