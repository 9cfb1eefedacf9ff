#include "node/announce.h"

#include "node/wire.h"

int
announce_send(int netns, unsigned index, const struct mac *mac, const struct ip *ips,
    unsigned count, struct err *err)
{
	scoped_wire wire = -1;
	int rc = wire_open(netns, index, 0, &wire, err);

	for (unsigned i = 0; !rc && i < count; i++) {
		struct frame frame = frame_announce(mac, &ips[i]);
		rc = wire_send(wire, &frame, err);
	}
	return rc;
}
