#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "plugin/cni_error.h"
#include "plugin/hold.h"
#include "tests/unit/node/leases.h"
#include "tests/unit/node/namespaces.h"

/* ---- helpers ---------------------------------------------------------------- */

static struct hold
hold_of(void **state, const char *container, unsigned wait_s)
{
	const struct lease lease = lease_of(container, NULL, NULL);

	return (struct hold){
	    .root = *state, .domain = "network/mynet", .who = lease.holder, .wait_s = wait_s};
}

static struct hold_choice
fixed(const char *text)
{
	return (struct hold_choice){.fixed = cidr_of(text)};
}

/* A range of IPv4 addresses as a choice. */
struct range {
	unsigned char first, last; /* 10.0.3.X/24 */
	unsigned at;
	unsigned rewinds;
};

static bool
next_of_range(void *cookie, struct cidr *ret_candidate)
{
	struct range *range = cookie;

	if (range->first + range->at > range->last)
		return false;
	*ret_candidate = cidr_of("10.0.3.0/24");
	ret_candidate->ip.bytes[3] = (uint8_t)(range->first + range->at++);
	return true;
}

static void
rewind_range(void *cookie)
{
	struct range *range = cookie;

	range->at = 0;
	range->rewinds++;
}

static struct hold_choice
any_of(struct range *range)
{
	return (struct hold_choice){.next = next_of_range, .rewind = rewind_range, .cookie = range};
}

static void
assert_taken(const struct cidr *cidr, const char *wanted)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(cidr_print(cidr, text), wanted);
}

/* Takes or fails the test. */
static void
take_all(const struct hold *hold, const struct hold_choice *choices, unsigned count,
    struct cidr *ret_ips)
{
	struct err err = {0};

	struct hold call = *hold; /* each is a call of its own, with a clock of its own */
	if (hold_take(&call, choices, count, ret_ips, &err))
		fail_msg("%s: %s", hold->who.container, err.text);
}

static void
take_one(const struct hold *hold, const char *address)
{
	const struct hold_choice choice = fixed(address);
	struct cidr got;

	take_all(hold, &choice, 1, &got);
	assert_taken(&got, address);
}

static void
refused(const struct hold *hold, const struct hold_choice *choices, unsigned count, int code,
    const char *words)
{
	struct cidr got[ENTRY_IPS_MAX];
	struct err err = {0};
	struct hold call = *hold;
	int rc = hold_take(&call, choices, count, got, &err);

	if (rc != -code || !strstr(err.text, words))
		fail_msg("%d instead of %d, or '%s' is not in '%s'", rc, -code, words, err.text);
}

static void
release(void **state, const char *container)
{
	struct err left = {0};

	assert_int_equal(hold_release(*state, "mynet", container, "eth0", &left), 0);
	if (left.code)
		fail_msg("DEL of %s: %s", container, left.text);
}

static void
assert_leased(void **state, unsigned attachments, unsigned addresses)
{
	assert_int_equal(names_in(*state, "leases/by-attachment/mynet"), attachments);
	assert_int_equal(names_in(*state, "leases/network/mynet"), addresses);
}

/* ---- one attachment --------------------------------------------------------- */

static void
addresses_are_answered_in_the_order_they_were_asked_for(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	struct hold_choice choices[] = {
	    fixed("10.0.2.41/24"), fixed("10.0.2.40/24"), fixed("fd00::1/64")};
	struct cidr got[3];

	take_all(&hold, choices, 3, got);
	assert_taken(&got[0], "10.0.2.41/24");
	assert_taken(&got[1], "10.0.2.40/24");
	assert_taken(&got[2], "fd00::1/64");
	assert_leased(state, 1, 3);
	release(state, "c1");
	assert_leased(state, 0, 0);
}

static void
I5_the_same_question_has_the_same_answer(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	struct range range = {.first = 10, .last = 20};
	struct hold_choice choices[] = {any_of(&range), fixed("10.0.2.40/24")};
	struct cidr got[2];
	struct cidr again[2];

	take_all(&hold, choices, 2, got);
	take_all(&hold, choices, 2, again);
	assert_taken(&got[0], "10.0.3.10/24");
	assert_taken(&got[1], "10.0.2.40/24");
	assert_true(cidr_equal(&got[0], &again[0]) && cidr_equal(&got[1], &again[1]));
	assert_leased(state, 1, 2);
}

