#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/source.h"
#include "table/json.h"

#define ALLOCATIONS ",\"allocations\":[{\"namespace\":\"shop\",\"pod\":\"p\",\"address\":\"10.0.0.2/24\"}]"
#define ADDRESSES ",\"addresses\":[{\"address\":\"10.0.0.2/24\"}]"
#define SUBNET ",\"subnet\":\"10.0.0.0/24\""
#define RANGES ",\"ranges\":[[{\"subnet\":\"10.0.0.0/24\"}]]"
#define IP_RANGES ",\"runtimeConfig\":{\"ipRanges\":[[{\"subnet\":\"10.0.0.0/24\"}]]}"

static int
read_source(const char *keys, const char *more, const struct cni_args *args, struct source *source, struct err *err)
{
	static struct cni_config config; /* what is read points into it */

	cni_config_release(&config);
	read_config(keys, more, &config);
	return source_read(&config, args, source, err);
}

static void
is_kind(const char *keys, const char *more, const struct cni_args *args, enum source_kind wanted)
{
	scoped_source source;
	struct err err = {0};

	if (read_source(keys, more, args, &source, &err))
		fail_msg("%s: %s", keys, err.text);
	assert_int_equal(source.kind, wanted);
}

static void
refused(const char *keys, const char *more, int code, const char *words)
{
	const struct cni_args args = {.namespace = "shop", .pod = "p"};
	scoped_source source;
	struct err err = {0};

	must_refuse(read_source(keys, more, &args, &source, &err), &err, code, words);
}

static void
the_keys_name_the_source(void **state)
{
	const struct cni_args args = {.namespace = "shop", .pod = "p"};

	(void)state;
	is_kind("", "", &args, SOURCE_TABLES);
	is_kind(",\"comment\":7,\"addresses\":null", ",\"runtimeConfig\":{\"ipRanges\":[]}", &args, SOURCE_TABLES);
	is_kind(ALLOCATIONS ",\"gateway\":\"10.0.0.1\"", "", &args, SOURCE_ALLOCATIONS);
	is_kind(ADDRESSES, "", &args, SOURCE_ADDRESSES);
	is_kind(SUBNET ",\"gateway\":\"10.0.0.1\"", "", &args, SOURCE_RANGES);
	is_kind(RANGES, "", &args, SOURCE_RANGES);
	is_kind("", IP_RANGES, &args, SOURCE_RANGES);
	is_kind(",\"index\":7,\"hostAddress\":{\"from\":\"default-route\"},\"ipv6Mapping\":\"plain\"", "", &args, SOURCE_INDEX);
}

/* I10: where the runtime names a pod, its request is a tenant's. */
static void
requests_alone_are_a_source_only_where_no_pod_is_named(void **state)
{
	const struct cni_args nobody = {.ip = "10.0.0.2/24"};
	const struct cni_args gateway = {.gateway = "10.0.0.1"};
	const struct cni_args pod = {.ip = "10.0.0.2/24", .namespace = "shop", .pod = "p"};
	const struct cni_args none = {0};
	const char *runtime = ",\"runtimeConfig\":{\"ips\":[\"10.0.0.2/24\"]}";
	const char *conventions = ",\"args\":{\"cni\":{\"ips\":[\"10.0.0.2/24\"]}}";

	(void)state;
	is_kind("", "", &nobody, SOURCE_ADDRESSES);
	is_kind("", runtime, &none, SOURCE_ADDRESSES);
	is_kind("", conventions, &none, SOURCE_ADDRESSES);
	is_kind("", "", &gateway, SOURCE_TABLES);
	is_kind("", "", &none, SOURCE_TABLES);
	is_kind("", runtime, &pod, SOURCE_TABLES);
	is_kind(",\"addresses\":[]", "", &pod, SOURCE_ADDRESSES);
}

static void
two_sources_are_refused_by_both_names(void **state)
{
	(void)state;
	refused(ALLOCATIONS ADDRESSES, "", 7, "ipam.allocations and ipam.addresses of network mynet are two sources");
	refused(ADDRESSES SUBNET, "", 7, "ipam.addresses and ipam.subnet");
	refused(SUBNET ",\"index\":1", "", 7, "ipam.subnet and ipam.index");
	refused(ADDRESSES ",\"hostAddress\":{}", "", 7, "ipam.addresses and ipam.hostAddress");
	refused(ALLOCATIONS, IP_RANGES, 7, "ipam.allocations and runtimeConfig.ipRanges");
	refused(ADDRESSES ",\"fixedStart\":\"10.0.0.1\"", "", 7, "ipam.addresses and ipam.fixedStart");
}

