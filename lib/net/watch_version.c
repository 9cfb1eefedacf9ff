#include <string.h>

#include "net/watch.h"

/* Digits of a resourceVersion, 0 when it is none (KEP-5504; apimachinery
 * pkg/util/resourceversion). */
static size_t
digits(const char *version)
{
	size_t length = strspn(version, "0123456789");

	if (version[length] || (version[0] == '0' && length > 1))
		return 0;
	return length;
}

int
watch_version_compare(const char *a, const char *b)
{
	size_t a_digits = digits(a);
	size_t b_digits = digits(b);

	if (a_digits != b_digits)
		return a_digits < b_digits ? -1 : 1;
	int order = a_digits ? memcmp(a, b, a_digits) : 0;
	return (order > 0) - (order < 0);
}
