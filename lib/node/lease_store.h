/* Leases as files on tmpfs, safe with any number of processes at once and with
 * SIGKILL at any instruction.
 *
 *   ROOT/leases/by-attachment/NETWORK/CONTAINER:IFNAME   one file for each attachment,
 *   ROOT/leases/DOMAIN/ADDRESS                           and a hard link to it for each
 *                                                        of its addresses
 *
 * Two that want an address are settled by link(2). A file is born whole and locked,
 * without a name; the name of its attachment is the first that it gets and the last
 * that it loses; so a file found under an address alone belongs to nobody. Names are
 * only taken away under the file's lock (flock), by who has made sure that they still
 * lead to it; they are never renamed over. The record is a hint which addresses there
 * are: where the link count says that there are more (a killed ADD), the domain's
 * directory is searched. tmpfs dies with the boot, as all leases must. */
#ifndef NODE_LEASE_STORE_H
#define NODE_LEASE_STORE_H

#include <stdbool.h>

#include "core/err.h"
#include "core/mem.h"
#include "node/lease.h"
#include "table/ip.h"

struct lease_store {
	int leases;      /* ROOT/leases */
	int attachments; /* ROOT/leases/by-attachment/NETWORK */
};
#define LEASE_STORE_NONE {.leases = -1, .attachments = -1}
#define scoped_lease_store __attribute__((cleanup(lease_store_close))) struct lease_store

/* An open, locked lease. Closing it unlocks. */
struct lease_file {
	int fd; /* -1 = none */
};
#define LEASE_FILE_NONE {.fd = -1}
#define scoped_lease_file __attribute__((cleanup(lease_close))) struct lease_file

/* Opens the leases of a network. With make the directories are made where they are
 * missing: ROOT must then be on tmpfs or ramfs (-EINVAL: leases that outlive a boot
 * would be lies). Returns 1; 0: there are none (without make); a negative errno. */
int lease_store_open(const char *root, const char *network, bool make,
    struct lease_store *ret_store, struct err *err);
void lease_store_close(struct lease_store *store);
/* The directory of a domain's addresses, likewise; the caller closes it. */
int lease_domain_open(const struct lease_store *store, const char *domain, bool make,
    int *ret_directory, struct err *err);
/* That of a network's attachments, likewise: a domain may have several networks. */
int lease_network_open(const struct lease_store *store, const char *network, bool make,
    int *ret_directory, struct err *err);

/* The name of an attachment's file; out has LEASE_NAME_MAX bytes. */
enum { LEASE_NAME_MAX = CONTAINER_ID_MAX + 1 + IFNAME_LEN_MAX + 1 };
const char *lease_name(const char *container, const char *ifname, char *out);

/* Opens and locks the file that has this name now, and reads it. 1; 0: nobody has
 * the name; -ETIMEDOUT: another process has held its lock for LEASE_LOCK_MS; -EBADMSG:
 * it is no lease. */
int lease_open(int directory, const char *name, struct lease_file *ret_file,
    struct lease *ret_lease, struct err *err);
void lease_close(struct lease_file *file);
/* Likewise without the lock, for who must not wait for a process that was stopped while
 * it held it: 1 and the file, which is not locked. What another process changes at this
 * moment is in it or not, never half. */
int lease_look(int directory, const char *name, struct lease_file *ret_file,
    struct lease *ret_lease, struct err *err);

/* Lets others at an open lease while its process waits. A process has at most one
 * lease locked: two that each wanted the other's would wait for nothing. */
void lease_unlock(const struct lease_file *file);
/* 1: locked again, name still leads to it, and it is as it was known: 0: somebody
 * ended it meanwhile, or an ADD took it: also one of the same attachment, for runtimes
 * start a container again under its old id (I5). Locked after 0 too, not after an
 * error. */
int lease_lock(const struct lease_file *file, int directory, const char *name,
    const struct lease *known, struct err *err);
/* The same without waiting: -EWOULDBLOCK when another process has the lock. */
int lease_try_lock(const struct lease_file *file, int directory, const char *name,
    const struct lease *known, struct err *err);
/* Whether a locked lease has its attachment's name: 1, or 0: it belongs to nobody. */
int lease_owned(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err);

/* Makes the file of an attachment, locked. -EEXIST: there is one. */
int lease_create(const struct lease_store *store, const struct lease *lease,
    struct lease_file *ret_file, struct err *err);
/* Gives a locked file one more name. -EEXIST: another file has it; 0 also when this
 * one has it already. */
int lease_link(const struct lease_file *file, int directory, const char *name,
    struct err *err);
/* Replaces the record of a locked file. */
int lease_write(const struct lease_file *file, const struct lease *lease, struct err *err);
/* Whether the file has exactly as many names as its record says. */
bool lease_complete(const struct lease_file *file, const struct lease *lease);
/* Takes one name from a locked file, if it leads to it. */
int lease_unlink(const struct lease_file *file, int directory, const char *name,
    struct err *err);
/* Ends a locked lease, of whichever network: its addresses are free when this returns
 * 0, and its attachment's name is gone. */
int lease_end(const struct lease_store *store, const struct lease_file *file,
    const struct lease *lease, struct err *err);

/* Calls visit with the name of each attachment of the network. */
int lease_each(const struct lease_store *store,
    void (*visit)(void *cookie, const char *name), void *cookie, struct err *err);

/* Every lease on the node, whatever its network, each by lease_look: nobody is waited for;
 * a file that another process ends meanwhile is not in it, and one that an ADD takes
 * meanwhile says what it was or what it is. *ret_list is an array of *ret_count (mem_free). An error when
 * one cannot be read: what is not known must not count as free. */
int lease_list(const char *root, struct lease **ret_list, size_t *ret_count,
    struct err *err);

/* The address that a range set of a domain gave last; family 0: none, or not
 * readable (a hint, never more). */
struct ip lease_last_read(int directory, unsigned set);
void lease_last_write(int directory, unsigned set, const struct ip *last);

#endif
