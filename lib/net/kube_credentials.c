#include "net/kube_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "net/clock.h"
#include "net/token.h"

/* client-go: transport/token_source.go reads each 60 s less 10 s of leeway;
 * transport/ca_rotation.go and cert_rotation.go look every 5 minutes. */
static const double token_period_s = 50;
static const double trust_period_s = 300;

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static void
replace(char **text, char **fresh)
{
	mem_free(*text);
	*text = mem_take(fresh);
}

static int
refresh_token(struct kube_credentials *credentials, double now, struct err *err)
{
	const struct kube_config *config = credentials->config;
	char *fresh = NULL;
	int rc = 0;

	if (now < credentials->token_until)
		return 0;
	credentials->token_until = now + token_period_s;
	if (config->token_file)
		rc = token_read(config->token_file, &fresh, err);
	/* as in client-go: the file goes first, then what was read last from it,
	 * then the plain token */
	if (!fresh && !credentials->token)
		fresh = mem_text(config->token);
	if (fresh && !is_same(fresh, credentials->token))
		credentials->version++;
	if (fresh)
		replace(&credentials->token, &fresh);
	if (rc == 0 || credentials->token)
		return 0;
	credentials->token_until = 0;
	return rc;
}

static int
read_pem(const char *file, char **ret_pem, struct err *err)
{
	scoped_buf pem = buf_make(CONFIG_FILE_MAX);

	if (!file)
		return 0;
	int rc = file_read(AT_FDCWD, file, &pem, err);
	if (rc < 0)
		return rc;
	if (strlen(buf_string(&pem)) != pem.length || !strstr(buf_string(&pem), "-----BEGIN "))
		return err_set(err, EINVAL, "%s is not PEM", file);
	*ret_pem = buf_take(&pem);
	return 0;
}

static void
use_trust(struct kube_credentials *credentials)
{
	const struct kube_config *config = credentials->config;
	struct http_trust trust = {
	    .ca_pem = config->ca_pem ? config->ca_pem : credentials->ca_pem,
	    .cert_pem = config->cert_pem ? config->cert_pem : credentials->cert_pem,
	    .key_pem = config->key_pem ? config->key_pem : credentials->key_pem,
	    .server_name = config->server_name,
	    .insecure = config->insecure,
	};

	http_trust(credentials->http, &trust);
	credentials->trusted = true;
	credentials->version++;
}

/* All three files or none: a new certificate with the old key is of no use. */
static int
read_trust(struct kube_credentials *credentials, struct err *err)
{
	const struct kube_config *config = credentials->config;
	scoped_free char *ca = NULL;
	scoped_free char *cert = NULL;
	scoped_free char *key = NULL;

	int rc = read_pem(config->ca_file, &ca, err);
	if (rc == 0)
		rc = read_pem(config->cert_file, &cert, err);
	if (rc == 0)
		rc = read_pem(config->key_file, &key, err);
	if (rc < 0)
		return rc;
	bool same = credentials->trusted && is_same(ca, credentials->ca_pem) &&
	    is_same(cert, credentials->cert_pem) && is_same(key, credentials->key_pem);
	if (same)
		return 0;
	replace(&credentials->ca_pem, &ca);
	replace(&credentials->cert_pem, &cert);
	replace(&credentials->key_pem, &key);
	use_trust(credentials);
	return 0;
}

int
kube_credentials_refresh(struct kube_credentials *credentials, struct err *err)
{
	double now = clock_seconds();

	if (now >= credentials->trust_until) {
		int rc = read_trust(credentials, err);
		if (rc < 0 && !credentials->trusted)
			return rc;
		credentials->trust_until = now + trust_period_s;
	}
	return refresh_token(credentials, now, err);
}

void
kube_credentials_doubt(struct kube_credentials *credentials)
{
	credentials->token_until = 0;
	credentials->trust_until = 0;
}

void
kube_credentials_release(struct kube_credentials *credentials)
{
	mem_free(credentials->token);
	mem_free(credentials->ca_pem);
	mem_free(credentials->cert_pem);
	mem_free(credentials->key_pem);
	*credentials = (struct kube_credentials){0};
}
