/* Token and trust of a client, read again when they may have changed. Private to
 * lib/net. */
#ifndef NET_KUBE_CREDENTIALS_H
#define NET_KUBE_CREDENTIALS_H

#include "core/err.h"
#include "net/http.h"
#include "net/kube_config.h"

struct kube_credentials {
	const struct kube_config *config;
	struct http *http; /* gets the trust */
	char *token;       /* current, or NULL */
	double token_until, trust_until; /* clock_seconds() of the next look */

	/* What the files held; config's own bytes are not copied here. */
	char *ca_pem, *cert_pem, *key_pem;
	bool trusted;     /* http has a trust */
	unsigned version; /* grows when token or trust become other ones */
};

/* Before each request: reads what is due. A file that cannot be read is an error
 * only while there is nothing older to go on with: a rotation may be halfway. */
int kube_credentials_refresh(struct kube_credentials *credentials, struct err *err);
/* The server refused us, or we the server: look at once next time. */
void kube_credentials_doubt(struct kube_credentials *credentials);
void kube_credentials_release(struct kube_credentials *credentials);

#endif
