/* Addresses and prefixes as texts. */
#ifndef WATCHER_PREFIX_H
#define WATCHER_PREFIX_H

#include <netinet/in.h>
#include <stdbool.h>

#include "netns.h"

struct prefix {
	struct address address;
	unsigned bits;
};

/* Returns out. */
const char *address_print(
    const struct address *address, char out[static INET6_ADDRSTRLEN]);
bool address_same(const struct address *a, const struct address *b);

/* Whether the address lies in it. */
bool prefix_has(const struct prefix *prefix, const struct address *address);
/* "10.244.0.0/16"; false: it is none, and nothing is written. */
bool prefix_parse(const char *text, struct prefix *ret_prefix);

/* A decimal number of at most max; false: it is none, and nothing is written. */
bool number_parse(const char *text, unsigned max, unsigned *ret_number);

#endif
