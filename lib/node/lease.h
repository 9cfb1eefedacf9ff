/* What a lease says: which attachment on this node has which addresses.
 *
 * An attachment is one interface of one container on one network; the record is
 * kept by lease_store.h. Text: one JSON object, padded with spaces to LEASE_BYTES. */
#ifndef NODE_LEASE_H
#define NODE_LEASE_H

#include <stdint.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/err.h"
#include "node/former.h"
#include "node/netns_id.h"
#include "table/ip.h"

/* Who holds: identity is the container's id and the interface, and the pod's UID;
 * names are for people (I8). */
struct attachment {
	char network[NETWORK_NAME_MAX + 1];
	char container[CONTAINER_ID_MAX + 1];
	char ifname[IFNAME_LEN_MAX + 1];
	char namespace[LABEL_MAX + 1];
	char pod[SUBDOMAIN_MAX + 1];
	char uid[POD_UID_MAX + 1];       /* "" where the runtime names no pod */
	char netns[NETNS_PATH_MAX + 1];  /* path of the network namespace */
	struct netns_id netns_id;        /* inode 0: it was not there at ADD */
};

struct lease {
	struct attachment holder;
	char domain[NETWORK_NAME_MAX + 16]; /* network/NAME or pool/NAME */
	struct cidr ips[ENTRY_IPS_MAX];     /* each address once */
	unsigned ip_count;
	uint64_t since; /* seconds since 1970 */
	uint64_t adds;  /* how many ADDs have taken it: who looked at a lease and finds another
	                 * number later looks at somebody else's, whatever the names say */
	struct former former; /* from those that it was taken over from */
	bool closing;   /* DEL came, and the addresses could not be made unusable */
};

/* Appends exactly LEASE_BYTES; -EFBIG when it does not fit. */
int lease_encode(const struct lease *lease, struct buf *out, struct err *err);
/* The same back; -EBADMSG or -EINVAL says what is wrong. */
int lease_decode(const char *text, size_t length, struct lease *ret_lease, struct err *err);

/* Whether the address is one of the lease's, whatever the prefix. */
bool lease_has(const struct lease *lease, const struct ip *ip);

/* Same network, container and interface. */
bool attachment_equal(const struct attachment *a, const struct attachment *b);
/* Same pod by UID, network and interface, in whichever container: the sandbox was
 * made again. Pods without a UID are never the same. */
bool attachment_same_pod(const struct attachment *a, const struct attachment *b);
/* "pod NAMESPACE/POD (UID ..., container ..., interface ...)" appended to out. */
void attachment_print(const struct attachment *attachment, struct buf *out);

#endif
