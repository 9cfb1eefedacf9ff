/* faulty leak|heap|overflow|none: what run.sh must notice, one fault of each kind. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static char *volatile lost;
static volatile int most = INT_MAX;

int
main(int argc, char **argv)
{
	const char *kind = argc == 2 ? argv[1] : "";

	lost = malloc(8);
	if (strcmp(kind, "heap") == 0)
		return lost[argc * 4]; /* the byte behind it */
	if (strcmp(kind, "overflow") == 0)
		return (most += argc) > 0;
	if (strcmp(kind, "leak") != 0)
		free(lost);
	lost = NULL;
	return 0;
}
