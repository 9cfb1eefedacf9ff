/* A link as frames see it: one packet socket (packet(7)). */
#ifndef NODE_WIRE_H
#define NODE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "node/frame.h"

/* Opens a socket on the link of this index in the namespace netns, or in our own for
 * -1. It receives frames of this Ethernet type that came in for us; type 0 receives
 * none. Returns 0 and its fd, which wire_close closes. */
int wire_open(int netns, unsigned index, uint16_t type, int *ret_wire, struct err *err);

/* Closes it without the wait that close() costs here; -1 is fine. */
void wire_close(int wire);
#define scoped_wire __attribute__((cleanup(wire_cleanup))) int
void wire_cleanup(const int *wire);

/* Sends a frame; -ENETDOWN when the link is down. */
int wire_send(int wire, const struct frame *frame, struct err *err);

/* Takes one frame that waits, up to WIRE_FRAME_MAX bytes, and returns its length. 0 when
 * none waits, it is not for this link, or the link went down: who listens has a deadline
 * anyway. */
size_t wire_receive(int wire, uint8_t *frame);

#endif
