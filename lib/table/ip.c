#include "table/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/num.h"
#include "core/text.h"

uint8_t
ip_bits(const struct ip *ip)
{
	return ip->family == 4 ? 32 : 128;
}

size_t
ip_size(const struct ip *ip)
{
	return ip->family == 4 ? 4 : 16;
}

int
ip_kernel_family(const struct ip *ip)
{
	return ip->family == 4 ? AF_INET : AF_INET6;
}

/* Longest piece of text shown in an error. */
static int
shown(size_t length)
{
	return (int)(length > ADDRESS_TEXT_MAX ? ADDRESS_TEXT_MAX : length);
}

static bool
is_mapped(const struct ip *ip)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return ip->family == 6 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0;
}

/* ::a.b.c.d, deprecated by RFC 4291 section 2.5.5.1: libc and Go do not agree on how
 * to print it. :: and ::1 are something else. */
static bool
is_compatible(const struct ip *ip)
{
	static const uint8_t zero[12];

	return ip->family == 6 && memcmp(ip->bytes, zero, sizeof(zero)) == 0 &&
	    (ip->bytes[12] || ip->bytes[13]);
}

int
ip_parse_lax(const char *text, size_t length, struct ip *ret_ip, struct err *err)
{
	char copy[ADDRESS_TEXT_MAX];
	struct ip ip = {0};

	if (length == 0 || length >= sizeof(copy) || memchr(text, '\0', length))
		return err_set(err, EINVAL, "'%.*s' is not an IP address", shown(length), text);
	memcpy(copy, text, length);
	copy[length] = '\0';
	ip.family = strchr(copy, ':') ? 6 : 4;
	if (inet_pton(ip_kernel_family(&ip), copy, ip.bytes) != 1)
		return err_set(err, EINVAL, "'%s' is not an IP address", copy);
	if (is_mapped(&ip))
		return err_set(err, EINVAL, "'%s' is an IPv4-mapped IPv6 address: write it as IPv4", copy);
	if (is_compatible(&ip))
		return err_set(err, EINVAL, "'%s' is an IPv4-compatible IPv6 address, a deprecated form", copy);
	*ret_ip = ip;
	return 0;
}

int
ip_parse(const char *text, size_t length, struct ip *ret_ip, struct err *err)
{
	char canonical[ADDRESS_TEXT_MAX];
	struct ip ip;
	int rc = ip_parse_lax(text, length, &ip, err);

	if (rc)
		return rc;
	ip_print(&ip, canonical);
	if (strlen(canonical) != length || memcmp(canonical, text, length) != 0)
		return err_set(err, EINVAL, "'%.*s' is not in canonical form: write %s",
		    shown(length), text, canonical);
	*ret_ip = ip;
	return 0;
}


static int
parse_cidr(const char *text, size_t length,
    int (*address)(const char *, size_t, struct ip *, struct err *),
    struct cidr *ret_cidr, struct err *err)
{
	const char *slash = memchr(text, '/', length);
	struct cidr cidr;
	uint64_t bits = 0;

	if (!slash)
		return err_set(err, EINVAL, "'%.*s' has no /prefix length", shown(length), text);
	size_t before = (size_t)(slash - text);
	int rc = address(text, before, &cidr.ip, err);
	if (rc)
		return rc;
	if (num_parse(slash + 1, length - before - 1, ip_bits(&cidr.ip), "prefix", &bits, NULL) < 0)
		return err_set(err, EINVAL, "'%.*s' needs a prefix length from 0 to %u",
		    shown(length), text, ip_bits(&cidr.ip));
	cidr.length = (uint8_t)bits;
	*ret_cidr = cidr;
	return 0;
}

int
cidr_parse(const char *text, size_t length, struct cidr *ret_cidr, struct err *err)
{
	return parse_cidr(text, length, ip_parse, ret_cidr, err);
}

