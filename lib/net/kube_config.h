/* Where the API server is and who we are there. */
#ifndef NET_KUBE_CONFIG_H
#define NET_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct kube_config {
	char *server;      /* https://host:port, no slash at the end */
	char *server_name; /* tls-server-name, or NULL */
	bool insecure;     /* insecure-skip-tls-verify */
	/* A file (read again when it changes) or PEM bytes; NULL = none. */
	char *ca_file, *ca_pem;
	char *cert_file, *cert_pem;
	char *key_file, *key_pem;
	char *token_file, *token;
	char *namespace;   /* of our own pod, or of the context; "default" */
};

/* In a pod: KUBERNETES_SERVICE_HOST and _PORT as given by the caller (its main
 * reads the environment), the service account's files in directory (normally
 * /var/run/secrets/kubernetes.io/serviceaccount). */
int kube_config_in_cluster(const char *host, const char *port, const char *directory,
    struct kube_config *ret_config, struct err *err);

/* A kubeconfig file, current-context or the named one. The subset: clusters
 * (server, certificate-authority[-data], tls-server-name,
 * insecure-skip-tls-verify), users (token, tokenFile, client-certificate[-data],
 * client-key[-data]), contexts. exec, auth-provider, username, proxy-url and
 * impersonation are refused by name with the way out. Relative paths count from
 * the file's folder, as in client-go. */
int kube_config_load(const char *path, const char *context,
    struct kube_config *ret_config, struct err *err);
/* The same from bytes; folder for relative paths. For tests and fuzzers. */
int kube_config_parse(const char *yaml, size_t length, const char *folder,
    const char *context, struct kube_config *ret_config, struct err *err);

/* A copy of its own. */
void kube_config_copy(const struct kube_config *config, struct kube_config *ret_config);
/* NULL-safe, half-built is fine; the struct is empty again. */
void kube_config_release(struct kube_config *config);

#endif
