/* JSON written straight into a buffer, for objects whose keys are known: no tree is
 * built and taken down (an ADD has half a millisecond). */
#ifndef TABLE_JSON_WRITE_H
#define TABLE_JSON_WRITE_H

#include "core/buf.h"

/* Appends text, which is UTF-8, as a string with its quotes. It reads back the same. */
void json_write_text(struct buf *out, const char *text);
/* Appends "key":"text", with the comma; key has nothing to escape. */
void json_write_member(struct buf *out, const char *key, const char *text);

#endif
