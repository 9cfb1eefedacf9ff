#include "net/clock.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static double
seconds_of(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now); /* cannot fail on Linux */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double
clock_seconds(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double
clock_boot_seconds(void)
{
	return seconds_of(CLOCK_BOOTTIME);
}

void
clock_micro_time(char out[MICRO_TIME_BYTES])
{
	struct timespec now = {0};
	struct tm calendar;
	char seconds[32];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &calendar);
	(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &calendar);
	(void)snprintf(out, MICRO_TIME_BYTES, "%s.%06ldZ", seconds, now.tv_nsec / 1000);
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
