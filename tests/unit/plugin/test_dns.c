#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inline.h"
#include "plugin/dns.h"
#include "table/json.h"

static void
decodes(const char *dns, const char *wanted)
{
	scoped_config config = {0};
	scoped_json *got = NULL;
	struct err err = {0};
	scoped_free char *keys = mem_format(",\"dns\":%s", dns);

	read_config(keys, "", &config);
	if (dns_decode(config.ipam, &got, &err))
		fail_msg("%s: %s", dns, err.text);
	assert_string_equal(got ? json_print(got) : "none", wanted);
}

static void
refused(const char *dns, const char *words)
{
	scoped_config config = {0};
	scoped_json *got = NULL;
	struct err err = {0};
	scoped_free char *keys = mem_format(",\"dns\":%s", dns);

	read_config(keys, "", &config);
	must_refuse(dns_decode(config.ipam, &got, &err), &err, 7, words);
}

static void
ST01_what_the_specification_knows_is_passed_on(void **state)
{
	(void)state;
	decodes("{\"nameservers\":[\"8.8.8.8\"],\"domain\":\"example.com\",\"search\":[\"example.com\"],\"options\":[\"ndots:5\"]}",
	    "{\"nameservers\":[\"8.8.8.8\"],\"search\":[\"example.com\"],\"options\":[\"ndots:5\"],\"domain\":\"example.com\"}");
	decodes("{}", "none");
	decodes("null", "none");
	decodes("{\"nameservers\":[],\"domain\":\"\",\"other\":1}", "none");
}

static void
another_type_is_refused(void **state)
{
	(void)state;
	refused("7", "ipam.dns is of type");
	refused("{\"nameservers\":\"8.8.8.8\"}", "ipam.dns.nameservers");
	refused("{\"nameservers\":[8]}", "ipam.dns.nameservers[0] is no text");
	refused("{\"search\":[null]}", "ipam.dns.search[0] is no text");
	refused("{\"domain\":[]}", "ipam.dns.domain");
	refused("{\"search\":[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]}", "at most 32");
}

static void
parses(const char *text, const char *wanted)
{
	scoped_json *got = NULL;
	struct err err = {0};

	if (dns_parse_resolv_conf(text, strlen(text), "f", &got, &err))
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(got ? json_print(got) : "none", wanted);
}

static void
KI_20_a_resolv_conf_is_read_as_host_local_reads_it(void **state)
{
	(void)state;
	parses("nameserver 192.0.2.3", "{\"nameservers\":[\"192.0.2.3\"]}");
	parses("nameserver 1.1.1.1\nsearch a.b c.d\noptions ndots:5 rotate\ndomain x.y\nnameserver 2001:db8::53\n",
	    "{\"nameservers\":[\"1.1.1.1\",\"2001:db8::53\"],\"search\":[\"a.b\",\"c.d\"],\"options\":[\"ndots:5\",\"rotate\"],\"domain\":\"x.y\"}");
	parses("# nameserver 9.9.9.9\n;search x\n\n \t nameserver\t1.1.1.1 2.2.2.2\r\nsortlist 10.0.0.0\nnameserver\n",
	    "{\"nameservers\":[\"1.1.1.1\"]}");
	parses("search a\nsearch b\ndomain x\ndomain y\n", "{\"search\":[\"a\",\"b\"],\"domain\":\"y\"}");
	parses("", "none");
	parses("search \xff\n", "{\"search\":[\"\xef\xbf\xbd\"]}");
}

static void
a_resolv_conf_that_is_none_is_refused(void **state)
{
	scoped_json *got = NULL;
	struct err err = {0};
	scoped_buf many = buf_make(4096);

	(void)state;
	must_refuse(dns_parse_resolv_conf("a\0b", 3, "/etc/x", &got, &err), &err, 5, "/etc/x is no text");
	for (int i = 0; i < 33; i++)
		(void)buf_text(&many, "nameserver 1.1.1.1\n");
	must_refuse(dns_parse_resolv_conf(many.data, many.length, "/etc/x", &got, &err), &err, 5, "more than 32 values");
}

static void
nameservers_alone_make_a_dns(void **state)
{
	const struct ip list[] = {ip_of("8.8.8.8"), ip_of("2001:4860:4860::8844")};
	scoped_json *dns = dns_of_nameservers(list, 2);

	(void)state;
	assert_string_equal(json_print(dns), "{\"nameservers\":[\"8.8.8.8\",\"2001:4860:4860::8844\"]}");
	assert_null(dns_of_nameservers(list, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ST01_what_the_specification_knows_is_passed_on),
	    cmocka_unit_test(another_type_is_refused),
	    cmocka_unit_test(KI_20_a_resolv_conf_is_read_as_host_local_reads_it),
	    cmocka_unit_test(a_resolv_conf_that_is_none_is_refused),
	    cmocka_unit_test(nameservers_alone_make_a_dns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
