/* Leases that were lost with the root directory, made again from what the pods'
 * interfaces have. */
#ifndef AGENT_REGAIN_H
#define AGENT_REGAIN_H

#include <json-c/json_types.h>
#include <stddef.h>

#include "core/bounds.h"
#include "core/err.h"
#include "node/lease.h"

/* Who may have a lease, from all that the API server and the agent remember: the agent's
 * last report (status.attachments), the grants, and what was revoked. container and ifname
 * are "" where only the UID is known. */
struct regain_known {
	struct lease *list;
	size_t count;
};
void regain_known_release(struct regain_known *known);
#define scoped_regain_known __attribute__((cleanup(regain_known_release))) struct regain_known

/* Pure: adds leases that were there, with the namespaces that they had. */
void regain_add_leases(const struct lease *list, size_t count, struct regain_known *known);
/* Pure: adds those of a StaticIPNode, attachments first; an entry that cannot be read is
 * left out. */
void regain_add_node(struct json_object *node, struct regain_known *known);
/* Likewise those of one array of attachments, as in its status. */
void regain_add_attachments(struct json_object *attachments, struct regain_known *known);

/* Looks for their addresses in every network namespace of the node, and gives each pod
 * that has one a lease there, unless it has one. A lease for each namespace: one that a new
 * sandbox took the address from may still have it on a link that is down. Leases that no
 * container is known for end with their namespace. ips that are on no interface have no
 * lease. 0 and how many were made; an error: there may be an address that was not found. */
int regain_leases(const char *root, const struct regain_known *known, size_t *ret_made,
    struct err *err);

#endif
