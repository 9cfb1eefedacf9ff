/* Where the executable lies: libc asks before main, in case a library is loaded by a path
 * beside it, which a static executable never does. */
#ifndef PLUGIN_ORIGIN_H
#define PLUGIN_ORIGIN_H

/* What libc itself says when there is no /proc: unknown. The link puts it in the place of
 * libc's function, which reads /proc/self/exe; the kernel makes an inode for that, and takes
 * it down with the process: one part in fifty of an ADD. */
const char *origin_unknown(void);

#endif
