#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/utf8.h"

#define FFFD "\xef\xbf\xbd"

static void
check(const char *in, size_t length, const char *wanted)
{
	scoped_buf out = buf_make(256);

	utf8_clean(in, length, &out);
	assert_string_equal(buf_string(&out), wanted);
	if (strlen(in) == length)
		assert_int_equal(utf8_valid(in), strcmp(in, wanted) == 0);
}

static void
well_formed_text_stays(void **state)
{
	static const char *const texts[] = {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	    "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check(texts[i], strlen(texts[i]), texts[i]);
}

static void
each_byte_of_anything_else_is_replaced(void **state)
{
	(void)state;
	check("\x80", 1, FFFD);
	check("\xbf" "a", 2, FFFD "a");
	check("\xc0\x80", 2, FFFD FFFD);         /* overlong NUL */
	check("\xc1\xbf", 2, FFFD FFFD);
	check("\xe0\x9f\xbf", 3, FFFD FFFD FFFD); /* overlong */
	check("\xed\xa0\x80", 3, FFFD FFFD FFFD); /* surrogate */
	check("\xf0\x8f\xbf\xbf", 4, FFFD FFFD FFFD FFFD);
	check("\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD); /* above U+10FFFF */
	check("\xf5\x80\x80\x80", 4, FFFD FFFD FFFD FFFD);
	check("\xff", 1, FFFD);
}

static void
a_character_that_is_cut_off_is_replaced(void **state)
{
	(void)state;
	check("a\xc3", 2, "a" FFFD);
	check("\xe2\x82", 2, FFFD FFFD);
	check("\xf0\x9f\x98", 3, FFFD FFFD FFFD);
	check("\xe2\x82\xac", 2, FFFD FFFD); /* length ends it, not the bytes behind */
	check("\xe2(\x82", 3, FFFD "(" FFFD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(well_formed_text_stays),
	    cmocka_unit_test(each_byte_of_anything_else_is_replaced),
	    cmocka_unit_test(a_character_that_is_cut_off_is_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
