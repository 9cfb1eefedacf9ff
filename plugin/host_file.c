#include "plugin/host_file.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "core/file.h"
#include "core/mem.h"
#include "plugin/cni_error.h"
#include "table/json.h"

/* What a network configuration may name without being listed: they hold nothing that
 * a pod does not see anyway. */
static const char *const usual_resolv_confs[] = {
    "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};

/* *ret_json stays NULL where there is no file. */
static int
read_file(const char *path, struct json_object **ret_json, struct err *err)
{
	scoped_buf text = buf_make(CONFIG_FILE_MAX);
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0; /* the usual case: no sentence for nobody */
	if (fd < 0)
		return err_errno(err, errno, "cannot open %s", path);
	int rc = file_read_fd(fd, path, &text, err);
	if (rc)
		return rc;
	rc = json_parse(buf_string(&text), text.length, path, ret_json, err);
	return rc ? cni_error_as(err, CNI_ERROR_CONFIG) : 0;
}

/* The absolute path under a key of the file. */
static int
read_path(
    const char *path, const char *key, const char *otherwise, char **ret, struct err *err)
{
	scoped_json *json = NULL;
	const char *text = otherwise;
	int rc = read_file(path, &json, err);

	if (rc)
		return rc;
	if (json && json_get_text(json, key, path, false, PATH_MAX - 64, &text, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (text[0] != '/')
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: %s '%s' is not an absolute path", path, key, text);
	*ret = mem_text(text);
	return 0;
}

int
host_file_root(const char *path, char **ret_root, struct err *err)
{
	return read_path(path, "root", HOST_FILE_ROOT, ret_root, err);
}

int
host_file_cmdline(const char *path, char **ret_cmdline, struct err *err)
{
	return read_path(path, "cmdline", HOST_FILE_CMDLINE, ret_cmdline, err);
}

static bool
is_listed(struct json_object *list, const char *wanted)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (json_object_is_type(item, json_type_string) &&
		    strcmp(json_object_get_string(item), wanted) == 0)
			return true;
	}
	return false;
}

int
host_file_permits_resolv_conf(const char *path, const char *wanted, struct err *err)
{
	scoped_json *json = NULL;
	struct json_object *list = NULL;

	for (size_t i = 0; i < sizeof(usual_resolv_confs) / sizeof(usual_resolv_confs[0]);
	     i++)
		if (strcmp(usual_resolv_confs[i], wanted) == 0)
			return 0;
	int rc = read_file(path, &json, err);
	if (rc)
		return rc;
	if (json &&
	    json_get_array(json, "resolvConf", path, false, DNS_ITEMS_MAX, &list, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (wanted[0] == '/' && is_listed(list, wanted))
		return 0;
	return err_set(err, CNI_ERROR_CONFIG,
	    "ipam.resolvConf '%.200s' is not permitted on this node; use %s or %s, or "
	    "list it "
	    "under \"resolvConf\" in %s",
	    wanted, usual_resolv_confs[0], usual_resolv_confs[1], path);
}