static void
a_repeated_ADD_answers_in_the_order_and_with_the_prefixes_of_now(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	struct range range = {.first = 10, .last = 20};
	struct hold_choice before[] = {fixed("10.0.2.40/24"), any_of(&range), fixed("10.0.2.41/24")};
	struct hold_choice now[] = {any_of(&range), fixed("10.0.2.41/16"), fixed("10.0.2.40/16")};
	struct cidr got[3];
	struct cidr read[ENTRY_IPS_MAX];

	take_all(&hold, before, 3, got);
	take_all(&hold, now, 3, got);
	assert_taken(&got[0], "10.0.3.10/24");
	assert_taken(&got[1], "10.0.2.41/16");
	assert_taken(&got[2], "10.0.2.40/16");
	assert_int_equal(hold_read(&hold, read, NULL), 3);
	assert_taken(&read[1], "10.0.2.41/16");
}

static void
other_addresses_need_a_DEL_first(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	const struct hold_choice other[] = {fixed("10.0.2.41/24"), fixed("10.0.2.42/24")};

	take_one(&hold, "10.0.2.40/24");
	refused(&hold, other, 1, CNI_ERROR_TRY_LATER, "has 10.0.2.40/24 already");
	refused(&hold, other, 2, CNI_ERROR_TRY_LATER, "must DEL it first");
	assert_leased(state, 1, 1);
}

static void
I1_the_same_addresses_in_another_domain_are_others(void **state)
{
	struct hold hold = hold_of(state, "c1", 0);
	const struct hold_choice choice = fixed("10.0.2.40/24");

	take_one(&hold, "10.0.2.40/24");
	hold.domain = "pool/office";
	refused(&hold, &choice, 1, CNI_ERROR_TRY_LATER, "must DEL it first");
	release(state, "c1");
	take_one(&hold, "10.0.2.40/24");
}

static void
one_address_twice_is_refused(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	const struct hold_choice choices[] = {
	    fixed("10.0.2.40/24"), fixed("fd00::1/64"), fixed("10.0.2.40/16")};

	refused(&hold, choices, 3, CNI_ERROR_CONFIG, "10.0.2.40 is listed twice");
	assert_leased(state, 0, 0);
}

static void
what_an_unanswered_ADD_left_is_ended_and_begun_anew(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_lease_file file = LEASE_FILE_NONE;
	const struct lease killed = lease_of("c1", "10.0.2.50/24", "10.0.2.51/24");
	scoped_fd int domain = -1;

	assert_int_equal(lease_store_open(*state, "mynet", true, &store, NULL), 1);
	assert_int_equal(lease_domain_open(&store, killed.domain, true, &domain, NULL), 1);
	assert_int_equal(lease_create(&store, &killed, &file, NULL), 0);
	assert_int_equal(lease_link(&file, domain, "10.0.2.50", NULL), 0);
	lease_close(&file);
	struct cidr read[ENTRY_IPS_MAX];
	assert_int_equal(hold_read(&hold, read, NULL), 0);
	take_one(&hold, "10.0.2.40/24");
	assert_leased(state, 1, 1);
}

/* ---- choices ---------------------------------------------------------------- */

static void
the_first_free_one_is_taken(void **state)
{
	struct range range = {.first = 10, .last = 12};
	const struct hold_choice choice = any_of(&range);
	const struct hold first = hold_of(state, "c1", 0);
	const struct hold second = hold_of(state, "c2", 0);
	struct cidr got;

	take_all(&first, &choice, 1, &got);
	assert_taken(&got, "10.0.3.10/24");
	range.at = 0;
	take_all(&second, &choice, 1, &got);
	assert_taken(&got, "10.0.3.11/24");
	assert_int_equal(range.rewinds, 0);
}

static void
an_exhausted_choice_is_103_and_leaves_nothing(void **state)
{
	struct range range = {.first = 10, .last = 10};
	const struct hold_choice one = any_of(&range);
	const struct hold_choice both[] = {fixed("10.0.2.40/24"), one};
	const struct hold first = hold_of(state, "c1", 0);
	const struct hold second = hold_of(state, "c2", 0);
	struct cidr got;

	take_all(&first, &one, 1, &got);
	range.at = 0;
	refused(&second, both, 2, CNI_ERROR_EXHAUSTED, "no free address");
	assert_int_equal(range.rewinds, 0); /* nothing was taken back */
	assert_leased(state, 1, 1);
}

