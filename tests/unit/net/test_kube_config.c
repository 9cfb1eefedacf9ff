/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "net/base64.h"
#include "net/kube_config.h"

/* "-----BEGIN CERTIFICATE-----\nx\n" and the same of a key */
#define CERT64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCngK"
#define KEY64 "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCnkK"
#define CERT "-----BEGIN CERTIFICATE-----\nx\n"
#define KEY "-----BEGIN PRIVATE KEY-----\ny\n"

#define HEAD "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
#define CONTEXTS                                                                         \
	"contexts:\n- name: here\n  context: {cluster: c, user: u, namespace: prod}\n"  \
	"- name: bare\n  context: {cluster: c}\n"
#define CLUSTER(fields) "clusters:\n- name: c\n  cluster:\n" fields
#define SERVER "    server: https://10.0.0.1:6443/\n"
#define USER(fields) "users:\n- name: other\n  user: {token: no}\n- name: u\n  user:\n" fields
#define GOOD_CLUSTER CLUSTER(SERVER "    certificate-authority: ca.crt\n")

static int
parse(const char *yaml, const char *context, struct kube_config *config, struct err *err)
{
	return kube_config_parse(yaml, strlen(yaml), "/etc/k", context, config, err);
}

static void
reads_server_trust_user_and_namespace_of_the_current_context(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(
	    parse(HEAD CONTEXTS CLUSTER(SERVER
	              "    certificate-authority-data: " CERT64 "\n"
	              "    certificate-authority: ignored.crt\n"
	              "    tls-server-name: kubernetes.default\n")
	              USER("    client-certificate-data: " CERT64 "\n"
	                   "    client-key-data: " KEY64 "\n"),
	        NULL, &config, &err),
	    0);
	assert_string_equal(config.server, "https://10.0.0.1:6443");
	assert_string_equal(config.server_name, "kubernetes.default");
	assert_string_equal(config.ca_pem, CERT);
	assert_null(config.ca_file);
	assert_string_equal(config.cert_pem, CERT);
	assert_string_equal(config.key_pem, KEY);
	assert_string_equal(config.namespace, "prod");
	assert_null(config.token);
	assert_false(config.insecure);
	kube_config_release(&config);
	assert_null(config.server);
	kube_config_release(&config);
}

static void
relative_paths_count_from_the_folder_of_the_file(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(parse(HEAD CONTEXTS GOOD_CLUSTER
	                           USER("    client-certificate: pki/c.crt\n"
	                                "    client-key: /abs/c.key\n"
	                                "    tokenFile: ../token\n"),
	                     NULL, &config, &err),
	    0);
	assert_string_equal(config.ca_file, "/etc/k/ca.crt");
	assert_string_equal(config.cert_file, "/etc/k/pki/c.crt");
	assert_string_equal(config.key_file, "/abs/c.key");
	assert_string_equal(config.token_file, "/etc/k/../token");
	kube_config_release(&config);
}

static void
a_named_context_goes_before_the_current_one_and_needs_no_user(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(
	    parse(HEAD CONTEXTS GOOD_CLUSTER USER("    token: abc\n"), "bare", &config, &err), 0);
	assert_null(config.token);
	assert_string_equal(config.namespace, "default");
	kube_config_release(&config);
}

static void
json_is_yaml_too(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(parse("{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":"
	                       "{\"cluster\":\"c\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"c\","
	                       "\"cluster\":{\"server\":\"http://127.0.0.1:8001\","
	                       "\"insecure-skip-tls-verify\":true}}],\"users\":[{\"name\":\"u\","
	                       "\"user\":{\"token\":\"abc\",\"exec\":null,\"username\":\"\"}}]}",
	                     NULL, &config, &err),
	    -ENOTSUP); /* a refused field is refused even when it is empty text */
	assert_int_equal(parse("{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":"
	                       "{\"cluster\":\"c\",\"user\":\"u\"}}],\"clusters\":[{\"name\":\"c\","
	                       "\"cluster\":{\"server\":\"http://127.0.0.1:8001\","
	                       "\"insecure-skip-tls-verify\":true}}],\"users\":[{\"name\":\"u\","
	                       "\"user\":{\"token\":\"abc\",\"exec\":null}}]}",
	                     NULL, &config, &err),
	    0);
	assert_true(config.insecure);
	assert_string_equal(config.token, "abc");
	kube_config_release(&config);
}

