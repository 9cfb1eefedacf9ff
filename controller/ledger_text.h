/* A StaticIPBlock as text: its name, its object. Pure. */
#ifndef CONTROLLER_LEDGER_TEXT_H
#define CONTROLLER_LEDGER_TEXT_H

#include "controller/ledger.h"

/* The aligned /26 (IPv4) or /122 (IPv6) that has the address: 64 addresses, so that an
 * object stays below 32 KiB. */
struct cidr block_cidr(const struct ip *ip);
/* The name of its object, made of both, so that no two objects are about one address:
 * people read it, a hash tells domains apart whose names have characters that object
 * names do not. The caller frees it. */
char *block_name(const char *domain, const struct cidr *cidr);

struct block_text {
	char *domain;
	struct cidr cidr;
	struct held *entries; /* by address; the caller's */
	unsigned count;
};

/* -EINVAL says what is wrong: also a name that is not that of its domain and cidr. */
int block_decode(const char *name, struct json_object *object, struct block_text *ret_text,
    struct err *err);
/* The whole object; the caller puts it. */
struct json_object *block_encode(
    const struct block *block, const struct held *entries, unsigned count);

/* Frees what an entry owns. */
void held_release(struct held *held);

#endif
