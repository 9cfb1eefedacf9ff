#include "node/mac.h"

#include <stdio.h>
#include <string.h>

bool
mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->bytes, b->bytes, MAC_BYTES) == 0;
}

const char *
mac_print(const struct mac *mac, char *out)
{
	const uint8_t *b = mac->bytes;

	(void)snprintf(out, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2],
	    b[3], b[4], b[5]);
	return out;
}