static void
says_precisely_what_it_refuses(void **state)
{
	static const struct {
		const char *yaml;
		const char *says;
	} rows[] = {
	    {"", "not a YAML mapping"},
	    {"- a\n", "not a YAML mapping"},
	    {"a: [\n", "not YAML: line 2"},
	    {"a: \"\x01\"\n", "not YAML"},
	    {HEAD "---\nkind: Config\n", "more than one YAML document"},
	    {"kind: Config\n", "there is no current-context: name one"},
	    {HEAD, "there is no context 'here'"},
	    {HEAD "contexts: {}\n", "kubeconfig: contexts is not a list"},
	    {HEAD "contexts: [1]\n", "an entry of contexts is not a mapping"},
	    {HEAD "contexts:\n- name: here\n", "context 'here' has no fields"},
	    {HEAD "contexts:\n- name: here\n  context: {user: u}\n", "context 'here' names no cluster"},
	    {HEAD CONTEXTS, "there is no cluster 'c'"},
	    {HEAD CONTEXTS GOOD_CLUSTER, "there is no user 'u'"},
	    {HEAD CONTEXTS GOOD_CLUSTER "users: 5\n", "users is not a list"},
	    {HEAD CONTEXTS CLUSTER("    a: b\n"), "cluster 'c': server: '' is not an address"},
	    {HEAD CONTEXTS CLUSTER("    server: 10.0.0.1\n"), "is not an address like https://host:port"},
	    {HEAD CONTEXTS CLUSTER("    server: ftp://10.0.0.1\n"), "is not an address"},
	    {HEAD CONTEXTS CLUSTER("    server: https://a:b@10.0.0.1\n"), "is not an address"},
	    {HEAD CONTEXTS CLUSTER("    server: https://10.0.0.1/?x=1\n"), "is not an address"},
	    {HEAD CONTEXTS CLUSTER("    server: [https://a]\n"), "cluster 'c': server is not a text"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    proxy-url: http://p\n"),
	        "cluster 'c': proxy-url is not supported: name a server"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    insecure-skip-tls-verify: maybe\n"),
	        "insecure-skip-tls-verify is neither true nor false"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    insecure-skip-tls-verify: true\n    certificate-authority: x\n"),
	        "has no meaning with insecure-skip-tls-verify"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    certificate-authority-data: '***'\n"),
	        "cluster 'c': certificate-authority-data is not base64 at byte 0"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    certificate-authority-data: YWJ\n"), "its end is missing"},
	    {HEAD CONTEXTS CLUSTER(SERVER "    certificate-authority-data: YWJj\n"), "is not PEM"},
	    {HEAD CONTEXTS CLUSTER(SERVER SERVER), "cluster 'c': server stands there twice"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    exec: {command: aws}\n"),
	        "user 'u': exec is not supported: let the program write the token to a file"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    auth-provider: {name: gcp}\n"), "auth-provider is not supported"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    username: x\n"), "username is not supported"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    as: root\n"), "user 'u': as is not supported"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    token: \"a\\r\\nX: y\"\n"),
	        "user 'u': token: byte 1 is not a visible character"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    token: \"a\\0b\"\n"), "user 'u': token contains a NUL byte"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    client-certificate: x\n"),
	        "client-certificate and client-key go together"},
	    {HEAD CONTEXTS GOOD_CLUSTER USER("    client-key-data: " KEY64 "\n"),
	        "client-certificate and client-key go together"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kube_config config = {0};
		struct err err = {0};
		int rc = parse(rows[i].yaml, NULL, &config, &err);
		if (rc >= 0 || !strstr(err.text, rows[i].says))
			print_error("row %zu: %d '%s', not '%s'\n", i, rc, err.text, rows[i].says);
		assert_true(rc < 0 && rc == -err.code);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_null(config.server);
	}
}

