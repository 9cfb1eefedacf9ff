#include "net/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"

int
token_check(const char *token, const char *what, struct err *err)
{
	if (!token[0])
		return err_set(err, EINVAL, "%s is empty", what);
	for (size_t i = 0; token[i]; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return err_set(err, EINVAL, "%s: byte %zu is not a visible character", what, i);
	return 0;
}

int
token_read(const char *path, char **ret_token, struct err *err)
{
	scoped_buf text = buf_make(CONFIG_FILE_MAX);
	const char *spaces = " \t\r\n";

	int rc = file_read(AT_FDCWD, path, &text, err);
	if (rc < 0)
		return rc;
	if (text.length && memchr(text.data, '\0', text.length))
		return err_set(err, EINVAL, "%s contains a NUL byte", path);
	buf_skip(&text, strspn(buf_string(&text), spaces));
	while (text.length && strchr(spaces, text.data[text.length - 1]))
		text.data[--text.length] = '\0';
	rc = token_check(buf_string(&text), path, err);
	if (rc == 0)
		*ret_token = buf_take(&text);
	return rc;
}
