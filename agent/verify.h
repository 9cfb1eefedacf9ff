/* What a table ConfigMap must fulfil before the node takes it: rules A1 to A8,
 * as DESIGN.md here lists them. Pure: no file, no clock, no socket. */
#ifndef AGENT_VERIFY_H
#define AGENT_VERIFY_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "table/table.h"

/* The rule that refused, as the code of the error; its sentence starts "A4: ". */
enum verify_rule {
	VERIFY_A1_NAME = ERR_CODE_OWN + 1, /* table-K-N, K ours, N below K */
	VERIFY_A2_LABEL,                   /* staticip.dev/buckets agrees with K */
	VERIFY_A3_DATA,                    /* data.table is there and not empty */
	VERIFY_A4_TABLE,                   /* it is a whole table */
	VERIFY_A5_BUCKET,                  /* every row belongs to this bucket */
	VERIFY_A6_GENERATION,              /* not older than what is in force */
	VERIFY_A7_BYTES,                   /* the same generation has the same bytes */
	VERIFY_A8_EXISTS,                  /* the ConfigMap is there */
};
enum { VERIFY_RULES = VERIFY_A8_EXISTS - VERIFY_A1_NAME + 1 };

#define VERIFY_LABEL "staticip.dev/buckets"

/* Bytes that are a table of this bucket. */
struct verified {
	const char *text; /* whoever gave the bytes owns them */
	size_t length;
	struct table_header header;
};

/* A1. The name of bucket *ret_bucket of buckets, or -VERIFY_A1_NAME. */
int verify_name(const char *name, unsigned buckets, unsigned *ret_bucket, struct err *err);

/* A2 to A5, for the ConfigMap of this bucket. *ret_table points into the object.
 * Returns 0 or a negative rule; any JSON value is fine as input. */
int verify_config_map(struct json_object *config_map, unsigned bucket, unsigned buckets,
    struct verified *ret_table, struct err *err);

/* A4 and A5, for bytes from wherever. */
int verify_table(const char *text, size_t length, unsigned bucket, unsigned buckets,
    struct verified *ret_table, struct err *err);

enum verify_step {
	VERIFY_PUBLISH, /* newer than what is in force, or there is nothing yet */
	VERIFY_SAME,    /* byte for byte what is in force */
};

/* A6 and A7: whether next may follow in_force (NULL = nothing is in force).
 * Returns an enum verify_step or a negative rule. */
int verify_successor(const struct verified *next, const struct verified *in_force,
    struct err *err);

/* Whether every network row in it requires grants; one that cannot be read does not. */
bool verify_grants_required(const struct verified *table);

/* A8: the sentence for a ConfigMap that is gone; returns -VERIFY_A8_EXISTS. */
int verify_gone(struct err *err);

#endif
