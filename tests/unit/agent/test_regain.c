#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <json-c/json.h>

#include "agent/regain.h"
#include "table/json.h"

static const char node[] =
    "{\"spec\":{"
    "\"rows\":["
    "{\"key\":\"podnet/default/ex-0/net1\",\"uid\":\"u-2\",\"state\":\"Granted\",\"domain\":\"network/podnet\",\"ips\":[\"10.0.2.41/24\",\"fd00::41/64\"]},"
    "{\"key\":\"podnet/default/ex-1\",\"uid\":\"u-3\",\"state\":\"Held\",\"message\":\"wait\"}],"
    "\"revoked\":[{\"uid\":\"u-4\",\"addresses\":[\"network/podnet 10.0.2.44\",\"pool/office fd00::44\",\"rubbish\",\"a b/c\"]},{\"uid\":\"u-5\"}]},"
    "\"status\":{\"attachments\":["
    "{\"network\":\"podnet\",\"domain\":\"network/podnet\",\"container\":\"c1\",\"interface\":\"eth0\",\"namespace\":\"default\",\"pod\":\"ex-9\",\"uid\":\"u-1\",\"ips\":[\"10.0.2.40/24\"]},"
    "{\"network\":\"podnet\",\"domain\":\"network/podnet\",\"container\":\"../c1\",\"interface\":\"eth0\",\"ips\":[\"10.0.2.40/24\"]},"
    "{\"network\":\"../../etc\",\"domain\":\"network/podnet\",\"container\":\"c1\",\"interface\":\"eth0\",\"ips\":[\"10.0.2.40/24\"]},"
    "7]}}";

static void
assert_lease(const struct lease *lease, const char *uid, const char *container,
    const char *ifname, const char *domain, const char *ip)
{
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(lease->holder.uid, uid);
	assert_string_equal(lease->holder.container, container);
	assert_string_equal(lease->holder.ifname, ifname);
	assert_string_equal(lease->domain, domain);
	assert_string_equal(cidr_print(&lease->ips[0], text), ip);
}

static void
who_may_have_a_lease_is_read_from_status_grants_and_revocations(void **state)
{
	scoped_json *object = NULL;
	scoped_regain_known known = {.count = 0};

	(void)state;
	assert_int_equal(json_parse(node, strlen(node), "test", &object, NULL), 0);
	regain_add_node(object, &known);
	assert_int_equal(known.count, 4);
	assert_lease(&known.list[0], "u-1", "c1", "eth0", "network/podnet", "10.0.2.40/24");
	assert_string_equal(known.list[0].holder.pod, "ex-9");
	assert_lease(&known.list[1], "u-2", "", "net1", "network/podnet", "10.0.2.41/24");
	assert_int_equal(known.list[1].ip_count, 2);
	assert_string_equal(known.list[1].holder.pod, "ex-0");
	assert_lease(&known.list[2], "u-4", "", "", "network/podnet", "10.0.2.44/32");
	assert_lease(&known.list[3], "u-4", "", "", "pool/office", "fd00::44/128");
	assert_string_equal(known.list[3].holder.network, "office");
}

static void
what_is_no_object_adds_nothing(void **state)
{
	scoped_regain_known known = {.count = 0};
	scoped_json *empty = json_object_new_object();

	(void)state;
	regain_add_node(empty, &known);
	regain_add_node(NULL, &known);
	regain_add_attachments(NULL, &known);
	assert_int_equal(known.count, 0);
}

static void
what_was_seen_keeps_its_namespace_and_nothing_that_is_no_file_name(void **state)
{
	scoped_regain_known known = {.count = 0};
	struct lease seen[2] = {{.holder = {.network = "podnet", .container = "c1",
	    .ifname = "eth0", .uid = "u-1", .netns_id = {.inode = 7, .cookie = 9}},
	    .domain = "network/podnet", .ip_count = 1, .adds = 5, .closing = true}};

	(void)state;
	seen[1] = seen[0];
	(void)snprintf(seen[1].holder.network, sizeof(seen[1].holder.network), "../etc");
	assert_int_equal(cidr_parse("10.0.2.40/24", 12, &seen[0].ips[0], NULL), 0);
	regain_add_leases(seen, 2, &known);
	assert_int_equal(known.count, 1);
	assert_lease(&known.list[0], "u-1", "c1", "eth0", "network/podnet", "10.0.2.40/24");
	assert_true(netns_id_equal(&known.list[0].holder.netns_id, &seen[0].holder.netns_id));
	assert_int_equal(known.list[0].adds, 1);
	assert_false(known.list[0].closing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_may_have_a_lease_is_read_from_status_grants_and_revocations),
	    cmocka_unit_test(what_is_no_object_adds_nothing),
	    cmocka_unit_test(what_was_seen_keeps_its_namespace_and_nothing_that_is_no_file_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