/* "A billion laughs": an alias must stay a reference. */
static void
aliases_do_not_blow_up(void **state)
{
	struct buf yaml = buf_make(8192);
	struct kube_config config = {0};
	struct err err = {0};

	(void)state;
	(void)buf_text(&yaml, HEAD CONTEXTS GOOD_CLUSTER "users: []\na0: &a0 [x]\n");
	for (int i = 1; i < 60; i++)
		(void)buf_print(&yaml, "a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1, i - 1);
	assert_int_equal(parse(buf_string(&yaml), "bare", &config, &err), 0);
	kube_config_release(&config);
	buf_release(&yaml);
}

static void
base64_gives_back_what_was_put_in(void **state)
{
	static const struct {
		const char *text;
		const char *want; /* NULL = refused */
	} rows[] = {{"", ""}, {"YQ==", "a"}, {"YWI=", "ab"}, {"YWJj", "abc"}, {"YW\nJj\r\n", "abc"},
	    {"+/+/", "\xfb\xff\xbf"}, {"YQ=", NULL}, {"YQ", NULL}, {"Y", NULL}, {"=", NULL},
	    {"Y===", NULL}, {"YQ==YQ==", NULL}, {"YQ=a", NULL}, {"YW J", NULL}, {"-_-_", NULL},
	    {"YQ== ", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf buf = buf_make(100);
		struct err err = {0};
		int rc = base64_decode(rows[i].text, "it", &buf, &err);
		if ((rc == 0) != (rows[i].want != NULL))
			print_error("'%s': %d %s\n", rows[i].text, rc, err.text);
		assert_int_equal(rc == 0, rows[i].want != NULL);
		if (rows[i].want)
			assert_string_equal(buf_string(&buf), rows[i].want);
		buf_release(&buf);
	}
}

/* ---- files ------------------------------------------------------------------- */

/* In the current folder, which each of these tests has to itself. */
static void
put_file(const char *name, const char *text)
{
	struct err err = {0};

	assert_int_equal(
	    file_replace(AT_FDCWD, name, text, strlen(text), 0600, FILE_SYNC_NONE, &err), 0);
}

static int
enter_folder(void **state)
{
	char folder[] = "/tmp/kube_config.XXXXXX";

	if (!mkdtemp(folder) || chdir(folder) < 0)
		return -1;
	*state = mem_text(folder);
	return 0;
}

static int
leave_folder(void **state)
{
	char *folder = *state;
	const char *names[] = {"token", "namespace", "ca.crt", "config"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(names[i]);
	int rc = chdir("/") || rmdir(folder);
	mem_free(folder);
	return rc;
}

static void
finds_itself_in_a_pod(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};
	const char *folder = *state;
	char *want = mem_format("%s/token", folder);

	put_file("token", " abc.def\n");
	put_file("namespace", "kube-system\n");
	assert_int_equal(kube_config_in_cluster("10.96.0.1", "443", folder, &config, &err), 0);
	assert_string_equal(config.server, "https://10.96.0.1:443");
	assert_string_equal(config.namespace, "kube-system");
	assert_string_equal(config.token_file, want);
	kube_config_release(&config);
	assert_int_equal(kube_config_in_cluster("fd00::1", "443", folder, &config, &err), 0);
	assert_string_equal(config.server, "https://[fd00::1]:443");
	kube_config_release(&config);
	mem_free(want);
}

static void
says_what_is_missing_in_a_pod(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};
	const char *folder = *state;

	assert_int_equal(kube_config_in_cluster(NULL, "443", folder, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "KUBERNETES_SERVICE_HOST"));
	assert_int_equal(kube_config_in_cluster("h", "443", folder, &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/namespace"));
	put_file("namespace", "x");
	assert_int_equal(kube_config_in_cluster("h", "443", folder, &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/token"));
	put_file("token", " \n");
	assert_int_equal(kube_config_in_cluster("h", "443", folder, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is empty"));
	put_file("token", "abc");
	assert_int_equal(kube_config_in_cluster("h", "99999", folder, &config, &err), -EINVAL);
	assert_int_equal(kube_config_in_cluster("h/../x y", "443", folder, &config, &err), -EINVAL);
	assert_null(config.server);
}

static void
loads_a_file_and_names_it_in_errors(void **state)
{
	struct kube_config config = {0};
	struct err err = {0};
	char *path = mem_format("%s/config", (const char *)*state);
	char *want = mem_format("%s/ca.crt", (const char *)*state);

	assert_int_equal(kube_config_load(path, NULL, &config, &err), -ENOENT);
	put_file("config", HEAD);
	assert_int_equal(kube_config_load(path, NULL, &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "kubeconfig "));
	assert_non_null(strstr(err.text, "/config: there is no context 'here'"));
	put_file("config", HEAD CONTEXTS GOOD_CLUSTER USER("    token: abc\n"));
	assert_int_equal(kube_config_load(path, NULL, &config, &err), 0);
	assert_string_equal(config.ca_file, want);
	kube_config_release(&config);
	assert_int_equal(kube_config_load("config", NULL, &config, &err), 0);
	assert_string_equal(config.ca_file, "./ca.crt");
	kube_config_release(&config);
	mem_free(path);
	mem_free(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_server_trust_user_and_namespace_of_the_current_context),
	    cmocka_unit_test(relative_paths_count_from_the_folder_of_the_file),
	    cmocka_unit_test(a_named_context_goes_before_the_current_one_and_needs_no_user),
	    cmocka_unit_test(json_is_yaml_too),
	    cmocka_unit_test(says_precisely_what_it_refuses),
	    cmocka_unit_test(aliases_do_not_blow_up),
	    cmocka_unit_test(base64_gives_back_what_was_put_in),
	    cmocka_unit_test_setup_teardown(finds_itself_in_a_pod, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(
	        says_what_is_missing_in_a_pod, enter_folder, leave_folder),
	    cmocka_unit_test_setup_teardown(
	        loads_a_file_and_names_it_in_errors, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