/* Leases the address to an attachment in a namespace that is gone by then. */
static void
leave_by_a_vanished_pod(void **state, const char *container, const char *address)
{
	struct hold hold = hold_of(state, container, 0);
	scoped_fd int netns = other_namespace();

	assert_int_equal(netns_id_read(netns, &hold.who.netns_id, NULL), 0);
	take_one(&hold, address);
}

static void
addresses_of_vanished_pods_are_taken_back_when_a_choice_is_exhausted(void **state)
{
	struct range range = {.first = 10, .last = 12};
	const struct hold_choice choice = any_of(&range);
	const struct hold living = hold_of(state, "c1", 0);
	const struct hold hold = hold_of(state, "c9", 0);
	struct cidr got;

	NEEDS_ROOT();
	take_one(&living, "10.0.3.10/24");
	leave_by_a_vanished_pod(state, "c2", "10.0.3.11/24");
	leave_by_a_vanished_pod(state, "c3", "10.0.3.12/24");
	take_all(&hold, &choice, 1, &got);
	assert_taken(&got, "10.0.3.11/24");
	assert_int_equal(range.rewinds, 1);
	assert_leased(state, 2, 2);
}

static void
a_fixed_address_of_a_vanished_pod_is_taken_at_once(void **state)
{
	const struct hold hold = hold_of(state, "c9", 0);

	NEEDS_ROOT();
	leave_by_a_vanished_pod(state, "c1", "10.0.2.40/24");
	take_one(&hold, "10.0.2.40/24");
	assert_leased(state, 1, 1);
}

static void
a_choice_never_yields_what_the_same_ADD_has_already(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	struct range one = {.first = 10, .last = 20};
	struct range same = {.first = 10, .last = 20};
	const struct hold_choice choices[] = {any_of(&one), fixed("10.0.3.10/24"), any_of(&same)};
	struct cidr got[3];

	take_all(&hold, choices, 3, got);
	assert_taken(&got[0], "10.0.3.11/24");
	assert_taken(&got[1], "10.0.3.10/24");
	assert_taken(&got[2], "10.0.3.12/24");
	assert_leased(state, 1, 3);
	release(state, "c1");
	assert_leased(state, 0, 0);
}

/* Deletes our own lease while the choice makes its ADD look for vanished pods. */
struct interrupted {
	void **state;
	bool done;
};

static bool
next_after_DEL(void *cookie, struct cidr *ret_candidate)
{
	struct interrupted *interrupted = cookie;

	(void)ret_candidate;
	if (interrupted->done)
		return false;
	interrupted->done = true;
	/* by hand: our own lock is held by this very process */
	scoped_free char *name = mem_format(
	    "%s/leases/by-attachment/mynet/c1:eth0", (char *)*interrupted->state);
	assert_int_equal(unlink(name), 0);
	return false;
}

static void
nothing_to_rewind(void *cookie)
{
	(void)cookie;
}

static void
a_DEL_while_an_ADD_is_under_way_is_told_as_what_it_is(void **state)
{
	struct interrupted interrupted = {.state = state};
	const struct hold hold = hold_of(state, "c1", 0);
	const struct hold_choice choice = {
	    .next = next_after_DEL, .rewind = nothing_to_rewind, .cookie = &interrupted};

	refused(&hold, &choice, 1, CNI_ERROR_TRY_LATER, "was deleted while its ADD");
	assert_leased(state, 0, 0);
}

/* ---- several attachments ---------------------------------------------------- */

static void
I1_a_held_address_is_refused_by_its_holder_and_all_or_none_is_taken(void **state)
{
	const struct hold first = hold_of(state, "c1", 0);
	const struct hold second = hold_of(state, "c2", 0);
	const struct hold_choice both[] = {
	    fixed("10.0.2.39/24"), fixed("10.0.2.40/24"), fixed("10.0.2.41/24")};

	take_one(&first, "10.0.2.40/24");
	refused(&second, both, 3, CNI_ERROR_TRY_LATER, "pod default/p (UID u-c1, container c1");
	refused(&second, both, 3, CNI_ERROR_TRY_LATER, "waited 0 s");
	assert_leased(state, 1, 1);
}

