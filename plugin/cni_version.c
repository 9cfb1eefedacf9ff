#include "plugin/cni_version.h"

#include <json-c/json.h>
#include <string.h>

#include "core/bounds.h"
#include "plugin/request.h"
#include "table/json.h"

static const struct cni_version versions[] = {
    {"0.1.0", CNI_SHAPE_FAMILIES, false, false},
    {"0.2.0", CNI_SHAPE_FAMILIES, false, false},
    {"0.3.0", CNI_SHAPE_VERSIONS, false, false},
    {"0.3.1", CNI_SHAPE_VERSIONS, false, false},
    {"0.4.0", CNI_SHAPE_VERSIONS, true, false},
    {"1.0.0", CNI_SHAPE_PLAIN, true, false},
    {"1.1.0", CNI_SHAPE_PLAIN, true, true},
};
enum { VERSION_COUNT = sizeof(versions) / sizeof(versions[0]) };

const struct cni_version *
cni_version_find(const char *text)
{
	if (!text[0])
		return &versions[0];
	for (unsigned i = 0; i < VERSION_COUNT; i++)
		if (strcmp(versions[i].text, text) == 0)
			return &versions[i];
	return NULL;
}

const struct cni_version *
cni_version_newest(void)
{
	return &versions[VERSION_COUNT - 1];
}

void
cni_version_list(struct buf *out, const char *between)
{
	for (unsigned i = 0; i < VERSION_COUNT; i++)
		(void)buf_print(out, "%s\"%s\"", i ? between : "", versions[i].text);
}

/* Any text will do as an answer: who asks with 2.0.0 learns from the list. */
static const char *
asked_version(struct json_object *input)
{
	const char *text = json_path_text(input, "cniVersion");

	if (!text || !text[0] || strlen(text) > VERSION_TEXT_MAX)
		return cni_version_newest()->text;
	return text;
}

int
cni_version_answer(const struct cni_request *request, struct buf *out, struct err *err)
{
	scoped_json *answer = json_object_new_object();
	struct json_object *list = json_object_new_array();

	(void)err; /* there is always an answer */
	json_put_text(answer, "cniVersion", asked_version(request->config.json));
	for (unsigned i = 0; i < VERSION_COUNT; i++)
		json_object_array_add(list, json_object_new_string(versions[i].text));
	json_object_object_add(answer, "supportedVersions", list);
	(void)buf_print(out, "%s\n", json_print(answer));
	return 0;
}
