#include "plugin/ranges_take.h"

#include "core/buf.h"
#include "core/mem.h"
#include "node/lease_store.h"
#include "plugin/cni_error.h"

/* A set while an address of it is chosen. */
struct round {
	const struct range_set *set;
	struct range_walk walk;
	struct ip last; /* that was given before this round */
	bool begun;     /* else nothing was chosen: the attachment had its address */
	bool over;      /* no candidate was left */
};

/* ---- choosing ------------------------------------------------------------------- */

static bool
next_candidate(void *cookie, struct cidr *ret_candidate)
{
	struct round *round = cookie;

	round->begun = true;
	round->over = !range_walk_next(&round->walk, ret_candidate);
	return !round->over;
}

static void
begin_again(void *cookie)
{
	struct round *round = cookie;

	range_walk_start(round->set, &round->last, &round->walk);
	round->over = false;
}

static struct hold_choice
choice_of(struct round *round)
{
	const struct range_set *set = round->set;
	struct hold_choice choice = {.fixed.ip = set->requested};

	if (set->requested.family) {
		choice.fixed.length = range_set_find(set, &set->requested)->subnet.length;
		return choice;
	}
	begin_again(round);
	return (struct hold_choice){
	    .next = next_candidate, .rewind = begin_again, .cookie = round};
}

static int
exhausted(const struct round *rounds, unsigned count, struct err *err)
{
	scoped_buf name = buf_make(ERR_TEXT_MAX / 2);
	unsigned set = 0;

	for (unsigned i = 0; i < count; i++)
		if (rounds[i].over)
			set = i;
	range_set_print(rounds[set].set, &name);
	return err_set(err, CNI_ERROR_EXHAUSTED,
	    "failed to allocate for range %u: no IP addresses available in range set: "
	    "%s; each "
	    "is held on this node: remove pods, or enlarge the range",
	    set, buf_string(&name));
}

/* ---- the memory of the round ------------------------------------------------------ */

/* The directory of the domain; -1: there will be no memory, and each round begins at
 * the start (hold_take says why if it is serious). */
static int
open_memory(const struct hold *hold)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	int directory = -1;

	if (lease_store_open(hold->root, hold->who.network, true, &store, NULL) <= 0 ||
	    lease_domain_open(&store, hold->domain, true, &directory, NULL) <= 0)
		return -1;
	return directory;
}

static void
remember(int memory, const struct round *rounds, unsigned count, const struct cidr *ips)
{
	for (unsigned i = 0; memory >= 0 && i < count; i++)
		if (rounds[i].begun)
			lease_last_write(memory, i, &ips[i].ip);
}

/* ---- the result ------------------------------------------------------------------- */

static int
not_of_the_ranges(const struct hold *hold, const struct cidr *cidr, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	return err_set(err, CNI_ERROR_TRY_LATER,
	    "interface %s of container %.12s has %s, which is in none of the ranges any "
	    "more; "
	    "the runtime must DEL it first",
	    hold->who.ifname, hold->who.container, cidr_print(cidr, text));
}

static int
put_result(struct hold *hold, const struct range_sets *sets, const struct cidr *ips,
    struct cni_result *result, struct err *err)
{
	for (unsigned i = 0; i < sets->count; i++) {
		const struct range *range = range_set_find(&sets->list[i], &ips[i].ip);
		if (!range)
			return not_of_the_ranges(hold, &ips[i], err);
		result->ips[i] =
		    (struct cni_address){.cidr = ips[i], .gateway = range->gateway};
	}
	result->ip_count = sets->count;
	return 0;
}

int
ranges_fit(
    const struct range_sets *sets, const struct cni_version *version, struct err *err)
{
	struct cni_result result = {.ip_count = sets->count};

	for (unsigned i = 0; i < sets->count; i++)
		result.ips[i].cidr = sets->list[i].list[0].subnet;
	return cni_result_fits(&result, version, err);
}

int
ranges_take(struct hold *hold, const struct range_sets *sets,
    struct cni_result *ret_result, struct err *err)
{
	struct round rounds[ENTRY_IPS_MAX];
	struct hold_choice choices[ENTRY_IPS_MAX];
	struct cidr ips[ENTRY_IPS_MAX];
	scoped_fd int memory = open_memory(hold);

	for (unsigned i = 0; i < sets->count; i++) {
		rounds[i] = (struct round){.set = &sets->list[i]};
		if (memory >= 0 && !sets->list[i].requested.family)
			rounds[i].last = lease_last_read(memory, i);
		choices[i] = choice_of(&rounds[i]);
	}
	int rc = hold_take(hold, choices, sets->count, ips, err);
	if (rc == -CNI_ERROR_EXHAUSTED)
		return exhausted(rounds, sets->count, err);
	if (rc)
		return rc;
	remember(memory, rounds, sets->count, ips);
	return put_result(hold, sets, ips, ret_result, err);
}

int
ranges_find(const struct hold *hold, struct cni_result *ret_result, struct err *err)
{
	struct cidr ips[ENTRY_IPS_MAX];
	int count = hold_read(hold, ips, err);

	if (count < 0)
		return count;
	if (count == 0)
		return err_set(err, CNI_ERROR_NOT_PERMITTED,
		    "interface %s of container %.12s has no lease on network %s; delete "
		    "the pod so "
		    "that it comes back with one",
		    hold->who.ifname, hold->who.container, hold->who.network);
	for (int i = 0; i < count; i++)
		ret_result->ips[i].cidr = ips[i];
	ret_result->ip_count = (unsigned)count;
	return 0;
}
