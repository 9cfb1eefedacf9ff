/* A network configuration in every verb, and what the roles read of it. Whatever
 * comes out, result or error, must be JSON. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "plugin/cni_config.h"
#include "plugin/cni_error.h"
#include "plugin/cni_version.h"
#include "plugin/request.h"
#include "plugin/requested.h"
#include "table/json.h"

static struct cidr
cidr_of(const char *text)
{
	struct cidr cidr = {0};

	(void)cidr_parse(text, strlen(text), &cidr, NULL);
	return cidr;
}

static void
must_be_json(const struct buf *out)
{
	scoped_json *object = NULL;

	assert(json_parse(buf_string(out), out->length - 1, "output", &object, NULL) == 0);
}

static void
judge(int rc, const struct err *err, const struct cni_config *config)
{
	scoped_buf out = buf_make(64 * 1024);

	if (!rc)
		return;
	assert(err->code > 0 && err->text[0]);
	cni_error_print(err, config->version, &out);
	must_be_json(&out);
}

static void
compare(const struct cni_config *config)
{
	const struct cni_args args = {0};
	struct cni_result result = {.ip_count = 1};
	struct requested requested;
	struct err err = {0};

	result.ips[0].cidr = cidr_of("10.0.2.40/24");
	int rc = requested_read(config, &args, &requested, &err);
	judge(rc ? rc : requested_check(&requested, &result, "it", &err), &err, config);
}

static void
version(struct json_object *json)
{
	const struct cni_request request = {.config.json = json};
	scoped_buf out = buf_make(64 * 1024);

	(void)cni_version_answer(&request, &out, NULL);
	must_be_json(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int verb = CNI_ADD; verb < CNI_VERSION; verb++) {
		scoped_config config = {0};
		struct err err = {0};
		int rc = cni_config_parse((const char *)data, size, (enum cni_verb)verb, &config, &err);
		judge(rc, &err, &config);
		if (rc)
			continue;
		compare(&config);
		version(config.json);
	}
	return 0;
}
