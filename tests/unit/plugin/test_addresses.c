#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/addresses.h"

static int
decode(const char *addresses, const char *ip, const char *gateway, const char *more,
    struct cni_address *ips, unsigned *count, struct err *err)
{
	scoped_config config = {0};
	struct requested requested;
	const struct cni_args args = {.ip = ip, .gateway = gateway};
	scoped_free char *keys = mem_format("%s%s", addresses[0] ? ",\"addresses\":" : "", addresses);

	read_config(keys, more, &config);
	int rc = requested_read(&config, &args, &requested, err);
	return rc ? rc : addresses_decode(config.ipam, &requested, ips, count, err);
}

static void
gives(const char *addresses, const char *ip, const char *gateway, const char *more, const char *wanted)
{
	struct cni_address ips[ENTRY_IPS_MAX];
	struct err err = {0};
	unsigned count = 0;

	if (decode(addresses, ip, gateway, more, ips, &count, &err))
		fail_msg("%s", err.text);
	must_be(ips, count, wanted);
}

static void
refused(const char *addresses, const char *ip, const char *gateway, const char *more, int code, const char *words)
{
	struct cni_address ips[ENTRY_IPS_MAX];
	struct err err = {0};
	unsigned count = 0;

	must_refuse(decode(addresses, ip, gateway, more, ips, &count, &err), &err, code, words);
}

#define RUNTIME(list) ",\"runtimeConfig\":{\"ips\":[" list "]}"
#define CONVENTIONS(list) ",\"args\":{\"cni\":{\"ips\":[" list "]}}"
#define TWO "[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.1\"},{\"address\":\"10.0.0.3/24\",\"gateway\":\"10.0.0.254\"}]"

static void
ST01_the_list_is_the_answer_in_its_order(void **state)
{
	(void)state;
	gives("[{\"address\":\"10.10.0.1/24\",\"gateway\":\"10.10.0.254\"},{\"address\":\"3ffe:ffff:0:01ff::1/64\",\"gateway\":\"3ffe:ffff:0::1\"}]",
	    NULL, NULL, "", "10.10.0.1/24 gw 10.10.0.254, 3ffe:ffff:0:1ff::1/64 gw 3ffe:ffff::1");
	gives("[{\"address\":\"10.10.0.1/24\",\"gateway\":\"\"}]", NULL, NULL, "", "10.10.0.1/24");
}

static void
ST04_ST07_ST08_without_a_list_the_runtime_says_which(void **state)
{
	(void)state;
	gives("", "10.10.0.1/24", "10.10.0.254", "", "10.10.0.1/24 gw 10.10.0.254");
	gives("[]", "10.10.0.1/24,11.0.0.1/8", "10.10.0.254,11.255.0.1,12.0.0.1", "",
	    "10.10.0.1/24 gw 10.10.0.254, 11.0.0.1/8 gw 11.255.0.1");
	gives("", NULL, NULL, RUNTIME("\"10.10.0.1/24\",\"3ffe:ffff:0:01ff::1/64\""), "10.10.0.1/24, 3ffe:ffff:0:1ff::1/64");
	gives("", NULL, NULL, CONVENTIONS("\"10.10.0.1/24\""), "10.10.0.1/24");
	/* one road counts, and GATEWAY only for IP */
	gives("", "10.0.0.4/24", "10.0.0.1", CONVENTIONS("\"10.0.0.5/24\"") RUNTIME("\"10.0.0.6/24\""), "10.0.0.6/24");
	gives("", "10.0.0.4/24", "10.0.0.1", CONVENTIONS("\"10.0.0.5/24\"") RUNTIME(""), "10.0.0.5/24");
}