static void
I8_the_same_name_with_another_UID_or_without_one_is_another_pod(void **state)
{
	struct hold first = hold_of(state, "c1", 0);
	struct hold second = hold_of(state, "c2", 0);
	const struct hold_choice choice = fixed("10.0.2.40/24");

	first.who.uid[0] = second.who.uid[0] = '\0';
	take_one(&first, "10.0.2.40/24");
	refused(&second, &choice, 1, CNI_ERROR_TRY_LATER, "UID unknown");
}

static void
the_same_pod_in_a_new_container_takes_its_lease_over_whole(void **state)
{
	struct hold first = hold_of(state, "c1", 0);
	struct hold second = hold_of(state, "c2", 0);
	const struct hold_choice both[] = {fixed("10.0.2.40/24"), fixed("fd00::1/64")};
	struct cidr got[2];

	memcpy(second.who.uid, first.who.uid, sizeof(second.who.uid));
	take_all(&first, both, 2, got);
	take_all(&second, both, 2, got);
	assert_taken(&got[1], "fd00::1/64");
	assert_leased(state, 1, 2);
	assert_true(is_there(*state, "leases/by-attachment/mynet/c2:eth0"));
	release(state, "c1"); /* late: it has nothing any more */
	assert_leased(state, 1, 2);
	assert_int_equal(hold_check(&second, got, 2, NULL), 0);
	assert_int_equal(hold_check(&first, got, 2, NULL), -CNI_ERROR_NOT_PERMITTED);
}

static void
a_take_over_with_fewer_addresses_frees_the_others(void **state)
{
	struct hold first = hold_of(state, "c1", 0);
	struct hold second = hold_of(state, "c2", 0);
	const struct hold_choice both[] = {fixed("10.0.2.40/24"), fixed("10.0.2.41/24")};
	struct cidr got[2];

	memcpy(second.who.uid, first.who.uid, sizeof(second.who.uid));
	take_all(&first, both, 2, got);
	take_one(&second, "10.0.2.41/24");
	assert_leased(state, 1, 1);
	assert_true(is_there(*state, "leases/network/mynet/10.0.2.41"));
}

/* One process of many: takes, holds for a moment, gives back; exit status 0 if so. */
static pid_t
start_taker(void **state, const char *container, const struct hold_choice *choices,
    unsigned count)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	struct hold hold = hold_of(state, container, 20);
	struct cidr got[ENTRY_IPS_MAX];
	struct err err = {0};
	int rc = hold_take(&hold, choices, count, got, &err);
	if (rc)
		(void)fprintf(stderr, "%s: %s\n", container, err.text);
	(void)usleep(1000);
	if (!rc)
		rc = hold_release(*state, "mynet", container, "eth0", &err);
	_exit(rc ? 1 : 0);
}

static unsigned
failures_of(const pid_t *children, unsigned count)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < count; i++) {
		int status = -1;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		failed += status != 0;
	}
	return failed;
}

static void
two_that_want_A_and_B_and_B_and_A_do_not_wait_for_each_other(void **state)
{
	const struct hold_choice one[] = {fixed("10.0.2.40/24"), fixed("10.0.2.41/24")};
	const struct hold_choice other[] = {fixed("10.0.2.41/24"), fixed("10.0.2.40/24")};
	pid_t children[20];

	for (unsigned i = 0; i < 20; i++) {
		scoped_free char *name = mem_format("c%u", i);
		children[i] = start_taker(state, name, i % 2 ? one : other, 2);
	}
	assert_int_equal(failures_of(children, 20), 0);
	assert_leased(state, 0, 0);
}

static void
the_same_ADD_twice_at_once_leases_once(void **state)
{
	const struct hold_choice both[] = {fixed("10.0.2.40/24"), fixed("10.0.2.41/24")};

	for (unsigned turn = 0; turn < 20; turn++) {
		pid_t child = fork();
		struct hold hold = hold_of(state, "c1", 5);
		struct cidr got[2];
		if (child == 0)
			_exit(hold_take(&hold, both, 2, got, NULL) ? 1 : 0);
		int rc = hold_take(&hold, both, 2, got, NULL);
		unsigned failed = failures_of(&child, 1) + (rc != 0);
		/* one of them may find that the other began anew; both may not */
		assert_true(failed < 2);
		assert_leased(state, 1, 2);
		release(state, "c1");
		assert_leased(state, 0, 0);
	}
}

