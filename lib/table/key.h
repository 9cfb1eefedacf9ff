/* The keys of table rows, and which bucket holds them.
 *
 * NETWORK                          the network row: what the table knows of it
 * NETWORK/NAMESPACE/POD            a pod's row
 * NETWORK/NAMESPACE/POD/INTERFACE  the same, for one interface of the pod
 * !NAMESPACE/ALLOCATION            profile row: what rows of an allocation share */
#ifndef TABLE_KEY_H
#define TABLE_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/bounds.h"
#include "core/err.h"

/* CNI specification 1.1.0, "Network configuration": starts with a letter or
 * digit, then letters, digits, '_', '.', '-'; at most NETWORK_NAME_MAX. */
bool key_network_valid(const char *network);
/* RFC 1123 label (namespaces) and subdomain (pods, objects), as Kubernetes'
 * apimachinery pkg/util/validation checks them. */
bool key_label_valid(const char *text);
bool key_subdomain_valid(const char *text);
/* network/NAME or pool/NAME. It names a directory of leases, so nothing else may pass. */
bool key_domain_valid(const char *domain);
/* Linux: 1 to 15 bytes, not "." or "..", no '/', ':' or white space
 * (net/core/dev.c, dev_valid_name). */
bool key_interface_valid(const char *text);

/* Prints the key into out (KEY_MAX + 1 bytes). interface may be NULL. Returns 0,
 * or -EINVAL naming the part that is no valid name. */
int key_pod(char *out, const char *network, const char *namespace, const char *pod,
    const char *interface, struct err *err);

/* Whether the key is a pod's: NETWORK/NAMESPACE/POD or with /INTERFACE, each part
 * not empty. */
bool key_is_pod(const char *key);
/* NAMESPACE/POD of such a key, the caller frees it; NULL: it is none. */
char *key_pod_path(const char *key);

/* The bucket of a key among count (1, 64 or 1024). The interface does not count:
 * all rows of a pod on a network are in one bucket. Profiles have no bucket of
 * their own: they stand in every bucket whose rows name them. */
unsigned key_bucket(const char *key, unsigned count);
bool key_bucket_count_valid(unsigned count);

#endif
