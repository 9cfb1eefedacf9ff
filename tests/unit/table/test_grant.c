#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "table/grant.h"
#include "table/key.h"

static void
a_grant_goes_there_and_back(void **state)
{
	static const char *const lines[] = {
	    "{\"state\":\"Granted\",\"domain\":\"network/podnet\",\"p\":\"default/ex\",\"ips\":[\"10.0.2.40/24\",\"fd00::1/64\"],\"gw\":[\"10.0.2.1\"]}",
	    "{\"state\":\"Held\",\"why\":\"10.0.2.41 is held by pod default/ex-1\"}",
	    "{\"state\":\"Refused\",\"why\":\"a bare pod\"}",
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		scoped_buf out = buf_make(4096);
		struct grant grant;
		struct err err = {0};
		assert_int_equal(grant_decode("k", lines[i], strlen(lines[i]), &grant, &err), 0);
		assert_int_equal(grant.state, i);
		grant_encode(&grant, &out);
		assert_string_equal(buf_string(&out), lines[i]);
	}
}

static void
what_is_no_grant_is_refused(void **state)
{
	static const char *const wrong[] = {"{}", "{\"state\":\"granted\"}", "{\"state\":7}", "[]", "",
	    "{\"state\":\"Granted\",\"domain\":\"network/x\",\"p\":\"a/b\"}",
	    "{\"state\":\"Granted\",\"domain\":\"network/x\",\"p\":\"a/b\",\"ips\":[]}",
	    "{\"state\":\"Granted\",\"p\":\"a/b\",\"ips\":[\"10.0.0.1/24\"]}",
	    "{\"state\":\"Granted\",\"domain\":\"x\",\"p\":\"a/b\",\"ips\":[\"10.0.0.1/24\"]}",
	    "{\"state\":\"Granted\",\"domain\":\"network/../x\",\"p\":\"a/b\",\"ips\":[\"10.0.0.1/24\"]}",
	    "{\"state\":\"Granted\",\"domain\":\"by-attachment/x\",\"p\":\"a/b\",\"ips\":[\"10.0.0.1/24\"]}",
	    "{\"state\":\"Held\"}", "{\"state\":\"Refused\",\"why\":7}"};

	(void)state;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct grant grant;
		struct err err = {0};
		assert_true(grant_decode("the key", wrong[i], strlen(wrong[i]), &grant, &err) < 0);
		assert_non_null(strstr(err.text, "the key"));
	}
}

static void
a_key_has_a_UID_of_the_right_shape(void **state)
{
	char key[GRANT_KEY_MAX + 1];
	char long_uid[POD_UID_MAX + 2];
	struct err err = {0};

	(void)state;
	assert_int_equal(grant_key(key, "podnet/default/ex-0", "6f1c-Ab", &err), 0);
	assert_string_equal(key, "podnet/default/ex-0@6f1c-Ab");
	memset(long_uid, 'u', sizeof(long_uid) - 1);
	long_uid[sizeof(long_uid) - 1] = '\0';
	const char *const wrong[] = {"", "a b", "a/b", "a@b", "a\tb", long_uid};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(grant_key(key, "podnet/default/ex-0", wrong[i], &err), -EINVAL);
	long_uid[POD_UID_MAX] = '\0';
	assert_int_equal(grant_key(key, "podnet/default/ex-0", long_uid, &err), 0);
}

static void
the_head_goes_there_and_back(void **state)
{
	const char *text = "{\"node\":\"n1\",\"object\":\"u-n1\",\"epoch\":\"e1\",\"serial\":9223372036854775807}";
	scoped_buf out = buf_make(4096);
	struct grant_head head;
	struct err err = {0};

	(void)state;
	assert_int_equal(grant_head_decode(text, strlen(text), &head, &err), 0);
	assert_true(head.serial == INT64_MAX);
	grant_head_encode(&head, &out);
	assert_string_equal(buf_string(&out), text);
	assert_true(grant_head_decode("{}", 2, &head, &err) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_grant_goes_there_and_back),
	    cmocka_unit_test(what_is_no_grant_is_refused),
	    cmocka_unit_test(a_key_has_a_UID_of_the_right_shape),
	    cmocka_unit_test(the_head_goes_there_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
