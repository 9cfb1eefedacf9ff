#include "net/kube_config.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/num.h"
#include "net/kube_config_private.h"
#include "net/token.h"

void
kube_config_release(struct kube_config *config)
{
	mem_free(config->server);
	mem_free(config->server_name);
	mem_free(config->ca_file);
	mem_free(config->ca_pem);
	mem_free(config->cert_file);
	mem_free(config->cert_pem);
	mem_free(config->key_file);
	mem_free(config->key_pem);
	mem_free(config->token_file);
	mem_free(config->token);
	mem_free(config->namespace);
	*config = (struct kube_config){0};
}

void
kube_config_copy(const struct kube_config *config, struct kube_config *ret_config)
{
	*ret_config = (struct kube_config){
	    .server = mem_text(config->server),
	    .server_name = mem_text(config->server_name),
	    .insecure = config->insecure,
	    .ca_file = mem_text(config->ca_file),
	    .ca_pem = mem_text(config->ca_pem),
	    .cert_file = mem_text(config->cert_file),
	    .cert_pem = mem_text(config->cert_pem),
	    .key_file = mem_text(config->key_file),
	    .key_pem = mem_text(config->key_pem),
	    .token_file = mem_text(config->token_file),
	    .token = mem_text(config->token),
	    .namespace = mem_text(config->namespace),
	};
}

/* ---- in a pod (client-go rest/config.go, InClusterConfig) -------------------- */

static int
read_namespace(const char *directory, char **ret_namespace, struct err *err)
{
	scoped_free char *path = mem_format("%s/namespace", directory);
	scoped_buf text = buf_make(CONFIG_FILE_MAX);

	int rc = file_read(AT_FDCWD, path, &text, err);
	if (rc < 0)
		return rc;
	size_t length = strcspn(buf_string(&text), " \t\r\n");
	if (length == 0 || length > LABEL_MAX)
		return err_set(err, EINVAL, "%s does not hold a namespace's name", path);
	*ret_namespace = mem_format("%.*s", (int)length, buf_string(&text));
	return 0;
}

static int
build_in_cluster(const char *host, const char *port, const char *directory,
    struct kube_config *config, struct err *err)
{
	scoped_free char *token = NULL;
	uint64_t number = 0;

	int rc = num_parse(port, strlen(port), 65535, "KUBERNETES_SERVICE_PORT", &number, err);
	if (rc < 0)
		return rc;
	scoped_free char *server = strchr(host, ':') ? mem_format("https://[%s]:%s", host, port)
	                                             : mem_format("https://%s:%s", host, port);
	rc = kube_config_server(server, "KUBERNETES_SERVICE_HOST", &config->server, err);
	if (rc < 0)
		return rc;
	config->token_file = mem_format("%s/token", directory);
	config->ca_file = mem_format("%s/ca.crt", directory);
	rc = read_namespace(directory, &config->namespace, err);
	if (rc < 0)
		return rc;
	/* now, when somebody reads the message, and not with the first request */
	return token_read(config->token_file, &token, err);
}

int
kube_config_in_cluster(const char *host, const char *port, const char *directory,
    struct kube_config *ret_config, struct err *err)
{
	struct kube_config config = {0};

	if (!host || !host[0] || !port || !port[0])
		return err_set(err, EINVAL, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT "
		                            "are not set: not in a pod? give a kubeconfig then");
	int rc = build_in_cluster(host, port, directory, &config, err);
	if (rc < 0)
		kube_config_release(&config);
	else
		*ret_config = config;
	return rc;
}

/* ---- the server's URL --------------------------------------------------------- */

static bool
has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return has;
}

static bool
is_http(CURLU *url)
{
	char *scheme = NULL;
	bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);

	curl_free(scheme);
	return is;
}

int
kube_config_server(const char *text, const char *what, char **ret_server, struct err *err)
{
	CURLU *url = curl_url();

	if (!url)
		mem_exhausted();
	bool fine = strstr(text, "://") && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
	    is_http(url) && !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_QUERY) &&
	    !has_part(url, CURLUPART_FRAGMENT);
	curl_url_cleanup(url);
	if (!fine)
		return err_set(err, EINVAL, "%s: '%.200s' is not an address like https://host:port",
		    what, text);
	size_t length = strlen(text);
	while (text[length - 1] == '/')
		length--;
	*ret_server = mem_format("%.*s", (int)length, text);
	return 0;
}
