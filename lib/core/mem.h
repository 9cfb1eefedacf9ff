/* The only calls of the allocator, and scoped ownership.
 *
 * Every size that comes from outside has a maximum in bounds.h, so memory runs
 * out only when the machine is out of it: then the process ends with a message
 * and is started again; nothing is lost, because truth is in the API server. */
#ifndef CORE_MEM_H
#define CORE_MEM_H

#include <stddef.h>

/* Zeroed memory of count * size bytes; never NULL. Free with mem_free. */
void *mem_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* Like realloc; new bytes are not zeroed. Never NULL for a size above 0. */
void *mem_resize(void *memory, size_t count, size_t size);
/* A copy of text (NULL gives NULL). Free with mem_free. */
char *mem_text(const char *text) __attribute__((malloc));
/* printf into memory of its own. Free with mem_free. */
char *mem_format(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));
/* Texts, the last of which is NULL, one behind the other in memory of its own: for paths, where
 * printf costs more than opening them. Free with mem_free. */
char *mem_join(const char *first, ...) __attribute__((malloc, returns_nonnull, sentinel));
/* NULL is fine. */
void mem_free(void *memory);

/* Called instead of abort() when memory runs out; must not return. The plugin
 * says its last words as a CNI error. */
void mem_on_exhausted(void (*handler)(void));
/* Ends the process as above: for the rare library call that allocates itself. */
void mem_exhausted(void) __attribute__((noreturn));

/* `scoped_free char *x = ...;` frees at the end of the block;
 * `scoped_fd int fd = -1;` closes. `mem_take(&x)` hands the owner over. */
#define scoped_free __attribute__((cleanup(mem_cleanup_free)))
#define scoped_fd __attribute__((cleanup(mem_cleanup_fd)))
void mem_cleanup_free(void *pointer_to_pointer);
void mem_cleanup_fd(const int *fd);

/* Returns *pointer_to_pointer and sets it to NULL. */
void *mem_take(void *pointer_to_pointer);
/* Returns *fd and sets it to -1. */
int mem_take_fd(int *fd);

#endif
