#include "node/probe.h"

#include <linux/if_ether.h>
#include <poll.h>
#include <time.h>

#include "core/bounds.h"
#include "node/wire.h"

/* One may be lost, or come before the link carries frames. */
enum { PROBE_TIMES = 3 };

/* A socket for each family. */
enum { FAMILIES = 2 };
struct ears {
	struct pollfd wire[FAMILIES];
};

static void
ears_release(struct ears *ears)
{
	for (unsigned i = 0; i < FAMILIES; i++)
		wire_close(ears->wire[i].fd);
}
#define scoped_ears __attribute__((cleanup(ears_release))) struct ears

static int64_t
now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
is_ours(const struct probe *probe, const struct mac *mac)
{
	for (unsigned i = 0; i < probe->our_count; i++)
		if (mac_equal(&probe->ours[i], mac))
			return true;
	return mac_equal(&probe->mac, mac);
}

bool
probe_judge(const struct probe *probe, const uint8_t *frame, size_t length,
    struct frame_claim *ret_claim)
{
	struct frame_claim claim;

	if (!frame_read_claim(frame, length, &claim) || is_ours(probe, &claim.mac))
		return false;
	for (unsigned i = 0; i < probe->count; i++) {
		if (!ip_equal(&probe->ips[i], &claim.ip))
			continue;
		*ret_claim = claim;
		return true;
	}
	return false;
}

static int
send_all(const struct probe *probe, const struct ears *ears, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < probe->count; i++) {
		struct frame frame = frame_probe(&probe->mac, &probe->ips[i]);
		rc = wire_send(ears->wire[probe->ips[i].family == 6].fd, &frame, err);
	}
	return rc;
}

/* Listens until then, or until somebody claims an address. */
static bool
listen_until(int64_t end_ms, const struct probe *probe, struct ears *ears,
    struct frame_claim *ret_claim)
{
	uint8_t frame[WIRE_FRAME_MAX];

	for (int64_t left = end_ms - now_ms(); left > 0; left = end_ms - now_ms()) {
		if (poll(ears->wire, FAMILIES, (int)left) <= 0)
			continue; /* interrupted, or the end */
		for (unsigned i = 0; i < FAMILIES; i++) {
			size_t length =
			    ears->wire[i].revents ? wire_receive(ears->wire[i].fd, frame) : 0;
			if (probe_judge(probe, frame, length, ret_claim))
				return true;
		}
	}
	return false;
}

static int
open_ears(const struct probe *probe, struct ears *ears, struct err *err)
{
	static const uint16_t types[FAMILIES] = {ETH_P_ARP, ETH_P_IPV6};
	int rc = 0;

	for (unsigned i = 0; !rc && i < FAMILIES; i++) {
		ears->wire[i].events = POLLIN;
		rc = wire_open(probe->netns, probe->index, types[i], &ears->wire[i].fd, err);
	}
	return rc;
}

int
probe_run(const struct probe *probe, bool *ret_taken, struct frame_claim *ret_claim,
    struct err *err)
{
	scoped_ears ears = {.wire = {{.fd = -1}, {.fd = -1}}};
	bool taken = false;
	int rc = open_ears(probe, &ears, err);
	int64_t start_ms = now_ms();

	for (int i = 1; !rc && !taken && i <= PROBE_TIMES; i++) {
		rc = send_all(probe, &ears, err);
		if (!rc)
			taken = listen_until(start_ms + (int64_t)PROBE_MS * i / PROBE_TIMES,
			    probe, &ears, ret_claim);
	}
	if (!rc)
		*ret_taken = taken;
	return rc;
}
