/* What the lines of a table say, as structs, and their JSON. */
#ifndef TABLE_ROW_H
#define TABLE_ROW_H

#include <json-c/json_types.h>

#include "core/buf.h"
#include "table/ip.h"
#include "table/route.h"

/* What all rows of an allocation share. */
struct profile {
	char allocation[LABEL_MAX + 1 + SUBDOMAIN_MAX + 1]; /* namespace/name */
	char uid[40];
	struct ip gateways[ENTRY_GATEWAYS_MAX]; /* at most one per family */
	unsigned gateway_count;
	/* "handover":"Available": where grants are required, a pod that waited in vain for one,
	 * and was not told to hold, takes its row. */
	bool available;
	/* last: most of it is never touched, nor cleared by profile_decode */
	struct routes routes;
};

/* One pod on one network. */
struct row {
	char profile[LABEL_MAX + 1 + SUBDOMAIN_MAX + 1]; /* its key without '!' */
	struct cidr ips[ENTRY_IPS_MAX];
	unsigned ip_count;
	struct ip gateways[ENTRY_GATEWAYS_MAX]; /* instead of the profile's, per family */
	unsigned gateway_count;
};

/* What the table knows about a network. */
struct network_row {
	char domain[NETWORK_NAME_MAX + 16]; /* network/NAME or pool/NAME */
	bool grants_required;
};

/* Compact JSON appended to buf, one line without its end. */
void row_encode(const struct row *row, struct buf *buf);
void profile_encode(const struct profile *profile, struct buf *buf);
void network_row_encode(const struct network_row *network, struct buf *buf);

/* The same back, strict. key names the line in errors. */
int row_decode(const char *key, const char *json, size_t length, struct row *ret_row,
    struct err *err);
int profile_decode(const char *key, const char *json, size_t length,
    struct profile *ret_profile, struct err *err);
int network_row_decode(const char *key, const char *json, size_t length,
    struct network_row *ret_network, struct err *err);

/* The members of a row in an object that has others too (grant.h). */
void row_put(const struct row *row, struct json_object *object);
int row_get(const char *key, struct json_object *object, struct row *ret_row,
    struct err *err);

/* The gateway that counts for a family: the row's, else the profile's; NULL. */
const struct ip *row_gateway(const struct row *row, const struct profile *profile,
    uint8_t family);

#endif
