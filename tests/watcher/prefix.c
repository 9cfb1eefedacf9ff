#include "prefix.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

const char *
address_print(const struct address *address, char out[static INET6_ADDRSTRLEN])
{
	int family = address->length == 4 ? AF_INET : AF_INET6;

	return inet_ntop(family, address->bytes, out, INET6_ADDRSTRLEN);
}

bool
address_same(const struct address *a, const struct address *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

bool
prefix_has(const struct prefix *prefix, const struct address *address)
{
	unsigned whole = prefix->bits / 8;
	unsigned rest = prefix->bits % 8;

	if (prefix->address.length != address->length ||
	    memcmp(prefix->address.bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       (prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

bool
number_parse(const char *text, unsigned max, unsigned *ret_number)
{
	char *end = NULL;
	unsigned long number = strtoul(text, &end, 10);

	if (!*text || *end || number > max)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

bool
prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char address[INET6_ADDRSTRLEN] = "";
	const char *slash = strchr(text, '/');
	struct prefix prefix = {.address = {.length = strchr(text, ':') ? 16 : 4}};

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	if (inet_pton(prefix.address.length == 4 ? AF_INET : AF_INET6, address,
		prefix.address.bytes) != 1 ||
	    !number_parse(slash + 1, prefix.address.length * 8u, &prefix.bits))
		return false;
	*ret_prefix = prefix;
	return true;
}
