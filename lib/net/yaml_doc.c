#include "net/yaml_doc.h"

#include <errno.h>
#include <string.h>

static int
load_one(struct yaml_doc *doc, yaml_parser_t *parser, struct err *err)
{
	yaml_document_t second;

	if (!yaml_parser_load(parser, &doc->document))
		return err_set(err, EINVAL, "not YAML: line %zu: %s", parser->problem_mark.line + 1,
		    parser->problem ? parser->problem : "unknown problem");
	doc->loaded = true;
	yaml_node_t *root = yaml_document_get_root_node(&doc->document);
	if (!root || root->type != YAML_MAPPING_NODE)
		return err_set(err, EINVAL, "not a YAML mapping");
	if (!yaml_parser_load(parser, &second))
		return err_set(err, EINVAL, "not YAML: line %zu: %s", parser->problem_mark.line + 1,
		    parser->problem ? parser->problem : "unknown problem");
	bool more = yaml_document_get_root_node(&second) != NULL;
	yaml_document_delete(&second);
	if (more)
		return err_set(err, EINVAL, "more than one YAML document");
	return 0;
}

int
yaml_doc_load(struct yaml_doc *doc, const char *text, size_t length, struct err *err)
{
	yaml_parser_t parser;
	const void *bytes = text;

	doc->loaded = false;
	if (!yaml_parser_initialize(&parser))
		return err_set(err, ENOMEM, "cannot make a YAML parser");
	yaml_parser_set_input_string(&parser, bytes, length);
	int rc = load_one(doc, &parser, err);
	yaml_parser_delete(&parser);
	return rc;
}

void
yaml_doc_release(struct yaml_doc *doc)
{
	if (doc->loaded)
		yaml_document_delete(&doc->document);
	doc->loaded = false;
}

yaml_node_t *
yaml_doc_root(struct yaml_doc *doc)
{
	return yaml_document_get_root_node(&doc->document);
}

static const char *
scalar(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool
is_scalar(const yaml_node_t *node, const char *text)
{
	return node && node->type == YAML_SCALAR_NODE &&
	    node->data.scalar.length == strlen(text) && strcmp(scalar(node), text) == 0;
}

/* YAML 1.1's null; in quotes it is a text. */
static bool
is_null(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE &&
	    node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (is_scalar(node, "") || is_scalar(node, "~") || is_scalar(node, "null"));
}

int
yaml_doc_get(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, yaml_node_t **ret, struct err *err)
{
	yaml_node_t *found = NULL;
	yaml_node_pair_t *pairs = mapping->data.mapping.pairs.start;
	size_t count = (size_t)(mapping->data.mapping.pairs.top - pairs);

	for (size_t i = 0; i < count; i++) {
		if (!is_scalar(yaml_document_get_node(&doc->document, pairs[i].key), key))
			continue;
		if (found)
			return err_set(err, EINVAL, "%s: %s stands there twice", where, key);
		found = yaml_document_get_node(&doc->document, pairs[i].value);
	}
	*ret = found && !is_null(found) ? found : NULL;
	return 0;
}

int
yaml_doc_get_as(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, yaml_node_type_t type, yaml_node_t **ret, struct err *err)
{
	yaml_node_t *node = NULL;
	int rc = yaml_doc_get(doc, mapping, where, key, &node, err);

	if (rc < 0)
		return rc;
	if (node && node->type != type)
		return err_set(err, EINVAL, "%s: %s is not a %s", where, key,
		    type == YAML_MAPPING_NODE        ? "mapping"
		        : type == YAML_SEQUENCE_NODE ? "list"
		                                     : "text");
	*ret = node;
	return 0;
}

int
yaml_doc_get_text(struct yaml_doc *doc, yaml_node_t *mapping, const char *where,
    const char *key, const char **ret, struct err *err)
{
	yaml_node_t *node = NULL;
	int rc = yaml_doc_get_as(doc, mapping, where, key, YAML_SCALAR_NODE, &node, err);

	if (rc < 0)
		return rc;
	if (node && strlen(scalar(node)) != node->data.scalar.length)
		return err_set(err, EINVAL, "%s: %s contains a NUL byte", where, key);
	*ret = node && node->data.scalar.length > 0 ? scalar(node) : NULL;
	return 0;
}
