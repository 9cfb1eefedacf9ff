#include "core/num.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

static bool
parse(const char *text, size_t length, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (length == 0 || (text[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	if (number > max)
		return false;
	*ret_number = number;
	return true;
}

int
num_parse(const char *text, size_t length, uint64_t max, const char *what,
    uint64_t *ret_number, struct err *err)
{
	if (parse(text, length, max, ret_number))
		return 0;
	return err_set(err, EINVAL, "%s: '%.*s' is not a number from 0 to %" PRIu64,
	    what, (int)(length > 40 ? 40 : length), text, max);
}

const char *
num_print(uint64_t number, char out[NUM_TEXT_MAX])
{
	char *at = out + NUM_TEXT_MAX - 1;

	*at = '\0';
	do {
		*--at = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	return at;
}
