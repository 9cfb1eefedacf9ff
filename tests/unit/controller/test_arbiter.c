#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/arbiter.h"
#include "core/mem.h"

/* Writes down what the arbiter says: "+key=allocation", "-key", "~allocation". */
static struct buf heard;

static void
on_granted(void *cookie, const struct holding *holding, const struct wanted *row)
{
	(void)cookie;
	(void)buf_print(&heard, "+%s=%s ", row->key, holding->name);
}

static void
on_withdrawn(void *cookie, const char *key)
{
	(void)cookie;
	(void)buf_print(&heard, "-%s ", key);
}

static void
on_changed(void *cookie, const struct holding *holding)
{
	(void)cookie;
	(void)buf_print(&heard, "~%s ", holding->name);
}

static const struct arbiter_events events = {on_granted, on_withdrawn, on_changed};

static int
setup(void **state)
{
	heard = buf_make(1 << 20);
	*state = arbiter_new(&events, NULL);
	return 0;
}

static int
teardown(void **state)
{
	arbiter_free(*state);
	buf_release(&heard);
	return 0;
}

/* rows: "pod ip[,ip]; pod ip" */
static struct holding *
want(const char *name, const char *created, const char *network, const char *rows)
{
	struct holding *holding = mem_new(1, sizeof(*holding));
	char copy[4096];
	char *rest = copy;
	char *one;

	(void)snprintf(copy, sizeof(copy), "%s", rows);
	holding->uid = mem_format("uid-%s", name);
	holding->name = mem_text(name);
	holding->created = mem_text(created);
	holding->network = mem_text(network);
	holding->domain = mem_format("network/%s", network);
	holding->routes = mem_new(1, sizeof(*holding->routes));
	while ((one = strsep(&rest, ";"))) {
		one += strspn(one, " ");
		char *ips = strchr(one, ' ');
		*ips++ = '\0';
		holding->rows = mem_resize(
		    holding->rows, holding->row_count + 1, sizeof(*holding->rows));
		struct wanted *row = &holding->rows[holding->row_count++];
		*row = (struct wanted){.key = mem_format("%s/ns/%s", network, one)};
		row->entry.ips = mem_new(ENTRY_IPS_MAX, sizeof(*row->entry.ips));
		char *ip;
		while ((ip = strsep(&ips, ",")))
			assert_int_equal(cidr_parse(ip, strlen(ip),
			    &row->entry.ips[row->entry.ip_count++], NULL), 0);
	}
	return holding;
}

static void
expect(const char *text)
{
	assert_string_equal(buf_string(&heard), text);
	buf_clear(&heard);
}

static void
the_first_keeps_an_address_and_the_second_is_told_who_has_it(void **state)
{
	arbiter_put(*state, want("b", "2026-02", "net", "p0 10.0.0.1/24"));
	expect("+net/ns/p0=b ");
	/* older, but not the incumbent (R3) */
	arbiter_put(*state, want("a", "2026-01", "net", "q0 10.0.0.1/24"));
	expect("");
	const struct holding *loser = arbiter_find(*state, "uid-a");
	assert_int_equal(loser->refused, 1);
	assert_string_equal(loser->rows[0].reason, "AddressConflict");
	assert_non_null(strstr(loser->rows[0].refusal, "10.0.0.1"));
	assert_non_null(strstr(loser->rows[0].refusal, "StaticIPAllocation b"));
	assert_non_null(strstr(loser->rows[0].refusal, "rule R2"));
}

