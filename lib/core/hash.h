/* FNV-1a, 64 bits (draft-eastlake-fnv): finds accidents in a table's bytes and
 * spreads keys over buckets. No protection against somebody who wants a
 * collision: who may write tables is RBAC's business. */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START UINT64_C(0xcbf29ce484222325)

/* Continues hash (HASH_START at first) over length bytes. */
uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length);

#endif
