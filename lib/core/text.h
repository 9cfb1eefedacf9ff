/* Texts put together without printf, which costs twenty times as much: in half a
 * millisecond's process that counts. */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes texts, the last of which is NULL, one behind the other into the size bytes (at least
 * 1) at out, with a NUL; what does not fit is cut off, as snprintf does. Returns how long all
 * of it is. */
size_t text_join(char *out, size_t size, ...) __attribute__((sentinel));
size_t text_join_list(char *out, size_t size, va_list texts);

#endif