/* ---- CHECK and GC ----------------------------------------------------------- */

static void
CHECK_compares_every_address(void **state)
{
	const struct hold hold = hold_of(state, "c1", 0);
	const struct hold_choice both[] = {fixed("10.0.2.40/24"), fixed("fd00::1/64")};
	struct cidr got[2];
	struct err err = {0};

	assert_int_equal(hold_check(&hold, got, 0, &err), 0);
	take_all(&hold, both, 2, got);
	assert_int_equal(hold_check(&hold, got, 2, &err), 0);
	assert_int_equal(hold_check(&hold, got, 1, &err), -CNI_ERROR_NOT_PERMITTED);
	assert_non_null(strstr(err.text, "has 2 leased addresses and should have 1"));
	got[1] = cidr_of("fd00::2/64");
	assert_int_equal(hold_check(&hold, got, 2, &err), -CNI_ERROR_NOT_PERMITTED);
	assert_non_null(strstr(err.text, "no lease of fd00::2/64"));
}

static void
GC_keeps_the_valid_and_ends_the_vanished(void **state)
{
	struct json_object *valid = json_tokener_parse("[{\"containerID\":\"c1\",\"ifname\":\"eth0\"}]");
	const struct hold unseen = hold_of(state, "c3", 0);
	struct err err = {0};

	NEEDS_ROOT();
	leave_by_a_vanished_pod(state, "c1", "10.0.2.40/24");
	leave_by_a_vanished_pod(state, "c2", "10.0.2.41/24");
	take_one(&unseen, "10.0.2.42/24");
	if (hold_collect(*state, "mynet", valid, &err))
		fail_msg("%s", err.text);
	json_object_put(valid);
	assert_leased(state, 1, 1);
	assert_true(is_there(*state, "leases/by-attachment/mynet/c1:eth0"));
}

static void
DEL_of_what_was_never_there_is_no_error(void **state)
{
	char longer[CONTAINER_ID_MAX + 2];

	memset(longer, 'c', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	release(state, "c1");
	release(state, longer);
	assert_false(is_there(*state, "leases")); /* and it makes nothing */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_ROOT(addresses_are_answered_in_the_order_they_were_asked_for),
	    WITH_ROOT(I5_the_same_question_has_the_same_answer),
	    WITH_ROOT(a_repeated_ADD_answers_in_the_order_and_with_the_prefixes_of_now),
	    WITH_ROOT(other_addresses_need_a_DEL_first),
	    WITH_ROOT(I1_the_same_addresses_in_another_domain_are_others),
	    WITH_ROOT(one_address_twice_is_refused),
	    WITH_ROOT(what_an_unanswered_ADD_left_is_ended_and_begun_anew),
	    WITH_ROOT(the_first_free_one_is_taken),
	    WITH_ROOT(an_exhausted_choice_is_103_and_leaves_nothing),
	    WITH_ROOT(addresses_of_vanished_pods_are_taken_back_when_a_choice_is_exhausted),
	    WITH_ROOT(a_fixed_address_of_a_vanished_pod_is_taken_at_once),
	    WITH_ROOT(a_choice_never_yields_what_the_same_ADD_has_already),
	    WITH_ROOT(a_DEL_while_an_ADD_is_under_way_is_told_as_what_it_is),
	    WITH_ROOT(I1_a_held_address_is_refused_by_its_holder_and_all_or_none_is_taken),
	    WITH_ROOT(I8_the_same_name_with_another_UID_or_without_one_is_another_pod),
	    WITH_ROOT(the_same_pod_in_a_new_container_takes_its_lease_over_whole),
	    WITH_ROOT(a_take_over_with_fewer_addresses_frees_the_others),
	    WITH_ROOT(two_that_want_A_and_B_and_B_and_A_do_not_wait_for_each_other),
	    WITH_ROOT(the_same_ADD_twice_at_once_leases_once),
	    WITH_ROOT(CHECK_compares_every_address),
	    WITH_ROOT(GC_keeps_the_valid_and_ends_the_vanished),
	    WITH_ROOT(DEL_of_what_was_never_there_is_no_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
