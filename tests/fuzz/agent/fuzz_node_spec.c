/* Rules N1 to N4 on whatever the API server may send as a StaticIPNode: no crash, and
 * what passes is a table that says the same when it is read again. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node_spec.h"
#include "table/json.h"
#include "table/table.h"

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
every_line_can_be_read(const struct node_spec *spec)
{
	const char *text = buf_string(&spec->text);
	struct table_header header;
	struct table_line line;
	size_t offset = 0;

	must(table_verify(text, spec->text.length, &header, NULL) == 0);
	must(header.generation == spec->head.serial);
	while (table_next(text, spec->text.length, &offset, &line)) {
		struct grant grant;
		struct grant_head head;
		struct profile profile;
		if (line.key[0] == '!')
			must(profile_decode("k", line.json, line.json_length, &profile, NULL) == 0);
		else if (line.key_length == 1 && line.key[0] == '@')
			must(grant_head_decode(line.json, line.json_length, &head, NULL) == 0);
		else
			must(grant_decode("k", line.json, line.json_length, &grant, NULL) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_json *object = NULL;
	struct node_spec spec;

	if (json_parse((const char *)data, size, "input", &object, NULL))
		return 0;
	if (node_spec_read(object, "n1", "u-n1", &spec, NULL))
		return 0;
	every_line_can_be_read(&spec);
	must(node_spec_successor(&spec, buf_string(&spec.text), spec.text.length, NULL) == NODE_SAME);
	node_spec_release(&spec);
	return 0;
}
