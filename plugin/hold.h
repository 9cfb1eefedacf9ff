/* Holding addresses on this node: the leases of ADD, CHECK, DEL and GC. */
#ifndef PLUGIN_HOLD_H
#define PLUGIN_HOLD_H

#include <json-c/json_types.h>
#include <stdbool.h>

#include "core/err.h"
#include "node/lease.h"
#include "plugin/cni_args.h"
#include "plugin/request.h"
#include "table/ip.h"

/* On whose behalf, and where. */
struct hold {
	const char *root;   /* of the leases */
	const char *domain; /* network/NAME or pool/NAME: in it an address is unique */
	struct attachment who;
	unsigned wait_s;    /* how long ADD waits for what others have or have to say */
	long deadline_ms;   /* 0: it has not waited yet; most ADDs ask no clock */
};

/* One address that is wanted. */
struct hold_choice {
	struct cidr fixed; /* exactly this one, waited for; unused with next */
	/* Instead: the first free one of those that next offers, until it returns false.
	 * rewind makes it begin anew, once leases of vanished pods are taken back. */
	bool (*next)(void *cookie, struct cidr *ret_candidate);
	void (*rewind)(void *cookie);
	void *cookie;
};

/* Fills `who` from a request; the network namespace is looked at when it is there. */
int hold_attachment(const struct cni_request *request, const struct cni_args *args,
    struct attachment *ret_who, struct err *err);

/* ADD. Takes one address for each choice (1 to ENTRY_IPS_MAX), all or none; ret_ips
 * has them in the order of the choices. Idempotent: an attachment that has a lease of
 * as many addresses, the fixed ones among them, gets these again (I5). An address that
 * the same pod (UID) has for the same interface in an earlier container passes on in
 * place, once that container's interface is silent. An address of a namespace that is
 * gone is taken back. Other holders are waited for.
 * Codes: 11 somebody holds an address (who, since when); 103 a choice offers no free
 * address (the caller knows the range's name); 7 one address twice; 5 the file system. */
int hold_take(struct hold *hold, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips, struct err *err);

/* How much of wait_s is left, counted from the first call; 0 or less: nothing. */
long hold_time_left_ms(struct hold *hold);

/* CHECK: the attachment has a lease of exactly these addresses. Code 102. */
int hold_check(const struct hold *hold, const struct cidr *ips, unsigned count,
    struct err *err);
/* The addresses of the attachment's lease: their number (0: it has none, or not all of
 * those that its record says). */
int hold_read(const struct hold *hold, struct cidr ret_ips[ENTRY_IPS_MAX], struct err *err);

/* The MACs that the attachment's pod had in earlier sandboxes, as its lease tells. Best
 * effort: none where there is no lease, or another plugin gives the addresses. */
void hold_former(const char *root, const char *network, const char *container,
    const char *ifname, struct former *ret_former);

/* DEL: makes the addresses unusable, then gives them back; what the attachment does
 * not hold it does not touch (I5). Where they cannot be made unusable the lease stays
 * as `closing`: then *ret_left says why and 0 is returned all the same (I4). */
int hold_release(const char *root, const char *network, const char *container,
    const char *ifname, struct err *ret_left);

/* GC: ends the leases of the network whose attachment is not in valid (an array of
 * {"containerID", "ifname"}) and whose namespace is gone or was never there, or whose
 * DEL came (closing) and can be finished by now. Another one whose namespace lives is
 * kept: the list may be older than it (I5). What could not be ended is told last. */
int hold_collect(const char *root, const char *network, struct json_object *valid,
    struct err *err);

#endif
