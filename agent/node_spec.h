/* This node's StaticIPNode, from the API object to the text of the node's table
 * (table/grant.h): rules N1 to N4. Pure: no file, no clock, no socket. */
#ifndef AGENT_NODE_SPEC_H
#define AGENT_NODE_SPEC_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "table/grant.h"

/* The rule that refused, as the code of the error; its sentence starts "N3: ". */
enum node_rule {
	NODE_N1_HEAD = ERR_CODE_OWN + 21, /* spec has an epoch and a serial */
	NODE_N2_ROWS,                     /* profiles, rows and revocations can be read */
	NODE_N3_SERIAL,                   /* neither its epoch's number goes back nor, within an
	                                   * epoch, its serial */
	NODE_N4_BYTES,                    /* the same serial has the same content */
};
enum { NODE_RULES = NODE_N4_BYTES - NODE_N1_HEAD + 1 };

struct revocation {
	const char *uid; /* of the pod; the object's memory */
	bool silence;    /* its addresses are others' already: they must go off its links */
};

struct node_spec {
	struct grant_head head;
	struct buf text; /* the table: what becomes the file `node` */
	struct revocation revoked[GRANTS_MAX]; /* in the order of the object */
	unsigned revoked_count;
};

/* N1, N2. uid is the object's. A message that is longer than GRANT_WORDS_MAX bytes is cut:
 * the schema counts characters. Returns 0 or a negative rule; release *ret_spec after
 * 0 with node_spec_release. The object must live as long as revoked is used. */
int node_spec_read(struct json_object *object, const char *node, const char *uid,
    struct node_spec *ret_spec, struct err *err);
void node_spec_release(struct node_spec *spec);

enum node_step {
	NODE_PUBLISH, /* newer than what is in force, or there is nothing yet */
	NODE_SAME,    /* what is in force already */
};

/* What the table in force (NULL = none) says that it is. False: there is none, or it
 * cannot be read. */
bool node_spec_in_force(const char *in_force, size_t length, struct grant_head *ret_head);
/* N3, N4: whether it may follow the table in force (NULL = none, or one that cannot
 * be read). Returns an enum node_step or a negative rule. */
int node_spec_successor(const struct node_spec *next, const char *in_force, size_t length,
    struct err *err);

#endif
