/* What the tests of inline sources share: texts to addresses and back, and
 * configurations. */
#ifndef TESTS_INLINE_H
#define TESTS_INLINE_H

#include <string.h>

#include "core/mem.h"
#include "plugin/cni_config.h"
#include "plugin/cni_error.h"
#include "plugin/cni_result.h"
#include "table/ip.h"

static inline struct ip
ip_of(const char *text)
{
	struct ip ip = {0};

	if (text[0])
		assert_int_equal(ip_parse_lax(text, strlen(text), &ip, NULL), 0);
	return ip;
}

static inline struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {0};

	assert_int_equal(cidr_parse_lax(text, strlen(text), &cidr, NULL), 0);
	return cidr;
}

/* {"cniVersion", "name": "mynet", "ipam": {"type": "staticip" KEYS} MORE} */
static inline void
read_config(const char *keys, const char *more, struct cni_config *ret_config)
{
	struct err err = {0};
	scoped_free char *text = mem_format("{\"cniVersion\":\"1.0.0\",\"name\":\"mynet\",\"ipam\":"
	                                    "{\"type\":\"staticip\"%s}%s}", keys, more);

	if (cni_config_parse(text, strlen(text), CNI_ADD, ret_config, &err))
		fail_msg("%s: %s", text, err.text);
}

/* "10.0.0.2/24 gw 10.0.0.1, ..." */
static inline void
must_be(const struct cni_address *ips, unsigned count, const char *wanted)
{
	scoped_buf list = buf_make(1024);
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < count; i++) {
		(void)buf_print(&list, "%s%s", i ? ", " : "", cidr_print(&ips[i].cidr, text));
		if (ips[i].gateway.family)
			(void)buf_print(&list, " gw %s", ip_print(&ips[i].gateway, text));
	}
	assert_string_equal(buf_string(&list), wanted);
}

/* rc is a refusal of this code whose sentence has these words. */
static inline void
must_refuse(int rc, const struct err *err, int code, const char *words)
{
	if (rc == 0)
		fail_msg("not refused, expected: %s", words);
	if (cni_error_code(err) != code || !strstr(err->text, words))
		fail_msg("%d '%s' is not %d '%s'", cni_error_code(err), err->text, code, words);
}

#endif