int
cidr_parse_lax(const char *text, size_t length, struct cidr *ret_cidr, struct err *err)
{
	return parse_cidr(text, length, ip_parse_lax, ret_cidr, err);
}

/* The part behind '-': LAST or LAST/LENGTH. */
static int
parse_range_end(const char *text, size_t length, struct ip *ret_last, uint8_t *ret_length,
    struct err *err)
{
	if (memchr(text, '/', length)) {
		struct cidr last;
		int rc = cidr_parse(text, length, &last, err);
		if (rc)
			return rc;
		*ret_last = last.ip;
		*ret_length = last.length;
		return 0;
	}
	*ret_length = 255;
	return ip_parse(text, length, ret_last, err);
}

int
ip_range_parse(const char *text, size_t length, struct ip_range *ret_range,
    uint8_t *ret_length, struct err *err)
{
	const char *dash = memchr(text, '-', length);
	struct ip_range range;
	uint8_t bits = 0;

	if (!dash)
		return err_set(err, EINVAL, "'%.*s' is not FIRST-LAST/PREFIX", shown(length), text);
	size_t before = (size_t)(dash - text);
	int rc = ip_parse(text, before, &range.first, err);
	if (!rc)
		rc = parse_range_end(dash + 1, length - before - 1, &range.last, &bits, err);
	if (rc)
		return rc;
	if (range.first.family != range.last.family)
		return err_set(err, EINVAL, "'%.*s' mixes IPv4 and IPv6", (int)length, text);
	if (ip_compare(&range.first, &range.last) > 0)
		return err_set(err, EINVAL, "'%.*s' ends before it starts", (int)length, text);
	*ret_range = range;
	*ret_length = bits;
	return 0;
}

/* For IPv4, inet_ntop goes through sprintf: a sixteenth of an ADD. */
static void
print_ipv4(const uint8_t bytes[4], char *out)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned byte = bytes[i];
		if (i)
			*out++ = '.';
		if (byte >= 100)
			*out++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*out++ = (char)('0' + byte / 10 % 10);
		*out++ = (char)('0' + byte % 10);
	}
	*out = '\0';
}

const char *
ip_print(const struct ip *ip, char *out)
{
	if (ip->family == 4)
		print_ipv4(ip->bytes, out);
	else if (!inet_ntop(AF_INET6, ip->bytes, out, ADDRESS_TEXT_MAX))
		out[0] = '\0'; /* cannot be: the room is enough */
	return out;
}

const char *
cidr_print(const struct cidr *cidr, char *out)
{
	char digits[NUM_TEXT_MAX];

	ip_print(&cidr->ip, out);
	size_t used = strlen(out);
	(void)text_join(out + used, ADDRESS_TEXT_MAX - used, "/", num_print(cidr->length, digits), NULL);
	return out;
}

int
ip_compare(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool
ip_equal(const struct ip *a, const struct ip *b)
{
	return ip_compare(a, b) == 0;
}

/* Carries by hand, from the last byte: no 128-bit arithmetic, no shift that
 * could reach a type's width. */
bool
ip_add(const struct ip *ip, uint64_t count, struct ip *ret_ip)
{
	struct ip sum = *ip;
	unsigned carry = 0;

	for (size_t i = ip_size(ip); i-- > 0;) {
		unsigned byte = sum.bytes[i] + (unsigned)(count & 0xff) + carry;
		sum.bytes[i] = (uint8_t)(byte & 0xff);
		carry = byte >> 8;
		count >>= 8;
	}
	if (carry || count)
		return false;
	*ret_ip = sum;
	return true;
}

uint64_t
ip_range_count(const struct ip_range *range)
{
	uint8_t difference[16] = {0};
	size_t size = ip_size(&range->first);
	unsigned borrow = 0;
	uint64_t count = 0;

	for (size_t i = size; i-- > 0;) {
		unsigned from = range->last.bytes[i];
		unsigned less = range->first.bytes[i] + borrow;
		borrow = from < less;
		difference[i] = (uint8_t)((from + (borrow ? 256u : 0u)) - less);
	}
	for (size_t i = 0; i < size; i++) {
		if (count >> 56)
			return UINT64_MAX;
		count = count << 8 | difference[i];
	}
	return count == UINT64_MAX ? count : count + 1;
}

bool
ip_ranges_overlap(const struct ip_range *a, const struct ip_range *b)
{
	return a->first.family == b->first.family &&
	    ip_compare(&a->first, &b->last) <= 0 && ip_compare(&b->first, &a->last) <= 0;
}

bool
cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->length == b->length && ip_equal(&a->ip, &b->ip);
}

