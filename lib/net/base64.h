/* Standard base64 (RFC 4648, section 4). Private to lib/net. */
#ifndef NET_BASE64_H
#define NET_BASE64_H

#include "core/buf.h"
#include "core/err.h"

/* Appends what text stands for; line ends in it are skipped, as Go's
 * encoding/base64 does; padding must be whole. -EINVAL, or -EFBIG by buf. */
int base64_decode(const char *text, const char *what, struct buf *buf, struct err *err);

#endif
