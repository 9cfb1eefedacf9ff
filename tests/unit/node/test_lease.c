#include <errno.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "leases.h"
#include "table/json.h"

static struct lease
whole_lease(void)
{
	struct lease lease = lease_of("c1", "10.0.2.40/24", "fec0:aaaa:1::40/64");

	lease.holder.netns_id = (struct netns_id){.inode = 4026531840, .cookie = 7};
	lease.adds = 3;
	former_add(&lease.former, &(struct mac){{2, 0, 0, 0, 0, 0xb}});
	former_add(&lease.former, &(struct mac){{2, 0, 0, 0, 0, 0xa}});
	lease.closing = true;
	return lease;
}

static void
assert_same_text(const struct lease *a, const struct lease *b)
{
	scoped_buf one = buf_make(LEASE_BYTES);
	scoped_buf other = buf_make(LEASE_BYTES);

	assert_int_equal(lease_encode(a, &one, NULL), 0);
	assert_int_equal(lease_encode(b, &other, NULL), 0);
	assert_string_equal(buf_string(&one), buf_string(&other));
}

static void
what_is_written_is_read_back(void **state)
{
	const struct lease lease = whole_lease();
	scoped_buf text = buf_make(LEASE_BYTES);
	struct lease back;
	struct err err = {0};

	(void)state;
	assert_int_equal(lease_encode(&lease, &text, &err), 0);
	assert_int_equal(lease_decode(text.data, text.length, &back, &err), 0);
	assert_string_equal(back.holder.network, "mynet");
	assert_string_equal(back.holder.container, "c1");
	assert_string_equal(back.holder.ifname, "eth0");
	assert_string_equal(back.holder.namespace, "default");
	assert_string_equal(back.holder.pod, "p");
	assert_string_equal(back.holder.uid, "u-c1");
	assert_string_equal(back.holder.netns, "/nowhere");
	assert_true(netns_id_equal(&back.holder.netns_id, &lease.holder.netns_id));
	assert_string_equal(back.domain, "network/mynet");
	assert_int_equal(back.ip_count, 2);
	assert_true(cidr_equal(&back.ips[1], &lease.ips[1]));
	assert_int_equal(back.since, 1700000000);
	assert_int_equal(back.adds, 3);
	assert_int_equal(back.former.count, 2);
	assert_int_equal(back.former.list[0].bytes[5], 0xa);
	assert_int_equal(back.former.list[1].bytes[5], 0xb);
	assert_true(back.closing);
	assert_same_text(&back, &lease);
}

static void
a_record_has_exactly_its_size_whatever_it_says(void **state)
{
	struct lease lease = whole_lease();
	scoped_buf text = buf_make(3 * LEASE_BYTES);

	(void)state;
	assert_int_equal(lease_encode(&lease, &text, NULL), 0);
	assert_int_equal(text.length, LEASE_BYTES);
	lease.ip_count = 0;
	lease.closing = false;
	assert_int_equal(lease_encode(&lease, &text, NULL), 0);
	assert_int_equal(text.length, 2 * LEASE_BYTES);
	assert_int_equal(text.data[text.length - 1], '\n');
}

static void
fill(char *text, size_t size, char letter)
{
	memset(text, letter, size - 1);
	text[size - 1] = '\0';
}

static void
fill_all(struct lease *lease, char letter)
{
	struct attachment *holder = &lease->holder;

	fill(holder->network, sizeof(holder->network), letter);
	fill(holder->container, sizeof(holder->container), letter);
	fill(holder->ifname, sizeof(holder->ifname), letter);
	fill(holder->namespace, sizeof(holder->namespace), letter);
	fill(holder->pod, sizeof(holder->pod), letter);
	fill(holder->uid, sizeof(holder->uid), letter);
	fill(holder->netns, sizeof(holder->netns), letter);
	fill(lease->domain, sizeof(lease->domain), letter);
}

static void
the_longest_names_and_the_most_addresses_fit(void **state)
{
	struct lease lease = whole_lease();
	struct lease back;
	struct err err = {0};
	scoped_buf text = buf_make(LEASE_BYTES);

	(void)state;
	fill_all(&lease, 'x');
	lease.former.count = FORMER_MACS_MAX;
	lease.ip_count = ENTRY_IPS_MAX;
	for (unsigned i = 0; i < ENTRY_IPS_MAX; i++) {
		lease.ips[i] = cidr_of("2001:db8:1111:2222:3333:4444:5555:6666/128");
		lease.ips[i].ip.bytes[15] = (uint8_t)i;
	}
	if (lease_encode(&lease, &text, &err))
		fail_msg("%s", err.text);
	assert_int_equal(lease_decode(text.data, text.length, &back, &err), 0);
	assert_same_text(&back, &lease);
}

