#include "net/clock.h"

#include <stdint.h>
#include <sys/random.h>
#include <time.h>

double
clock_seconds(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail on Linux */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double
clock_chance(void)
{
	uint64_t bits = 0;

	/* too early in the boot for entropy: the clock's low bits will do */
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint64_t)(clock_seconds() * 1e9) * UINT64_C(0x9e3779b97f4a7c15);
	return (double)(bits >> 11) / (double)(UINT64_C(1) << 53);
}
