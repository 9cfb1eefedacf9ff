/* Rules: what the strict parser takes it prints back byte for byte; the lax one
 * takes all of that too; arithmetic on ranges agrees with itself. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "table/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_cidr(const char *text, size_t size)
{
	char printed[ADDRESS_TEXT_MAX];
	char room[96];
	struct cidr cidr;
	struct cidr lax;

	if (cidr_parse(text, size, &cidr, NULL))
		return;
	cidr_print(&cidr, printed);
	assert(strlen(printed) == size && memcmp(printed, text, size) == 0);
	assert(cidr_parse_lax(text, size, &lax, NULL) == 0 && cidr_equal(&cidr, &lax));
	struct ip first = cidr_first(&cidr);
	struct ip last = cidr_last(&cidr);
	assert(cidr_contains(&cidr, &first) && cidr_contains(&cidr, &last));
	assert(ip_compare(&first, &cidr.ip) <= 0 && ip_compare(&cidr.ip, &last) <= 0);
	(void)cidr_unusable(&cidr, room);
}

static void
check_range(const char *text, size_t size)
{
	struct ip_range range;
	struct ip last;
	uint8_t length;

	if (ip_range_parse(text, size, &range, &length, NULL))
		return;
	uint64_t count = ip_range_count(&range);
	assert(count > 0 && ip_ranges_overlap(&range, &range));
	if (count == UINT64_MAX)
		return;
	assert(ip_add(&range.first, count - 1, &last) && ip_equal(&last, &range.last));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ip ip;

	check_cidr((const char *)data, size);
	check_range((const char *)data, size);
	(void)ip_parse((const char *)data, size, &ip, NULL);
	(void)cidr_parse_lax((const char *)data, size, &(struct cidr){0}, NULL);
	return 0;
}