static void
names_that_do_not_fit_once_escaped_are_refused_by_container(void **state)
{
	struct lease lease = whole_lease();
	struct err err = {0};
	scoped_buf text = buf_make(2 * LEASE_BYTES);

	(void)state;
	fill(lease.holder.netns, sizeof(lease.holder.netns), '\1');
	assert_int_equal(lease_encode(&lease, &text, &err), -EFBIG);
	assert_non_null(strstr(err.text, "container c1"));
	assert_int_equal(text.length, 0);
}

/* What decoding says of the whole lease's record after one member is another value;
 * NULL: is not there. */
static int
decode_with(const char *key, struct json_object *value, struct err *err)
{
	const struct lease lease = whole_lease();
	scoped_buf text = buf_make(LEASE_BYTES);
	scoped_json *object = NULL;
	struct lease back = {.adds = 99};

	assert_int_equal(lease_encode(&lease, &text, NULL), 0);
	assert_int_equal(json_parse(text.data, text.length, "lease", &object, NULL), 0);
	assert_true(json_object_object_get_ex(object, key, NULL));
	json_object_object_del(object, key);
	if (value)
		json_object_object_add(object, key, value);
	const char *changed = json_print(object);
	int rc = lease_decode(changed, strlen(changed), &back, err);
	if (rc)
		assert_int_equal(back.adds, 99); /* nothing is written on failure */
	return rc;
}

static void
refused(const char *key, struct json_object *value)
{
	struct err err = {0};
	int rc = decode_with(key, value, &err);

	if (rc != -EINVAL)
		fail_msg("%s: %d instead of %d: %s", key, rc, -EINVAL, err.text);
	if (!strstr(err.text, key) && strcmp(key, "ips") != 0)
		fail_msg("'%s' does not name %s", err.text, key);
}

static void
every_missing_or_wrong_field_is_named(void **state)
{
	static const char *const texts[] = {"network", "container", "ifname", "namespace", "pod",
	    "uid", "netns", "domain"};
	static const char *const numbers[] = {"inode", "cookie", "since", "adds"};
	char longer[NETNS_PATH_MAX + 2];

	(void)state;
	fill(longer, sizeof(longer), 'x');
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		refused(texts[i], NULL);
		refused(texts[i], json_object_new_int(7));
		refused(texts[i], json_object_new_string(longer));
		refused(texts[i], json_object_new_string_len("a\0b", 3));
	}
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		refused(numbers[i], NULL);
		refused(numbers[i], json_object_new_string("7"));
		refused(numbers[i], json_object_new_int64(-1));
	}
	refused("closing", json_object_new_int(1));
}

static struct json_object *
list_of(unsigned count, struct json_object *(*item)(void))
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < count; i++)
		json_object_array_add(list, item());
	return list;
}

static struct json_object *
an_address(void)
{
	return json_object_new_string("10.0.2.40/24");
}

static struct json_object *
a_bare_address(void)
{
	return json_object_new_string("10.0.2.40");
}

static struct json_object *
a_number(void)
{
	return json_object_new_int(7);
}

static struct json_object *
a_null(void)
{
	return NULL;
}

static void
addresses_that_are_none_are_refused(void **state)
{
	struct err err = {0};

	(void)state;
	refused("ips", NULL);
	refused("ips", json_object_new_string("10.0.2.40/24"));
	refused("ips", list_of(1, a_bare_address));
	refused("ips", list_of(1, a_number));
	refused("ips", list_of(1, a_null));
	refused("ips", list_of(ENTRY_IPS_MAX + 1, an_address));
	refused("ips", list_of(2, an_address)); /* one twice */
	assert_int_equal(decode_with("ips", list_of(1, an_address), &err), 0);
	assert_int_equal(decode_with("ips", list_of(0, an_address), &err), 0);
	assert_int_equal(decode_with("closing", NULL, &err), 0);
}

static struct json_object *
a_mac(void)
{
	return json_object_new_string("02:00:00:00:00:0a");
}

/* Whoever wrote it; a lease of a plugin that does not know the member is as good. */
static void
former_MACs_that_are_none_are_refused(void **state)
{
	static const char *const texts[] = {"", "02:00:00:00:00:0A", "02:00:00:00:00:0",
	    "02:00:00:00:00:0a:", "02-00-00-00-00-0a", "02:00:00:00:00:0a0", "2:0:0:0:0:a"};
	struct err err = {0};

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct json_object *list = json_object_new_array();
		json_object_array_add(list, json_object_new_string(texts[i]));
		refused("former", list);
	}
	refused("former", a_mac());
	refused("former", list_of(1, a_number));
	refused("former", list_of(1, a_null));
	refused("former", list_of(FORMER_MACS_MAX + 1, a_mac));
	assert_int_equal(decode_with("former", list_of(FORMER_MACS_MAX, a_mac), &err), 0);
	assert_int_equal(decode_with("former", NULL, &err), 0);
}

