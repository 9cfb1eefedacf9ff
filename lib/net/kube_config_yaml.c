/* kubeconfig: the subset that needs no other program and no password
 * (client-go tools/clientcmd/api/v1/types.go has all of it). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"
#include "net/base64.h"
#include "net/kube_config_private.h"
#include "net/token.h"
#include "net/yaml_doc.h"

#define scoped_yaml __attribute__((cleanup(yaml_doc_release))) struct yaml_doc

/* A field that would change who we are or where we go, and what to do instead. */
struct refusal {
	const char *key;
	const char *way_out;
};

static const struct refusal user_refusals[] = {
    {"exec", "let the program write the token to a file and name it as tokenFile"},
    {"auth-provider", "use token, tokenFile or a client certificate"},
    {"username", "use token, tokenFile or a client certificate"},
    {"password", "use token, tokenFile or a client certificate"},
    {"as", "use the credentials of that user"},
    {"as-uid", "use the credentials of that user"},
    {"as-groups", "use the credentials of that user"},
    {"as-user-extra", "use the credentials of that user"},
    {NULL, NULL},
};

static const struct refusal cluster_refusals[] = {
    {"proxy-url", "name a server that can be reached directly"},
    {NULL, NULL},
};

/* One entry of clusters, users or contexts. */
struct section {
	struct yaml_doc *doc;
	yaml_node_t *fields;
	const char *folder;
	char where[96]; /* "user 'admin'" */
};

static int
refuse(const struct section *section, const struct refusal *refusals, struct err *err)
{
	for (const struct refusal *r = refusals; r->key; r++) {
		yaml_node_t *node = NULL;
		int rc = yaml_doc_get(
		    section->doc, section->fields, section->where, r->key, &node, err);
		if (rc < 0)
			return rc;
		if (node)
			return err_set(err, ENOTSUP, "%s: %s is not supported: %s", section->where,
			    r->key, r->way_out);
	}
	return 0;
}

static int
get_text(const struct section *section, const char *key, const char **ret, struct err *err)
{
	return yaml_doc_get_text(
	    section->doc, section->fields, section->where, key, ret, err);
}

/* A copy, or NULL when the field is missing. */
static int
copy_text(const struct section *section, const char *key, char **ret, struct err *err)
{
	const char *text = NULL;
	int rc = get_text(section, key, &text, err);

	if (rc == 0)
		*ret = mem_text(text);
	return rc;
}

/* Relative paths count from the file's folder (clientcmd/loader.go,
 * ResolveLocalPaths). */
static int
copy_path(const struct section *section, const char *key, char **ret, struct err *err)
{
	const char *path = NULL;
	int rc = get_text(section, key, &path, err);

	if (rc < 0 || !path)
		return rc;
	*ret = path[0] == '/' ? mem_text(path) : mem_format("%s/%s", section->folder, path);
	return 0;
}

static int
copy_pem(const struct section *section, const char *key, char **ret, struct err *err)
{
	scoped_free char *what = mem_format("%s: %s", section->where, key);
	scoped_buf pem = buf_make(CONFIG_FILE_MAX);
	const char *text = NULL;

	int rc = get_text(section, key, &text, err);
	if (rc < 0 || !text)
		return rc;
	rc = base64_decode(text, what, &pem, err);
	if (rc < 0)
		return rc;
	if (strlen(buf_string(&pem)) != pem.length || !strstr(buf_string(&pem), "-----BEGIN "))
		return err_set(err, EINVAL, "%s is not PEM", what);
	*ret = buf_take(&pem);
	return 0;
}

/* KEY-data goes before KEY, as in client-go (clientcmd/client_config.go). */
static int
copy_pem_or_path(const struct section *section, const char *key, char **ret_pem,
    char **ret_file, struct err *err)
{
	scoped_free char *data_key = mem_format("%s-data", key);
	int rc = copy_pem(section, data_key, ret_pem, err);

	return rc < 0 || *ret_pem ? rc : copy_path(section, key, ret_file, err);
}

static int
copy_bool(const struct section *section, const char *key, bool *ret, struct err *err)
{
	const char *text = NULL;
	int rc = get_text(section, key, &text, err);

	if (rc < 0)
		return rc;
	bool is = text && strcmp(text, "true") == 0;
	if (text && !is && strcmp(text, "false") != 0)
		return err_set(err, EINVAL, "%s: %s is neither true nor false", section->where, key);
	*ret = is;
	return 0;
}

static int
read_cluster(const struct section *section, struct kube_config *config, struct err *err)
{
	scoped_free char *what = mem_format("%s: server", section->where);
	const char *server = NULL;

	int rc = refuse(section, cluster_refusals, err);
	if (rc == 0)
		rc = get_text(section, "server", &server, err);
	if (rc == 0)
		rc = kube_config_server(server ? server : "", what, &config->server, err);
	if (rc == 0)
		rc = copy_text(section, "tls-server-name", &config->server_name, err);
	if (rc == 0)
		rc = copy_bool(section, "insecure-skip-tls-verify", &config->insecure, err);
	if (rc == 0)
		rc = copy_pem_or_path(
		    section, "certificate-authority", &config->ca_pem, &config->ca_file, err);
	if (rc == 0 && config->insecure && (config->ca_pem || config->ca_file))
		return err_set(err, EINVAL,
		    "%s: certificate-authority has no meaning with insecure-skip-tls-verify",
		    section->where);
	return rc;
}

