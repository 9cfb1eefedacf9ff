/* Rule: what row_decode and profile_decode accept, they print and read back the
 * same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "table/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
round_trip_row(const char *text, size_t size)
{
	scoped_buf printed = buf_make(ROW_BYTES_MAX * 4);
	scoped_buf again = buf_make(ROW_BYTES_MAX * 4);
	struct row row;

	if (row_decode("n/s/p", text, size, &row, NULL))
		return;
	row_encode(&row, &printed);
	assert(row_decode("n/s/p", printed.data, printed.length, &row, NULL) == 0);
	row_encode(&row, &again);
	assert(strcmp(buf_string(&printed), buf_string(&again)) == 0);
}

static void
round_trip_profile(const char *text, size_t size)
{
	static struct profile profile;
	scoped_buf printed = buf_make(ROW_BYTES_MAX * 4);
	scoped_buf again = buf_make(ROW_BYTES_MAX * 4);

	if (profile_decode("!s/a", text, size, &profile, NULL))
		return;
	profile_encode(&profile, &printed);
	assert(profile_decode("!s/a", printed.data, printed.length, &profile, NULL) == 0);
	profile_encode(&profile, &again);
	assert(strcmp(buf_string(&printed), buf_string(&again)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct network_row network;

	round_trip_row((const char *)data, size);
	round_trip_profile((const char *)data, size);
	(void)network_row_decode("n", (const char *)data, size, &network, NULL);
	return 0;
}