/* I10: static would give what is asked for */
static void
with_a_list_only_what_stands_there_can_be_asked_for(void **state)
{
	(void)state;
	gives(TWO, NULL, NULL, RUNTIME("\"10.0.0.3/24\""), "10.0.0.3/24 gw 10.0.0.254");
	gives(TWO, NULL, NULL, CONVENTIONS("\"10.0.0.3/24\",\"10.0.0.2/24\""), "10.0.0.3/24 gw 10.0.0.254, 10.0.0.2/24 gw 10.0.0.1");
	gives(TWO, "10.0.0.3/24", "10.0.0.1", "", "10.0.0.2/24 gw 10.0.0.1, 10.0.0.3/24 gw 10.0.0.254");
	refused(TWO, NULL, NULL, RUNTIME("\"10.0.0.4/24\""), 102, "runtimeConfig.ips asks for 10.0.0.4/24, but ipam.addresses gives");
	refused(TWO, NULL, NULL, RUNTIME("\"10.0.0.3/25\""), 102, "10.0.0.3/25");
	refused(TWO, "10.0.0.4/24", NULL, RUNTIME("\"10.0.0.3/24\""), 102, "CNI_ARGS IP asks for 10.0.0.4/24");
	refused(TWO, NULL, "10.0.0.9", "", 102, "CNI_ARGS GATEWAY asks for gateway 10.0.0.9");
}

static void
ST12_to_ST15_an_address_without_prefix_is_refused_in_statics_words(void **state)
{
	(void)state;
	refused("[{\"address\":\"10.10.0.1\"}]", NULL, NULL, "", 7,
	    "the 'address' field is expected to be in CIDR notation, got: '10.10.0.1'; see ipam.addresses[0]");
	refused("", "10.10.0.1", NULL, "", 4, "the 'ip' field is expected to be in CIDR notation, got: '10.10.0.1'; ");
	refused("", NULL, NULL, CONVENTIONS("\"10.10.0.1\""), 7, "an entry in the 'ips' field is NOT in CIDR notation, got: '10.10.0.1'; ");
	refused("", NULL, NULL, RUNTIME("\"10.10.0.1\""), 7, "an entry in the 'ips' field is NOT in CIDR notation, got: '10.10.0.1'; ");
	/* also on a road that does not count */
	refused("", "10.10.0.1", NULL, RUNTIME("\"10.10.0.1/24\""), 4, "the 'ip' field");
}

static void
what_no_pod_can_have_is_refused(void **state)
{
	(void)state;
	refused("[{\"address\":\"10.0.0.0/24\"}]", NULL, NULL, "", 7, "it is the network address of 10.0.0.0/24");
	refused("", "10.0.0.255/24", NULL, "", 7, "it is the broadcast address");
	refused("[{\"address\":\"10.0.0.2/24\"},{\"address\":\"10.0.0.2/16\"}]", NULL, NULL, "", 7, "stands there twice");
	refused("", "10.0.0.2/24,10.0.0.2/24", NULL, "", 7, "stands there twice");
	refused("[{\"address\":\"10.0.0.2/24\",\"gateway\":\"fd00::1\"}]", NULL, NULL, "", 7, "not of the family");
	refused("[{\"address\":\"10.0.0.2/24\",\"gateway\":\"10.0.0.2\"}]", NULL, NULL, "", 7, "the pod's own address");
	refused("[{\"address\":\"10.0.0.2/24\",\"gateway\":\"x\"}]", NULL, NULL, "", 7, "ipam.addresses[0].gateway: 'x'");
	refused("[]", NULL, NULL, "", 7, "ipam.addresses is empty");
	refused("", "10.0.0.2/24", "x", "", 4, "CNI_ARGS GATEWAY: 'x'");
	refused("[7]", NULL, NULL, "", 7, "ipam.addresses[0] is not an object");
	refused("[{}]", NULL, NULL, "", 7, "ipam.addresses[0].address is missing");
	refused("7", NULL, NULL, "", 7, "ipam.addresses is of type int");
	refused("", "10.0.0.1/24,10.0.0.2/24,10.0.0.3/24,10.0.0.4/24,10.0.0.5/24,10.0.0.6/24,10.0.0.7/24,10.0.0.8/24,10.0.0.9/24",
	    NULL, "", 7, "more than 8 addresses");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ST01_the_list_is_the_answer_in_its_order),
	    cmocka_unit_test(ST04_ST07_ST08_without_a_list_the_runtime_says_which),
	    cmocka_unit_test(with_a_list_only_what_stands_there_can_be_asked_for),
	    cmocka_unit_test(ST12_to_ST15_an_address_without_prefix_is_refused_in_statics_words),
	    cmocka_unit_test(what_no_pod_can_have_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
