/* The ledger: who holds which address of a domain, as the StaticIPBlocks say, and what
 * is to be changed in them. Pure: no clock, no I/O.
 *
 * One entry for each address that somebody holds; what is not there is free. Changes are
 * collected per block and become its next text (ledger_next); whether it is written is
 * decided by the block's resourceVersion, so two controllers cannot both give one
 * address away (I1). */
#ifndef CONTROLLER_LEDGER_H
#define CONTROLLER_LEDGER_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "core/tree.h"
#include "table/ip.h"

struct ledger;
struct block;

/* One address and its holder. Identity is the pod's UID; the rest is for people, save
 * node and node_uid: whose agent has to answer for it. */
struct held {
	struct ip ip;
	char *uid;
	char *pod;        /* namespace/name */
	char *node;       /* NULL: not bound yet */
	char *node_uid;   /* of the Node object then; NULL: not known */
	char *allocation; /* namespace/name; NULL: not known */
	char *since;      /* RFC 3339 */
	bool leaving;     /* the next write of its block releases it */
	struct block *block;
};

/* All that one pod holds, in no order. */
struct holdings {
	const char *uid;
	struct held **list;
	unsigned count;
};

/* An aligned /26 or /122 of a domain. */
struct block {
	char *name; /* of the StaticIPBlock */
	char *domain;
	struct cidr cidr;
	struct held *entries; /* by address */
	unsigned count;
	bool exists;
	/* The object of this name cannot be read: nobody gets an address of the block, and
	 * it is not written, until somebody has put it right. Entries are the last that
	 * could be read. */
	bool unreadable;
	uint64_t live; /* tick of the request that showed it so; 0: the watch did */
	/* inside of ledger.c */
	struct change *changes;
	unsigned change_count;
	char **waiting; /* UIDs */
	unsigned waiting_count;
};

struct ledger_events {
	/* An entry of this pod's came, changed or went; or a block was seen in which it had
	 * asked for a change, or that it waits for (ledger_wait). */
	void (*touched)(void *cookie, const char *uid);
	/* An entry that this allocation (namespace/name) gave came, changed or went. */
	void (*moved)(void *cookie, const char *allocation);
	/* The block has changes to be written. */
	void (*dirty)(void *cookie, struct block *block);
};

struct ledger *ledger_new(const struct ledger_events *events, void *cookie);
void ledger_free(struct ledger *ledger);

/* The StaticIPBlock of this name, or that there is none (object NULL); live as in
 * struct block. Drops the block's unwritten changes: who wants them asks again. -EINVAL:
 * it cannot be read as a block; it is marked as unreadable. */
int ledger_observe(struct ledger *ledger, const char *name, struct json_object *object,
    uint64_t live, struct err *err);

/* The block of an address, made where it is not there. The ledger's. */
struct block *ledger_block(struct ledger *ledger, const char *domain, const struct ip *ip);
/* That of this name; NULL: never heard of. */
struct block *ledger_block_named(const struct ledger *ledger, const char *name);
/* Who holds the address; NULL: nobody. */
const struct held *ledger_find(struct ledger *ledger, const char *domain, const struct ip *ip);
/* What this pod holds; NULL: nothing. */
const struct holdings *ledger_holdings(const struct ledger *ledger, const char *uid);
size_t ledger_count(const struct ledger *ledger);

/* Frees blocks in which nobody has, wants or waits for anything, and that do not exist: what was
 * looked for once. Nobody may have one in hand, from ledger_block or dirty. */
void ledger_forget_unused(struct ledger *ledger);

/* Changes to come. A claim takes a free address, a place names the node of all that the
 * pod holds in the block, a release frees all of it, or only what has no node yet. They
 * are applied in the order in which they came: what a release frees, a claim behind it
 * takes in the same write. What does not apply any more when the block is written is left
 * out. */
struct claim {
	struct ip ip;
	const char *uid, *pod, *node, *node_uid, *allocation;
};
void ledger_claim(struct ledger *ledger, struct block *block, const struct claim *claim);
void ledger_place(struct ledger *ledger, struct block *block, const char *uid,
    const char *node, const char *node_uid);
/* Behind the claims that it rests on, in the same write: only if the pod holds at least so
 * many of the block's addresses then. */
void ledger_place_claimed(
    struct ledger *ledger, struct block *block, const struct claim *claim, unsigned least);
/* Touches those that wait for an address of the block: what is leaving can be claimed. */
void ledger_release(
    struct ledger *ledger, struct block *block, const char *uid, bool placed_too);
/* Touches this pod when the block changes, once. */
void ledger_wait(struct block *block, const char *uid);
/* Touches those that wait, now. */
void ledger_touch_waiting(struct ledger *ledger, struct block *block);

/* The whole object with its changes applied, for a write; NULL: they change nothing.
 * The caller puts it. now is RFC 3339. Forgets the changes. */
struct json_object *ledger_next(struct block *block, const char *now);

void ledger_each(const struct ledger *ledger,
    void (*visit)(void *cookie, const struct block *block), void *cookie);

#endif
