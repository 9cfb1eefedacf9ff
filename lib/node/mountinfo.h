/* What /proc/self/mountinfo says, line by line (proc_pid_mountinfo(5)). */
#ifndef NODE_MOUNTINFO_H
#define NODE_MOUNTINFO_H

#include <stdbool.h>

struct mount_line {
	char *root;   /* of the mounted file system; "net:[4026531840]" of a namespace */
	char *point;  /* where it is mounted, as a path that can be opened */
	bool follows; /* mounts made below it elsewhere arrive here: shared or a slave */
};

/* Takes the next line that can be read from *rest, which is cut up; false at the end. */
bool mountinfo_next(char **rest, struct mount_line *ret_line);

#endif
