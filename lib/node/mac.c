#include "node/mac.h"

#include <errno.h>
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

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

int
mac_parse(const char *text, size_t length, struct mac *ret_mac, struct err *err)
{
	struct mac mac = {{0}};
	bool good = length == MAC_TEXT_MAX - 1;

	for (size_t i = 0; good && i < MAC_BYTES; i++) {
		const char *at = text + 3 * i;
		int high = digit(at[0]);
		int low = digit(at[1]);
		good = high >= 0 && low >= 0 && (i == MAC_BYTES - 1 || at[2] == ':');
		mac.bytes[i] = (uint8_t)(high * 16 + low);
	}
	if (!good)
		return err_set(err, EINVAL, "'%.40s' is no MAC; it looks like 02:00:00:00:00:01",
		    text);
	*ret_mac = mac;
	return 0;
}
