#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/ledger_text.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"

static struct ip
ip(const char *text)
{
	struct ip result;

	assert_int_equal(ip_parse(text, strlen(text), &result, NULL), 0);
	return result;
}

static char *
name_of(const char *domain, const char *address)
{
	const struct ip one = ip(address);
	const struct cidr cidr = block_cidr(&one);

	return block_name(domain, &cidr);
}

static void
expect_cidr(const char *address, const char *cidr)
{
	const struct ip one = ip(address);
	const struct cidr is = block_cidr(&one);
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(cidr_print(&is, text), cidr);
}

static void
a_block_is_the_aligned_64_addresses_around_an_address(void **state)
{
	(void)state;
	expect_cidr("10.0.2.0", "10.0.2.0/26");
	expect_cidr("10.0.2.63", "10.0.2.0/26");
	expect_cidr("10.0.2.64", "10.0.2.64/26");
	expect_cidr("255.255.255.255", "255.255.255.192/26");
	expect_cidr("fec0::3f", "fec0::/122");
	expect_cidr("fec0::40", "fec0::40/122");
	expect_cidr("fec0::ffff", "fec0::ffc0/122");
}

static void
expect_name(const char *domain, const char *address)
{
	scoped_free char *name = name_of(domain, address);

	if (!key_subdomain_valid(name))
		fail_msg("%s at %s has the name %s", domain, address, name);
}

static void
a_block_has_a_name_that_an_object_may_have_whatever_its_domain(void **state)
{
	char longest[NETWORK_NAME_MAX + sizeof("network/")] = "network/";

	(void)state;
	memset(longest + strlen(longest), 'N', NETWORK_NAME_MAX);
	assert_true(key_domain_valid(longest));
	expect_name(longest, "fec0:aaaa:bbbb:cccc:dddd:eeee:ffff:1");
	expect_name(longest, "255.255.255.255");
	expect_name("network/a", "::");
	expect_name("network/9_.-", "10.0.2.1");
	expect_name("network/Back_End.7", "10.0.2.1");
	expect_name("pool/a.b", "10.0.2.1");
}

static void
domains_that_look_the_same_in_a_name_have_different_blocks(void **state)
{
	static const char *const domains[] = {"network/a-b", "network/a_b", "network/a.b",
	    "network/A-B", "network/a-B", "pool/a-b", "pool/a.b"};
	enum { COUNT = sizeof(domains) / sizeof(domains[0]) };
	char *names[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		names[i] = name_of(domains[i], "10.0.2.1");
	for (unsigned i = 0; i < COUNT; i++)
		for (unsigned k = i + 1; k < COUNT; k++)
			assert_string_not_equal(names[i], names[k]);
	for (unsigned i = 0; i < COUNT; i++)
		mem_free(names[i]);
}

static int
decode(const char *name, const char *spec, struct block_text *ret_text, struct err *err)
{
	scoped_free char *text = mem_format("{\"spec\":%s}", spec);
	scoped_json *object = NULL;

	assert_int_equal(json_parse(text, strlen(text), "block", &object, NULL), 0);
	return block_decode(name, object, ret_text, err);
}

static void
what_is_no_block_is_refused_with_its_name_and_a_reason(void **state)
{
	static const struct {
		const char *spec, *reason;
	} cases[] = {
	    {"{}", "no domain or cidr"},
	    {"{\"domain\":\"network/net\"}", "no domain or cidr"},
	    {"{\"domain\":\"net\",\"cidr\":\"10.0.2.0/26\"}", "no domain or cidr"},
	    {"{\"domain\":7,\"cidr\":\"10.0.2.0/26\"}", "no domain or cidr"},
	    {"{\"domain\":\"network/net\",\"cidr\":\"10.0.2.0\"}", "10.0.2.0"},
	    {"{\"domain\":\"network/net\",\"cidr\":\"10.0.2.64/26\"}", "its name is not that of"},
	    {"{\"domain\":\"network/other\",\"cidr\":\"10.0.2.0/26\"}", "its name is not that of"},
	    {"{\"domain\":\"network/net\",\"cidr\":\"10.0.2.1/26\"}", "its name is not that of"},
	    {"{\"domain\":\"network/net\",\"cidr\":\"10.0.2.0/25\"}", "its name is not that of"},
#define FRAME "{\"domain\":\"network/net\",\"cidr\":\"10.0.2.0/26\",\"entries\":"
	    {FRAME "[{\"address\":\"10.0.2.64\",\"uid\":\"u\",\"pod\":\"ns/p\"}]}",
	        "10.0.2.64 lies outside of the block"},
	    {FRAME "[{\"address\":\"fec0::1\",\"uid\":\"u\",\"pod\":\"ns/p\"}]}", "outside"},
	    {FRAME "[{\"address\":\"10.0.2.040\",\"uid\":\"u\",\"pod\":\"ns/p\"}]}", "10.0.2.040"},
	    {FRAME "[{\"address\":\"10.0.2.4\",\"pod\":\"ns/p\"}]}", "without address, uid or pod"},
	    {FRAME "[{\"address\":\"10.0.2.4\",\"uid\":\"\",\"pod\":\"ns/p\"}]}",
	        "without address, uid or pod"},
	    {FRAME "[{\"address\":\"10.0.2.4\",\"uid\":\"u\"}]}", "without address, uid or pod"},
	    {FRAME "[{\"uid\":\"u\",\"pod\":\"ns/p\"}]}", "without address, uid or pod"},
	    {FRAME "[null]}", "without address, uid or pod"},
	    {FRAME "[{\"address\":\"10.0.2.4\",\"uid\":\"u\",\"pod\":\"ns/p\"},"
	           "{\"address\":\"10.0.2.5\",\"uid\":\"u\",\"pod\":\"ns/p\"},"
	           "{\"address\":\"10.0.2.4\",\"uid\":\"v\",\"pod\":\"ns/q\"}]}",
	        "10.0.2.4 is there twice"},
	    {FRAME "{\"10.0.2.4\":\"u\"}}", "entries are no list"},
	};
	scoped_free char *name = name_of("network/net", "10.0.2.40");

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct block_text text;
		struct err err = {0};
		if (decode(name, cases[i].spec, &text, &err) != -EINVAL)
			fail_msg("%s was taken", cases[i].spec);
		if (!strstr(err.text, cases[i].reason) || !strstr(err.text, name))
			fail_msg("%s: \"%s\" does not say \"%s\" and %s", cases[i].spec, err.text,
			    cases[i].reason, name);
	}
}

