/* JSON written straight into a buffer, for objects whose keys are known: no tree is
 * built and taken down (an ADD has half a millisecond). Each member and each closed object or
 * array leaves a comma, which closing what is around it takes away; the caller asks
 * buf_whole. */
#ifndef TABLE_JSON_WRITE_H
#define TABLE_JSON_WRITE_H

#include <stdint.h>

#include "core/buf.h"

/* Appends text, which is UTF-8, as a string with its quotes. It reads back the same. */
void json_write_text(struct buf *out, const char *text);
/* Appends "key":"text" or "key":number, with the comma; key has nothing to escape. */
void json_write_member(struct buf *out, const char *key, const char *text);
void json_write_number(struct buf *out, const char *key, uint64_t number);
/* Begins an object '{' or array '[', under a key or, with NULL, as an element. */
void json_write_open(struct buf *out, const char *key, char bracket);
/* Ends it, '}' or ']', with the comma. */
void json_write_close(struct buf *out, char bracket);
/* Takes away the comma behind the outermost value. */
void json_write_end(struct buf *out);

#endif