static void
the_latest_former_MACs_are_remembered_each_once(void **state)
{
	struct former former = {.count = 0};
	struct former older = {.list = {{{9}}, {{6}}}, .count = 2};

	(void)state;
	for (uint8_t i = 1; i <= FORMER_MACS_MAX + 2; i++)
		former_add(&former, &(struct mac){{i}});
	former_add(&former, &(struct mac){{FORMER_MACS_MAX}});
	assert_int_equal(former.count, FORMER_MACS_MAX);
	assert_int_equal(former.list[0].bytes[0], FORMER_MACS_MAX);
	assert_int_equal(former.list[1].bytes[0], FORMER_MACS_MAX + 2);
	former_append(&former, &older);
	assert_int_equal(former.count, FORMER_MACS_MAX);
	former.count = 2;
	former_append(&former, &older);
	assert_int_equal(former.count, 3); /* 6 is there */
	assert_int_equal(former.list[2].bytes[0], 9);
}

static void
what_is_no_JSON_is_refused(void **state)
{
	static const char *const texts[] = {"", " ", "{", "[]", "null", "7", "{}{}", "rubbish"};

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lease back;
		struct err err = {0};
		int rc = lease_decode(texts[i], strlen(texts[i]), &back, &err);
		if (rc != -EBADMSG && rc != -EINVAL)
			fail_msg("'%s': %d", texts[i], rc);
		assert_true(err.text[0] != '\0');
	}
}

static void
an_attachment_is_network_container_and_interface(void **state)
{
	const struct attachment a = lease_of("c1", NULL, NULL).holder;
	struct attachment b = a;

	(void)state;
	(void)snprintf(b.uid, sizeof(b.uid), "another");
	(void)snprintf(b.pod, sizeof(b.pod), "another");
	assert_true(attachment_equal(&a, &b));
	(void)snprintf(b.ifname, sizeof(b.ifname), "eth1");
	assert_false(attachment_equal(&a, &b));
	b = a;
	(void)snprintf(b.network, sizeof(b.network), "other");
	assert_false(attachment_equal(&a, &b));
	b = a;
	(void)snprintf(b.container, sizeof(b.container), "c11");
	assert_false(attachment_equal(&a, &b));
}

static void
I8_a_pod_is_its_UID_never_its_name(void **state)
{
	struct attachment a = lease_of("c1", NULL, NULL).holder;
	struct attachment b = lease_of("c2", NULL, NULL).holder;

	(void)state;
	assert_false(attachment_same_pod(&a, &b)); /* the same name, another UID */
	(void)snprintf(b.uid, sizeof(b.uid), "%s", a.uid);
	(void)snprintf(b.pod, sizeof(b.pod), "renamed");
	assert_true(attachment_same_pod(&a, &b));
	(void)snprintf(b.ifname, sizeof(b.ifname), "eth1");
	assert_false(attachment_same_pod(&a, &b));
	(void)snprintf(b.ifname, sizeof(b.ifname), "eth0");
	(void)snprintf(b.network, sizeof(b.network), "other");
	assert_false(attachment_same_pod(&a, &b));
	(void)snprintf(b.network, sizeof(b.network), "mynet");
	a.uid[0] = b.uid[0] = '\0';
	assert_false(attachment_same_pod(&a, &b)); /* without a UID nobody is the same */
}

static void
a_holder_is_told_by_pod_or_else_by_container(void **state)
{
	struct attachment holder = lease_of("0123456789abcdef", NULL, NULL).holder;
	scoped_buf text = buf_make(1024);

	(void)state;
	attachment_print(&holder, &text);
	assert_string_equal(buf_string(&text),
	    "pod default/p (UID u-0123456789abcdef, container 0123456789ab, interface eth0)");
	buf_clear(&text);
	holder.uid[0] = '\0';
	attachment_print(&holder, &text);
	assert_non_null(strstr(buf_string(&text), "UID unknown"));
	buf_clear(&text);
	holder.pod[0] = '\0';
	attachment_print(&holder, &text);
	assert_string_equal(buf_string(&text), "container 0123456789abcdef (interface eth0)");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_written_is_read_back),
	    cmocka_unit_test(a_record_has_exactly_its_size_whatever_it_says),
	    cmocka_unit_test(the_longest_names_and_the_most_addresses_fit),
	    cmocka_unit_test(names_that_do_not_fit_once_escaped_are_refused_by_container),
	    cmocka_unit_test(every_missing_or_wrong_field_is_named),
	    cmocka_unit_test(addresses_that_are_none_are_refused),
	    cmocka_unit_test(former_MACs_that_are_none_are_refused),
	    cmocka_unit_test(the_latest_former_MACs_are_remembered_each_once),
	    cmocka_unit_test(what_is_no_JSON_is_refused),
	    cmocka_unit_test(an_attachment_is_network_container_and_interface),
	    cmocka_unit_test(I8_a_pod_is_its_UID_never_its_name),
	    cmocka_unit_test(a_holder_is_told_by_pod_or_else_by_container),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
