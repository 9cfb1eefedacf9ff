/* Reading a small YAML document by keys. Private to lib/net. */
#ifndef NET_YAML_DOC_H
#define NET_YAML_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "core/err.h"

/* A document of libyaml: an alias is a reference there, not a copy, so no input
 * makes it larger than its text. */
struct yaml_doc {
	yaml_document_t document;
	bool loaded;
};

/* Exactly one document, its root a mapping. Returns 0 or -EINVAL. */
int yaml_doc_load(struct yaml_doc *doc, const char *text, size_t length, struct err *err);
/* NULL-safe members, fine after a failed load. */
void yaml_doc_release(struct yaml_doc *doc);
yaml_node_t *yaml_doc_root(struct yaml_doc *doc);

/* The member of a mapping; *ret is NULL when it is missing or null. where names the
 * mapping in errors. A key that stands there twice is -EINVAL. */
int yaml_doc_get(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, yaml_node_t **ret, struct err *err);
/* The same, which must be of this type or missing. */
int yaml_doc_get_as(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, yaml_node_type_t type, yaml_node_t **ret, struct err *err);
/* A text; *ret is NULL when it is missing, null or empty. */
int yaml_doc_get_text(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, const char **ret, struct err *err);

#endif
