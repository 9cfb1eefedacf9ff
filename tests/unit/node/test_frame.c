#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/frame.h"

static const struct mac own = {{0x02, 0, 0, 0, 0, 0xa1}};

/* Written down from the RFCs' pictures, with checksums of another program. */
static const char arp_announcement[] = "ffffffffffff" "0200000000a1" "0806"
    "0001" "0800" "06" "04" "0001" "0200000000a1" "0a83002b" "000000000000" "0a83002b";
static const char arp_probe[] = "ffffffffffff" "0200000000a1" "0806"
    "0001" "0800" "06" "04" "0001" "0200000000a1" "00000000" "000000000000" "0a83002b";
static const char arp_reply[] = "0200000000a1" "0200000000b2" "0806"
    "0001" "0800" "06" "04" "0002" "0200000000b2" "0a83002b" "0200000000a1" "0a830009";
static const char advertisement[] = "333300000001" "0200000000a1" "86dd"
    "60000000" "0020" "3a" "ff" "fd000131000000000000000000000043" "ff020000000000000000000000000001"
    "88" "00" "5715" "20000000" "fd000131000000000000000000000043" "02010200000000a1";
static const char solicitation[] = "3333ff000043" "0200000000a1" "86dd"
    "60000000" "0018" "3a" "ff" "00000000000000000000000000000000" "ff0200000000000000000001ff000043"
    "87" "00" "7bf0" "00000000" "fd000131000000000000000000000043";

static size_t
bytes_of(const char *hex, uint8_t *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(hex) / 2;

	for (size_t i = 0; i < length; i++)
		out[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 |
		    (strchr(digits, hex[2 * i + 1]) - digits));
	return length;
}

static struct ip
ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(text, strlen(text), &ip, NULL), 0);
	return ip;
}

static void
expect_bytes(struct frame frame, const char *hex)
{
	uint8_t wanted[128];
	size_t length = bytes_of(hex, wanted);

	assert_int_equal(frame.length, length);
	assert_memory_equal(frame.bytes, wanted, length);
}

static void
frames_have_the_bytes_of_the_RFCs(void **state)
{
	struct ip ip4 = ip_of("10.131.0.43");
	struct ip ip6 = ip_of("fd00:131::43");

	(void)state;
	expect_bytes(frame_announce(&own, &ip4), arp_announcement);
	expect_bytes(frame_probe(&own, &ip4), arp_probe);
	expect_bytes(frame_announce(&own, &ip6), advertisement);
	expect_bytes(frame_probe(&own, &ip6), solicitation);
}

/* What the bytes claim: "IP MAC", or "" for nothing. */
static void
claims(const uint8_t *bytes, size_t length, const char *wanted)
{
	struct frame_claim claim = {0};
	char ip[ADDRESS_TEXT_MAX];
	char mac[MAC_TEXT_MAX];
	char text[ADDRESS_TEXT_MAX + MAC_TEXT_MAX + 1] = "";

	if (frame_read_claim(bytes, length, &claim))
		(void)snprintf(text, sizeof(text), "%s %s", ip_print(&claim.ip, ip),
		    mac_print(&claim.mac, mac));
	assert_string_equal(text, wanted);
}

static void
every_way_to_claim_an_address_is_understood(void **state)
{
	static const char *const cases[][2] = {
	    {arp_announcement, "10.131.0.43 02:00:00:00:00:a1"},
	    {arp_probe, "10.131.0.43 02:00:00:00:00:a1"},
	    {arp_reply, "10.131.0.43 02:00:00:00:00:b2"},
	    {advertisement, "fd00:131::43 02:00:00:00:00:a1"},
	    {solicitation, "fd00:131::43 02:00:00:00:00:a1"},
	};
	uint8_t bytes[1500] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = bytes_of(cases[i][0], bytes);
		claims(bytes, length, cases[i][1]);
		/* short frames are padded to 60 bytes, with whatever was there */
		memset(bytes + length, 0x5a, sizeof(bytes) - length);
		claims(bytes, length + 18, cases[i][1]);
		claims(bytes, sizeof(bytes), cases[i][1]);
		for (size_t cut = 0; cut < length; cut++)
			claims(bytes, cut, "");
	}
}