static void
what_becomes_free_goes_to_the_oldest_that_waits(void **state)
{
	arbiter_put(*state, want("c", "2026-03", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("b", "2026-02", "net", "q0 10.0.0.1/24"));
	arbiter_put(*state, want("a", "2026-01", "net", "r0 10.0.0.1/24"));
	buf_clear(&heard);
	arbiter_remove(*state, "uid-c");
	expect("-net/ns/p0 +net/ns/r0=a ~a ~b ");
	assert_non_null(strstr(arbiter_find(*state, "uid-b")->rows[0].refusal, "Allocation a"));
	arbiter_remove(*state, "uid-a");
	expect("-net/ns/r0 +net/ns/q0=b ~b ");
}

static void
the_same_age_is_decided_by_uid(void **state)
{
	arbiter_put(*state, want("z", "2026-01", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("y", "2026-01", "net", "q0 10.0.0.1/24"));
	arbiter_put(*state, want("x", "2026-01", "net", "r0 10.0.0.1/24"));
	buf_clear(&heard);
	arbiter_remove(*state, "uid-z");
	expect("-net/ns/p0 +net/ns/r0=x ~x ~y ");
}

static void
a_row_gets_all_its_addresses_or_none(void **state)
{
	arbiter_put(*state, want("a", "1", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("b", "2", "net", "q0 10.0.0.2/24,10.0.0.1/24; q1 10.0.0.3/24"));
	expect("+net/ns/p0=a +net/ns/q1=b ");
	/* 10.0.0.2 was not taken by the refused row */
	arbiter_put(*state, want("c", "3", "net", "r0 10.0.0.2/24"));
	expect("+net/ns/r0=c ");
	arbiter_remove(*state, "uid-a");
	/* b still lacks 10.0.0.2: now it is told so */
	expect("-net/ns/p0 ~b ");
	assert_non_null(strstr(arbiter_find(*state, "uid-b")->rows[0].refusal, "Allocation c"));
	arbiter_remove(*state, "uid-c");
	expect("-net/ns/r0 +net/ns/q0=b ~b ");
}

static void
another_network_is_another_domain(void **state)
{
	arbiter_put(*state, want("a", "1", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("b", "2", "other", "p0 10.0.0.1/24"));
	expect("+net/ns/p0=a +other/ns/p0=b ");
}

static void
a_pod_has_one_allocation_per_network(void **state)
{
	arbiter_put(*state, want("a", "1", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("b", "2", "net", "p0 10.0.0.2/24"));
	expect("+net/ns/p0=a ");
	assert_string_equal(arbiter_find(*state, "uid-b")->rows[0].reason, "TargetConflict");
	/* the address that it did not get is free */
	arbiter_put(*state, want("c", "3", "net", "q0 10.0.0.2/24"));
	expect("+net/ns/q0=c ");
}

static void
an_edit_keeps_what_it_had_against_those_who_wait(void **state)
{
	arbiter_put(*state, want("b", "2", "net", "p0 10.0.0.1/24; p1 10.0.0.2/24"));
	arbiter_put(*state, want("a", "1", "net", "q0 10.0.0.1/24; q1 10.0.0.2/24"));
	buf_clear(&heard);
	/* b swaps its two addresses and drops nothing: a stays outside */
	arbiter_put(*state, want("b", "2", "net", "p0 10.0.0.2/24; p1 10.0.0.1/24"));
	expect("+net/ns/p0=b +net/ns/p1=b "); /* a is told nothing: nothing is new */
	assert_int_equal(arbiter_find(*state, "uid-a")->refused, 2);
	/* b gives one up: a gets it */
	arbiter_put(*state, want("b", "2", "net", "p0 10.0.0.2/24"));
	expect("-net/ns/p1 +net/ns/p0=b +net/ns/q0=a ~a ");
}

static void
an_edit_that_loses_a_conflict_withdraws_the_row(void **state)
{
	arbiter_put(*state, want("a", "1", "net", "p0 10.0.0.1/24"));
	arbiter_put(*state, want("b", "2", "net", "q0 10.0.0.2/24"));
	buf_clear(&heard);
	/* R5 goes before R3 */
	arbiter_put(*state, want("b", "2", "net", "q0 10.0.0.2/24,10.0.0.1/24"));
	expect("-net/ns/q0 ");
	arbiter_put(*state, want("c", "3", "net", "r0 10.0.0.2/24"));
	expect("+net/ns/r0=c ");
	/* and its deletion withdraws nothing twice */
	arbiter_remove(*state, "uid-b");
	expect("");
}

static void
addresses_of_ten_thousand_random_changes_are_never_had_twice(void **state)
{
	struct seen {
		char *owner[32];
	} seen;

	srand(7);
	for (int step = 0; step < 10000; step++) {
		char name[8];
		char rows[128];
		(void)snprintf(name, sizeof(name), "n%d", rand() % 12);
		if (rand() % 4 == 0) {
			char uid[24];
			(void)snprintf(uid, sizeof(uid), "uid-%s", name);
			arbiter_remove(*state, uid);
		} else {
			/* rows of one object do not overlap: rule V8 */
			int base = rand() % 28;
			(void)snprintf(rows, sizeof(rows),
			    "%s-0 10.0.0.%d/24,10.0.0.%d/24; %s-1 10.0.0.%d/24", name, base,
			    base + 1, name, base + 2);
			arbiter_put(*state, want(name, name, "net", rows));
		}
		memset(&seen, 0, sizeof(seen));
		for (int n = 0; n < 12; n++) {
			char uid[24];
			(void)snprintf(uid, sizeof(uid), "uid-n%d", n);
			const struct holding *holding = arbiter_find(*state, uid);
			unsigned refused = 0;
			for (unsigned i = 0; holding && i < holding->row_count; i++) {
				const struct wanted *row = &holding->rows[i];
				refused += !row->granted;
				for (unsigned k = 0; row->granted && k < row->entry.ip_count; k++) {
					uint8_t last = row->entry.ips[k].ip.bytes[3];
					assert_null(seen.owner[last]);
					seen.owner[last] = row->key;
				}
			}
			if (holding)
				assert_int_equal(holding->refused, refused);
		}
		/* and nobody waits for what is free */
		for (int n = 0; n < 12; n++) {
			char uid[24];
			(void)snprintf(uid, sizeof(uid), "uid-n%d", n);
			const struct holding *holding = arbiter_find(*state, uid);
			for (unsigned i = 0; holding && i < holding->row_count; i++) {
				const struct wanted *row = &holding->rows[i];
				bool taken = row->granted;
				for (unsigned k = 0; k < row->entry.ip_count; k++)
					taken |= seen.owner[row->entry.ips[k].ip.bytes[3]] != NULL;
				assert_true(taken);
			}
		}
		buf_clear(&heard);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(the_first_keeps_an_address_and_the_second_is_told_who_has_it),
	    T(what_becomes_free_goes_to_the_oldest_that_waits),
	    T(the_same_age_is_decided_by_uid),
	    T(a_row_gets_all_its_addresses_or_none),
	    T(another_network_is_another_domain),
	    T(a_pod_has_one_allocation_per_network),
	    T(an_edit_keeps_what_it_had_against_those_who_wait),
	    T(an_edit_that_loses_a_conflict_withdraws_the_row),
	    T(addresses_of_ten_thousand_random_changes_are_never_had_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
