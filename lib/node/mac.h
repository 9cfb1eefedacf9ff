/* Ethernet addresses. */
#ifndef NODE_MAC_H
#define NODE_MAC_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MAC_BYTES = 6,
	MAC_TEXT_MAX = 18, /* "02:00:00:00:00:01" and its NUL */
};

struct mac {
	uint8_t bytes[MAC_BYTES];
};

bool mac_equal(const struct mac *a, const struct mac *b);
/* Text into out of at least MAC_TEXT_MAX bytes; returns out. */
const char *mac_print(const struct mac *mac, char *out);

#endif
