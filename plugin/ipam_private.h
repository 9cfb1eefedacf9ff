/* What the IPAM role's sources share: who asks, and what the answer is. */
#ifndef PLUGIN_IPAM_PRIVATE_H
#define PLUGIN_IPAM_PRIVATE_H

#include "plugin/cni_args.h"
#include "plugin/cni_result.h"
#include "plugin/hold.h"
#include "plugin/pod_row.h"
#include "plugin/request.h"
#include "plugin/source.h"

struct asking {
	const struct cni_request *request;
	struct cni_args args;
	struct source source;
	char *root;
	char domain[NETWORK_NAME_MAX + 16]; /* of inline sources */
	struct hold hold;
	bool waited; /* nothing more is waited for (pod_row.h) */
};

struct answer {
	struct cni_result result; /* routes and dns are the source's or the row's */
	/* who gives it, in errors: "StaticIPAllocation shop/ex", "ipam.addresses" */
	char giver[LABEL_MAX + SUBDOMAIN_MAX + 32];
	struct pod_row row; /* of the tables; its routes are cut to what the pod gets */
};

/* What the tables say, judged against what is asked for. Nothing is taken. */
int tables_find(struct asking *asking, struct answer *ret_answer, struct err *err);
/* The same, and leases it: what was looked up still stands when this returns. */
int tables_take(struct asking *asking, struct answer *ret_answer, struct err *err);

/* What the ipam block itself says; refused by code 102 where the cluster's tables know
 * the network. For ranges it is what the attachment's lease has. */
int inline_find(struct asking *asking, struct answer *ret_answer, struct err *err);
/* The same, and leases it; for ranges the next free addresses. */
int inline_take(struct asking *asking, struct answer *ret_answer, struct err *err);

/* Leases exactly the addresses of the answer. */
int ipam_take_fixed(
    struct asking *asking, const struct answer *answer, struct err *err);
/* Gives back what an ADD that will not be answered has taken. */
void ipam_give_back(const struct asking *asking);
/* Leaves only the routes of families that the result has an address of: rows and
 * blocks serve pods of one family and of both, and a main plugin could only fail on
 * the others. */
void ipam_drop_foreign_routes(const struct cni_result *result, struct routes *routes);

#endif