static void
what_belongs_to_no_source_is_refused(void **state)
{
	(void)state;
	refused(",\"gateway\":\"10.0.0.1\"", "", 7, "ipam.gateway of network mynet stands alone");
	refused(ADDRESSES ",\"gateway\":\"10.0.0.1\"", "", 7, "ipam.gateway");
	refused(",\"index\":1,\"gateway\":\"10.0.0.1\"", "", 7, "ipam.gateway");
	refused(",\"hostAddress\":{}", "", 7, "ipam.index is missing");
	refused(",\"rangeStart\":\"10.0.0.1\"", "", 7, "ipam.rangeStart needs ipam.subnet");
	/* host-local and kube-ipam have them; a path of a tenant is never used (I10) */
	refused(SUBNET ",\"dataDir\":\"/var/lib/cni/networks\"", "", 7, "ipam.dataDir of network mynet is not supported; remove it");
	refused(SUBNET ",\"etcdConfig\":{}", "", 7, "ipam.etcdConfig");
	refused(SUBNET ",\"kubeConfig\":\"x\"", "", 7, "ipam.kubeConfig");
}

static void
the_common_keys_go_with_any_source(void **state)
{
	const struct cni_args args = {.namespace = "shop", .pod = "p"};
	const char *keys[] = {"", ALLOCATIONS, ADDRESSES, SUBNET, ",\"index\":1"};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		scoped_source source;
		struct err err = {0};
		scoped_free char *all = mem_format("%s,\"wait\":0,\"dns\":{\"domain\":\"x\"},\"routes\":[{\"dst\":\"3ffe:ffff:0:01ff::1/64\"}]", keys[i]);
		if (read_source(all, "", &args, &source, &err))
			fail_msg("%s: %s", all, err.text);
		assert_int_equal(source.wait_s, 0);
		assert_string_equal(json_print(source.dns), "{\"domain\":\"x\"}");
		assert_int_equal(source.routes->count, 1);
	}
}

static void
the_common_keys_have_defaults_and_limits(void **state)
{
	const struct cni_args args = {.namespace = "shop", .pod = "p"};
	scoped_source source;

	(void)state;
	assert_int_equal(read_source(",\"resolvConf\":\"\"", "", &args, &source, NULL), 0);
	assert_int_equal(source.wait_s, 15);
	assert_null(source.dns);
	assert_null(source.routes);
	assert_null(source.resolv_conf);
	refused(",\"wait\":181", "", 7, "ipam.wait");
	refused(",\"wait\":\"15\"", "", 7, "ipam.wait");
	refused(",\"resolvConf\":7", "", 7, "ipam.resolvConf");
	refused(",\"resolvConf\":\"/etc/resolv.conf\",\"dns\":{\"domain\":\"x\"}", "", 7, "ipam.dns and ipam.resolvConf");
	/* SS-06: staticss passes them on, and the second becomes a default route */
	refused(",\"routes\":[{\"gw\":\"10.0.0.1\"}]", "", 7, "ipam.routes[0].dst is missing");
	refused(",\"routes\":[{}]", "", 7, "ipam.routes[0].dst is missing");
	refused(",\"routes\":{}", "", 7, "ipam.routes");
}

static void
STATUS_asks_for_the_kind_alone(void **state)
{
	scoped_config config = {0};
	enum source_kind kind = SOURCE_TABLES;
	struct err err = {0};

	(void)state;
	read_config(ALLOCATIONS, "", &config);
	assert_int_equal(source_kind_of(&config, &kind, &err), 0);
	assert_int_equal(kind, SOURCE_ALLOCATIONS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_keys_name_the_source),
	    cmocka_unit_test(requests_alone_are_a_source_only_where_no_pod_is_named),
	    cmocka_unit_test(two_sources_are_refused_by_both_names),
	    cmocka_unit_test(what_belongs_to_no_source_is_refused),
	    cmocka_unit_test(the_common_keys_go_with_any_source),
	    cmocka_unit_test(the_common_keys_have_defaults_and_limits),
	    cmocka_unit_test(STATUS_asks_for_the_kind_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
