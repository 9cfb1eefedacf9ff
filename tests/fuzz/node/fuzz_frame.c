/* A received frame: what claims an address is of its family, is found where it stands in
 * the frame, and another's probe of it would be understood as the same claim. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "core/mem.h"
#include "node/frame.h"
#include "node/probe.h"

static void
expect_same(const struct frame *frame, const struct frame_claim *claim)
{
	struct frame_claim again;

	assert(frame_read_claim(frame->bytes, frame->length, &again));
	assert(ip_equal(&again.ip, &claim->ip) && mac_equal(&again.mac, &claim->mac));
}

static void
judge(const uint8_t *data, size_t size)
{
	struct frame_claim claim;
	struct frame_claim judged;

	if (!frame_read_claim(data, size, &claim))
		return;
	assert(claim.ip.family == 4 || claim.ip.family == 6);
	assert(memmem(data, size, claim.ip.bytes, ip_size(&claim.ip)));
	assert(memmem(data, size, claim.mac.bytes, MAC_BYTES));
	struct frame probe_frame = frame_probe(&claim.mac, &claim.ip);
	struct frame announcement = frame_announce(&claim.mac, &claim.ip);
	expect_same(&probe_frame, &claim);
	expect_same(&announcement, &claim);
	const struct mac own = {{2, 0, 0, 0, 0, 1}};
	const struct probe probe = {.mac = own, .ips = &claim.ip, .count = 1};
	assert(probe_judge(&probe, data, size, &judged) != mac_equal(&claim.mac, &own));
}

/* Makes the checksum of ICMPv6 right, which chance never does. */
static void
sign(uint8_t *data, size_t size)
{
	size_t length = size < 54 ? 0 : 54 + (size_t)(data[18] << 8 | data[19]);
	uint32_t sum = (uint32_t)(length - 54) + 58;

	if (length < 58 || length > size)
		return;
	data[56] = data[57] = 0;
	for (size_t i = 22; i < length; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	data[56] = (uint8_t)(~sum >> 8);
	data[57] = (uint8_t)~sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free uint8_t *copy = mem_new(size + 1, 1);

	judge(data, size);
	memcpy(copy, data, size);
	sign(copy, size);
	judge(copy, size);
	return 0;
}