static void
what_is_written_reads_back_the_same_in_the_order_of_addresses(void **state)
{
	static const char spec[] =
	    "{\"domain\":\"network/net\",\"cidr\":\"fec0::/122\",\"entries\":["
	    "{\"address\":\"fec0::1\",\"uid\":\"u1\",\"pod\":\"ns/a\"},"
	    "{\"address\":\"fec0::a\",\"uid\":\"u2\",\"pod\":\"ns/b\",\"node\":\"n1\","
	    "\"nodeUID\":\"m1\",\"allocation\":\"ns/ex\",\"since\":\"2026-11-21T15:00:00Z\"}],"
	    "\"summary\":\"fec0::1 ns/a, fec0::a ns/b on n1\"}";
	static const char turned[] =
	    "{\"domain\":\"network/net\",\"cidr\":\"fec0::/122\",\"entries\":["
	    "{\"address\":\"fec0::a\",\"uid\":\"u2\",\"pod\":\"ns/b\",\"node\":\"n1\","
	    "\"nodeUID\":\"m1\",\"allocation\":\"ns/ex\",\"since\":\"2026-11-21T15:00:00Z\"},"
	    "{\"address\":\"fec0::1\",\"uid\":\"u1\",\"pod\":\"ns/a\"}]}";
	scoped_free char *name = name_of("network/net", "fec0::2");
	struct block_text text;
	struct err err = {0};

	(void)state;
	if (decode(name, turned, &text, &err))
		fail_msg("%s", err.text);
	assert_int_equal(text.count, 2);
	assert_null(text.entries[0].node);
	assert_string_equal(text.entries[1].node_uid, "m1");
	const struct block block = {.name = name, .domain = text.domain, .cidr = text.cidr};
	scoped_json *object = block_encode(&block, text.entries, text.count);
	assert_string_equal(json_path_text(object, "metadata.name"), name);
	assert_string_equal(json_path_text(object, "kind"), "StaticIPBlock");
	assert_string_equal(json_print(json_path(object, "spec")), spec);
	for (unsigned i = 0; i < text.count; i++)
		held_release(&text.entries[i]);
	mem_free(text.entries);
	mem_free(text.domain);
}

static void
people_read_the_first_three_holders_and_how_many_there_are_beside_them(void **state)
{
	char pod[] = "ns/a", node[] = "n1", name[] = "b", domain[] = "network/net";
	const struct held entries[] = {{.ip = ip("10.0.0.1"), .pod = pod, .node = node},
	    {.ip = ip("10.0.0.2"), .pod = pod}, {.ip = ip("10.0.0.3"), .pod = pod},
	    {.ip = ip("10.0.0.4"), .pod = pod}, {.ip = ip("10.0.0.5"), .pod = pod}};
	static const char *const summaries[] = {NULL, "10.0.0.1 ns/a on n1",
	    "10.0.0.1 ns/a on n1, 10.0.0.2 ns/a",
	    "10.0.0.1 ns/a on n1, 10.0.0.2 ns/a, 10.0.0.3 ns/a",
	    "10.0.0.1 ns/a on n1, 10.0.0.2 ns/a, 10.0.0.3 ns/a + 1 more",
	    "10.0.0.1 ns/a on n1, 10.0.0.2 ns/a, 10.0.0.3 ns/a + 2 more"};
	const struct block block = {.name = name, .domain = domain, .cidr = block_cidr(&entries[0].ip)};

	(void)state;
	for (unsigned count = 0; count <= 5; count++) {
		scoped_json *object = block_encode(&block, entries, count);
		const char *is = json_path_text(object, "spec.summary");
		if (count == 0)
			assert_null(is);
		else
			assert_string_equal(is, summaries[count]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_block_is_the_aligned_64_addresses_around_an_address),
	    cmocka_unit_test(a_block_has_a_name_that_an_object_may_have_whatever_its_domain),
	    cmocka_unit_test(domains_that_look_the_same_in_a_name_have_different_blocks),
	    cmocka_unit_test(what_is_no_block_is_refused_with_its_name_and_a_reason),
	    cmocka_unit_test(what_is_written_reads_back_the_same_in_the_order_of_addresses),
	    cmocka_unit_test(people_read_the_first_three_holders_and_how_many_there_are_beside_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