static int
read_user(const struct section *section, struct kube_config *config, struct err *err)
{
	scoped_free char *what = mem_format("%s: token", section->where);

	int rc = refuse(section, user_refusals, err);
	if (rc == 0)
		rc = copy_text(section, "token", &config->token, err);
	if (rc == 0 && config->token)
		rc = token_check(config->token, what, err);
	if (rc == 0)
		rc = copy_path(section, "tokenFile", &config->token_file, err);
	if (rc == 0)
		rc = copy_pem_or_path(
		    section, "client-certificate", &config->cert_pem, &config->cert_file, err);
	if (rc == 0)
		rc = copy_pem_or_path(
		    section, "client-key", &config->key_pem, &config->key_file, err);
	bool cert = config->cert_pem || config->cert_file;
	bool key = config->key_pem || config->key_file;
	if (rc == 0 && cert != key)
		return err_set(err, EINVAL, "%s: client-certificate and client-key go together",
		    section->where);
	return rc;
}

/* Whether this entry of a list has the name; then *ret_fields is entry.KIND. */
static int
match_entry(struct yaml_doc *doc, yaml_node_t *entry, const char *kind, const char *name,
    yaml_node_t **ret_fields, struct err *err)
{
	const char *own = NULL;
	yaml_node_t *fields = NULL;

	if (!entry || entry->type != YAML_MAPPING_NODE)
		return err_set(err, EINVAL, "an entry of %ss is not a mapping", kind);
	int rc = yaml_doc_get_text(doc, entry, kind, "name", &own, err);
	if (rc < 0 || !own || strcmp(own, name) != 0)
		return rc;
	rc = yaml_doc_get_as(doc, entry, kind, kind, YAML_MAPPING_NODE, &fields, err);
	if (rc == 0 && !fields)
		return err_set(err, EINVAL, "%s '%.64s' has no fields", kind, name);
	*ret_fields = fields;
	return rc;
}

/* Finds the entry of that name in the list "KINDs". */
static int
find_section(struct section *section, const char *kind, const char *name, struct err *err)
{
	scoped_free char *list_key = mem_format("%ss", kind);
	yaml_node_t *list = NULL;

	(void)snprintf(section->where, sizeof(section->where), "%s '%.64s'", kind, name);
	int rc = yaml_doc_get_as(section->doc, yaml_doc_root(section->doc), "kubeconfig",
	    list_key, YAML_SEQUENCE_NODE, &list, err);
	if (rc < 0)
		return rc;
	yaml_node_item_t *items = list ? list->data.sequence.items.start : NULL;
	size_t count = list ? (size_t)(list->data.sequence.items.top - items) : 0;
	section->fields = NULL;
	for (size_t i = 0; i < count && !section->fields; i++) {
		yaml_node_t *entry = yaml_document_get_node(&section->doc->document, items[i]);
		rc = match_entry(section->doc, entry, kind, name, &section->fields, err);
		if (rc < 0)
			return rc;
	}
	if (!section->fields)
		return err_set(err, ENOENT, "there is no %s", section->where);
	return 0;
}

/* The names that the context gives; texts are the document's. */
static int
read_context(struct section *section, const char *name, const char **ret_cluster,
    const char **ret_user, struct kube_config *config, struct err *err)
{
	int rc = 0;

	if (!name)
		rc = yaml_doc_get_text(section->doc, yaml_doc_root(section->doc), "kubeconfig",
		    "current-context", &name, err);
	if (rc == 0 && !name)
		return err_set(err, EINVAL, "there is no current-context: name one");
	if (rc == 0)
		rc = find_section(section, "context", name, err);
	if (rc == 0)
		rc = get_text(section, "cluster", ret_cluster, err);
	if (rc == 0)
		rc = get_text(section, "user", ret_user, err);
	if (rc == 0)
		rc = copy_text(section, "namespace", &config->namespace, err);
	if (rc == 0 && !*ret_cluster)
		return err_set(err, EINVAL, "%s names no cluster", section->where);
	if (rc == 0 && !config->namespace)
		config->namespace = mem_text("default");
	return rc;
}

static int
read_sections(struct section *section, const char *context, struct kube_config *config,
    struct err *err)
{
	const char *cluster = NULL;
	const char *user = NULL;

	int rc = read_context(section, context, &cluster, &user, config, err);
	if (rc == 0)
		rc = find_section(section, "cluster", cluster, err);
	if (rc == 0)
		rc = read_cluster(section, config, err);
	if (rc == 0 && user)
		rc = find_section(section, "user", user, err);
	if (rc == 0 && user)
		rc = read_user(section, config, err);
	return rc;
}

int
kube_config_parse(const char *yaml, size_t length, const char *folder, const char *context,
    struct kube_config *ret_config, struct err *err)
{
	scoped_yaml doc = {0};
	struct section section = {.doc = &doc, .folder = folder};
	struct kube_config config = {0};

	if (length > CONFIG_FILE_MAX)
		return err_set(err, EFBIG, "a kubeconfig of %zu bytes is larger than %d bytes",
		    length, CONFIG_FILE_MAX);
	int rc = yaml_doc_load(&doc, yaml, length, err);
	if (rc == 0)
		rc = read_sections(&section, context, &config, err);
	if (rc < 0)
		kube_config_release(&config);
	else
		*ret_config = config;
	return rc;
}

int
kube_config_load(
    const char *path, const char *context, struct kube_config *ret_config, struct err *err)
{
	scoped_buf text = buf_make(CONFIG_FILE_MAX);
	const char *slash = strrchr(path, '/');

	int rc = file_read(AT_FDCWD, path, &text, err);
	if (rc < 0)
		return rc;
	/* "/x" lies in "", to which "/name" is added */
	scoped_free char *folder =
	    slash ? mem_format("%.*s", (int)(slash - path), path) : mem_text(".");
	rc = kube_config_parse(buf_string(&text), text.length, folder, context, ret_config, err);
	return rc < 0 ? err_wrap(err, "kubeconfig %s", path) : 0;
}