/* Writes the checksum that makes bytes 54 to length right. */
static void
sign(uint8_t *bytes, size_t length)
{
	uint32_t sum = (uint32_t)(length - 54) + 58;

	bytes[56] = bytes[57] = 0;
	for (size_t i = 22; i < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	bytes[56] = (uint8_t)(sum >> 8);
	bytes[57] = (uint8_t)sum;
}

static void
what_another_host_only_asks_claims_nothing_of_ours(void **state)
{
	uint8_t bytes[128];
	size_t length = bytes_of(arp_announcement, bytes);

	(void)state;
	bytes[31] = 9; /* 10.131.0.9 asks for 10.131.0.43 */
	claims(bytes, length, "10.131.0.9 02:00:00:00:00:a1");
	length = bytes_of(solicitation, bytes);
	bytes[22] = 0xfe; /* from an address: it looks for a neighbour */
	bytes[23] = 0x80;
	sign(bytes, length);
	claims(bytes, length, "");
}

static void
the_option_says_the_MAC_and_without_it_the_sender_has_it(void **state)
{
	uint8_t bytes[128];
	size_t length = bytes_of(advertisement, bytes);

	(void)state;
	bytes[11] = 0x77; /* the sender, behind the back of the option */
	claims(bytes, length, "fd00:131::43 02:00:00:00:00:a1");
	bytes[19] = 24; /* the message ends before the option */
	sign(bytes, 78);
	claims(bytes, 78, "fd00:131::43 02:00:00:00:00:77");
	bytes[19] = 32;
	bytes[78] = 14; /* a nonce (RFC 3971) is none of ours */
	sign(bytes, length);
	claims(bytes, length, "fd00:131::43 02:00:00:00:00:77");
	bytes[79] = 0; /* an option without length never ends */
	sign(bytes, length);
	claims(bytes, length, "");
}

static void
each_wrong_field_makes_a_frame_claim_nothing(void **state)
{
	static const struct {
		const char *hex;
		size_t at;
		uint8_t value;
	} cases[] = {
	    {arp_reply, 12, 0x88}, {arp_reply, 13, 0x07}, {arp_reply, 15, 6}, {arp_reply, 16, 0x86},
	    {arp_reply, 18, 8}, {arp_reply, 19, 16}, {arp_reply, 21, 3}, {arp_reply, 20, 1},
	    {arp_probe, 21, 2}, {advertisement, 14, 0x40}, {advertisement, 20, 17},
	    {advertisement, 21, 254}, {advertisement, 54, 133}, {advertisement, 55, 1},
	    {solicitation, 54, 134}, {advertisement, 19, 16}, {advertisement, 18, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[128];
		size_t length = bytes_of(cases[i].hex, bytes);
		bytes[cases[i].at] = cases[i].value;
		if (cases[i].hex == advertisement || cases[i].hex == solicitation)
			sign(bytes, length);
		claims(bytes, length, "");
	}
}

static void
a_wrong_checksum_claims_nothing(void **state)
{
	uint8_t bytes[128];
	size_t length = bytes_of(advertisement, bytes);

	(void)state;
	for (size_t at = 22; at < length; at++) {
		bytes[at] ^= 0x10;
		claims(bytes, length, "");
		bytes[at] ^= 0x10;
	}
	claims(bytes, length, "fd00:131::43 02:00:00:00:00:a1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_have_the_bytes_of_the_RFCs),
	    cmocka_unit_test(every_way_to_claim_an_address_is_understood),
	    cmocka_unit_test(what_another_host_only_asks_claims_nothing_of_ours),
	    cmocka_unit_test(the_option_says_the_MAC_and_without_it_the_sender_has_it),
	    cmocka_unit_test(each_wrong_field_makes_a_frame_claim_nothing),
	    cmocka_unit_test(a_wrong_checksum_claims_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
