/* Rule: what lease_decode accepts, lease_encode writes, if it fits, as exactly
 * LEASE_BYTES that say the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "node/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_buf printed = buf_make(LEASE_BYTES);
	scoped_buf again = buf_make(LEASE_BYTES);
	struct err err = {0};
	struct lease lease;

	if (lease_decode((const char *)data, size, &lease, &err)) {
		assert(err.code && err.text[0]);
		return 0;
	}
	assert(lease.ip_count <= ENTRY_IPS_MAX);
	assert(lease.former.count <= FORMER_MACS_MAX);
	assert(attachment_equal(&lease.holder, &lease.holder));
	if (lease_encode(&lease, &printed, NULL)) {
		assert(printed.length == 0);
		return 0;
	}
	assert(printed.length == LEASE_BYTES);
	assert(lease_decode(printed.data, printed.length, &lease, NULL) == 0);
	assert(lease_encode(&lease, &again, NULL) == 0);
	assert(strcmp(buf_string(&printed), buf_string(&again)) == 0);
	return 0;
}
