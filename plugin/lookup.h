/* What the tables on this node say about a pod. */
#ifndef PLUGIN_LOOKUP_H
#define PLUGIN_LOOKUP_H

#include "core/err.h"
#include "node/table_file.h"
#include "table/row.h"

/* Who asks. */
struct lookup {
	const char *network;
	const char *namespace;
	const char *pod;
	const char *ifname;
};

struct lookup_answer {
	struct network_row network;
	struct row row;
	struct table_mark marks[2]; /* where the network and the pod were found */
	struct profile profile;
};

/* Finds the network row and the pod's row: that of this interface, else that of
 * the pod. Errors: 4 a name that is none; 100 network or pod has no row; 104 no
 * table in this boot; 5 a table that cannot be read. */
int lookup_pod(const char *root, const struct lookup *asked,
    struct lookup_answer *ret_answer, struct err *err);

/* Whether the tables still say what they said: cheap where nothing changed, else the
 * pod is looked up again and must get the same addresses. 1, 0, or an error. */
int lookup_again(const char *root, const struct lookup *asked,
    const struct lookup_answer *answer, struct err *err);

/* Whether the tables know this network: 1, or 0, also where no table was published at
 * all: then there is no cluster to know it. Error codes: 104 a table that is there in
 * part; 5 one that cannot be read. */
int lookup_knows(const char *root, const char *network, struct err *err);

/* The part without files: the pod's row in the bytes of its bucket. */
int lookup_in_bucket(const struct table_bucket *bucket, const struct lookup *asked,
    struct lookup_answer *answer, struct err *err);

/* Whether a table was published since the node booted: 0, or an error of code 104
 * (none) or 5. */
int lookup_ready(const char *root, struct err *err);

#endif
