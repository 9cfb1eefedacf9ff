/* Any bytes as a kubeconfig: refused with a sentence, or a usable result. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "net/kube_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_config config = {0};
	struct err err = {0};

	if (kube_config_parse((const char *)data, size, "/nowhere", NULL, &config, &err))
		assert(err.text[0]);
	else
		assert(config.server && strncasecmp(config.server, "http", 4) == 0);
	kube_config_release(&config);
	return 0;
}
