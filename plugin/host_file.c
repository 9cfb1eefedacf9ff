#include "plugin/host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "core/file.h"
#include "core/mem.h"
#include "plugin/cni_error.h"
#include "table/json.h"

static int
parse_root(const struct buf *text, const char *path, char **ret_root, struct err *err)
{
	scoped_json *json = NULL;
	const char *root = HOST_FILE_ROOT;
	int rc = json_parse(buf_string(text), text->length, path, &json, err);

	if (!rc)
		rc = json_get_text(json, "root", path, false, PATH_MAX - 64, &root, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (root[0] != '/')
		return err_set(
		    err, CNI_ERROR_CONFIG, "%s: root '%s' is not an absolute path", path, root);
	*ret_root = mem_text(root);
	return 0;
}

int
host_file_root(const char *path, char **ret_root, struct err *err)
{
	scoped_buf text = buf_make(CONFIG_FILE_MAX);
	int rc = file_read(AT_FDCWD, path, &text, err);

	if (rc == -ENOENT || rc == -ENOTDIR) {
		*ret_root = mem_text(HOST_FILE_ROOT);
		return 0;
	}
	if (rc)
		return rc;
	return parse_root(&text, path, ret_root, err);
}
