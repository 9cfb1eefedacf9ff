/* A node's table: what the controller grants to the pods of one node, by key and UID.
 * Text as in table.h; its lines, in the order of their keys:
 *
 *   !default/ex TAB {…}                   profiles (row.h)
 *   @ TAB {"node":"n1","object":"…","epoch":"…","serial":17}
 *   podnet/default/ex-0@UID TAB {"state":"Granted","domain":"network/podnet","p":"default/ex","ips":["10.0.2.40/24"]}
 *   podnet/default/ex-1@UID TAB {"state":"Held","why":"10.0.2.41 is held by …"} */
#ifndef TABLE_GRANT_H
#define TABLE_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "table/row.h"

enum grant_state {
	GRANT_GIVEN,   /* take these addresses */
	GRANT_HELD,    /* wait: why says who has them, and what frees them */
	GRANT_REFUSED, /* never: why says why */
	GRANT_STATES,
};

struct grant {
	enum grant_state state;
	char domain[NETWORK_NAME_MAX + 16]; /* of GRANT_GIVEN, as is row */
	struct row row;
	char why[GRANT_WORDS_MAX + 1]; /* "" when given */
};

/* The line "@": which StaticIPNode this is, and how new. */
struct grant_head {
	char node[SUBDOMAIN_MAX + 1];
	char object[POD_UID_MAX + 1]; /* metadata.uid */
	char epoch[EPOCH_MAX + 1];
	uint64_t serial; /* never goes back within an epoch */
};

/* Whether it can be a pod's UID: 1 to POD_UID_MAX letters, digits and '-'. One that is not
 * makes a StaticIPNode that no agent takes. */
bool grant_uid_valid(const char *uid);

/* Epochs count up: "1700000000-5eed" is number 1700000000. False: it has none (there is
 * no digit first, or it is no 63-bit number), and cannot be compared with others. */
bool grant_epoch_number(const char *epoch, uint64_t *ret_number);

/* The state that "Granted", "Held" or "Refused" names; GRANT_STATES for another text. */
enum grant_state grant_state_find(const char *name);

/* KEY@UID into out (GRANT_KEY_MAX + 1 bytes), KEY from key_pod. -EINVAL: no UID, or one
 * that has other characters than letters, digits and '-'. */
int grant_key(char *out, const char *key, const char *uid, struct err *err);

/* JSON of one line, appended, and back: strict; key names the line in errors. */
void grant_encode(const struct grant *grant, struct buf *out);
int grant_decode(const char *key, const char *json, size_t length, struct grant *ret_grant,
    struct err *err);
#define GRANT_HEAD_KEY "@"
void grant_head_encode(const struct grant_head *head, struct buf *out);
int grant_head_decode(
    const char *json, size_t length, struct grant_head *ret_head, struct err *err);

#endif