/* The bits of byte i that belong to the network. */
static uint8_t
network_mask(unsigned length, size_t i)
{
	if (length >= (i + 1) * 8)
		return 0xff;
	if (length <= i * 8)
		return 0;
	return (uint8_t)(0xff00u >> (length - i * 8));
}

struct ip
cidr_first(const struct cidr *cidr)
{
	struct ip ip = cidr->ip;

	for (size_t i = 0; i < ip_size(&ip); i++)
		ip.bytes[i] &= network_mask(cidr->length, i);
	return ip;
}

struct ip
cidr_last(const struct cidr *cidr)
{
	struct ip ip = cidr->ip;

	for (size_t i = 0; i < ip_size(&ip); i++)
		ip.bytes[i] |= (uint8_t)~network_mask(cidr->length, i);
	return ip;
}

bool
cidr_contains(const struct cidr *cidr, const struct ip *ip)
{
	size_t whole = cidr->length / 8; /* bytes; the mask of the next one may be 0 */

	if (cidr->ip.family != ip->family || memcmp(cidr->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return whole == ip_size(ip) ||
	    ((cidr->ip.bytes[whole] ^ ip->bytes[whole]) & network_mask(cidr->length, whole)) == 0;
}

/* What no host can have, whatever the prefix: the kernel would refuse it or
 * treat it as something else (RFC 6890 and its registries). */
static const char *
unusable_anywhere(const struct ip *ip)
{
	const uint8_t *b = ip->bytes;
	static const uint8_t loopback6[16] = {[15] = 1};
	static const uint8_t unspecified6[16];

	if (ip->family == 4 && b[0] == 0)
		return "is in 0.0.0.0/8, \"this network\"";
	if (ip->family == 4 && b[0] == 127)
		return "is a loopback address";
	if (ip->family == 4 && b[0] >= 240)
		return "is in the reserved 240.0.0.0/4";
	if ((ip->family == 4 && b[0] >= 224) || (ip->family == 6 && b[0] == 0xff))
		return "is a multicast address";
	if (ip->family == 6 && memcmp(b, loopback6, 16) == 0)
		return "is the loopback address";
	if (ip->family == 6 && memcmp(b, unspecified6, 16) == 0)
		return "is the unspecified address";
	if (ip->family == 6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "is a link-local address, which each interface makes for itself";
	return NULL;
}

const char *
cidr_unusable(const struct cidr *cidr, char *out)
{
	const char *reason = unusable_anywhere(&cidr->ip);
	struct cidr network = {.ip = cidr_first(cidr), .length = cidr->length};
	struct ip last = cidr_last(cidr);
	char text[ADDRESS_TEXT_MAX];

	if (reason || cidr->length + 1 >= ip_bits(&cidr->ip))
		return reason;
	if (ip_equal(&cidr->ip, &network.ip)) {
		(void)snprintf(out, 96, "is the %s address of %s",
		    cidr->ip.family == 4 ? "network" : "subnet-router anycast",
		    cidr_print(&network, text));
		return out;
	}
	if (cidr->ip.family == 4 && ip_equal(&cidr->ip, &last)) {
		(void)snprintf(out, 96, "is the broadcast address of %s", cidr_print(&network, text));
		return out;
	}
	return NULL;
}
