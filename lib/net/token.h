/* Bearer tokens. Private to lib/net. */
#ifndef NET_TOKEN_H
#define NET_TOKEN_H

#include "core/err.h"

/* A token goes into a header line: visible ASCII only, or it could begin a header
 * of its own. Returns 0 or -EINVAL; the token itself is in no error. */
int token_check(const char *token, const char *what, struct err *err);
/* The token in a file, without space around it; the caller frees (mem_free). */
int token_read(const char *path, char **ret_token, struct err *err);

#endif
