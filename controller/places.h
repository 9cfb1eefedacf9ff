/* Where addresses are published: which keys of which buckets have them, in the
 * API server's tables or in a write under way. Pure. */
#ifndef CONTROLLER_PLACES_H
#define CONTROLLER_PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tree.h"
#include "table/ip.h"

struct places {
	struct tree tree;
};

struct places places_make(void);
void places_release(struct places *places);

/* Adds or removes each address of each row of a verified table. Both count: what
 * was added twice must be removed twice. */
void places_add(struct places *places, unsigned bucket, const char *text, size_t length);
void places_remove(struct places *places, unsigned bucket, const char *text, size_t length);

/* Whether the address is published on this key's network in another bucket (and so
 * under another key). */
bool places_elsewhere(const struct places *places, const char *key, unsigned bucket,
    const struct ip *ip);

#endif
