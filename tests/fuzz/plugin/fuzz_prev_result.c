/* A prevResult of each version: what is understood is printed again, and what was
 * printed is understood alike. The first byte chooses the version. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/prev_result.h"
#include "table/json.h"

static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

static bool
read_prev(const char *version, const char *text, size_t size, struct cni_config *config,
    struct prev_result *ret_prev)
{
	struct err err = {0};
	scoped_buf whole = buf_make(STDIN_BYTES_MAX);

	(void)buf_print(&whole, "{\"cniVersion\":\"%s\",\"name\":\"n\",\"type\":\"staticip\",\"prevResult\":", version);
	(void)buf_add(&whole, text, size);
	(void)buf_text(&whole, "}");
	if (whole.over || cni_config_parse(buf_string(&whole), whole.length, CNI_ADD, config, &err))
		return false;
	return prev_result_read(config, ret_prev, &err) == 0;
}

static struct route
to(const char *dst)
{
	struct route route = {0};

	(void)cidr_parse(dst, strlen(dst), &route.dst, NULL);
	return route;
}

static void
print_and_read_again(const char *version, const struct prev_result *prev, const struct cni_config *config)
{
	const struct route added[] = {to("10.9.0.0/16"), to("fd09::/32")};
	scoped_config again = {0};
	struct prev_result second;
	scoped_buf out = buf_make(OUTPUT_BYTES_MAX);
	struct err err = {0};

	assert(prev_result_print(prev, config->version, added, 2, &out, &err) == 0);
	if (!read_prev(version, out.data, out.length, &again, &second)) {
		assert(out.length > STDIN_BYTES_MAX / 2); /* only when it has grown too large */
		return;
	}
	assert(second.ip_count == prev->ip_count);
	for (unsigned i = 0; i < prev->ip_count; i++)
		assert(prev_result_is_on(&second, i, "eth0") == prev_result_is_on(prev, i, "eth0"));
	assert(prev_result_gateway(&second, "eth0", 4).family == prev_result_gateway(prev, "eth0", 4).family);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_config config = {0};
	struct prev_result prev;

	if (size == 0)
		return 0;
	const char *version = versions[data[0] % 7];
	if (read_prev(version, (const char *)data + 1, size - 1, &config, &prev))
		print_and_read_again(version, &prev, &config);
	return 0;
}
