/* What the controller granted to a pod on this node: the file `node`, which the agent
 * writes (table/grant.h). */
#ifndef PLUGIN_GRANTED_H
#define PLUGIN_GRANTED_H

#include "core/err.h"
#include "node/table_file.h"
#include "plugin/lookup.h"
#include "table/grant.h"

struct granted {
	struct grant grant;
	char key[GRANT_KEY_MAX + 1];
	struct table_mark mark; /* the file that it was found in */
	struct profile profile; /* of a grant that is given */
};

/* Looks the pod of this UID up: the row of this interface, else that of the pod. 1; 0:
 * there is none (or no file, or no UID to ask by); an error of code 5: the file is
 * damaged. */
int granted_find(const char *root, const struct lookup *asked, const char *uid,
    struct granted *ret_granted, struct err *err);

/* Whether a grant that was found still stands, after the lease was written: at once
 * where the file is the same, else it is looked up again and must give the same
 * addresses. 1, 0, or an error. */
int granted_again(const char *root, const struct lookup *asked, const char *uid,
    const struct granted *granted, struct err *err);

/* The part without files. */
int granted_in_table(const struct table_bucket *table, const struct lookup *asked,
    const char *uid, struct granted *ret_granted, struct err *err);

#endif
