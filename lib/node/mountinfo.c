#include "node/mountinfo.h"

#include <stddef.h>
#include <string.h>

static bool
is_octal(const char *text)
{
	return text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
	    text[2] <= '7' && text[3] >= '0' && text[3] <= '7';
}

/* Space, tab, newline and '\' are written as \ooo. */
static void
unescape(char *text)
{
	char *out = text;

	for (const char *at = text; *at; at++) {
		if (is_octal(at)) {
			*out++ = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			at += 3;
		} else {
			*out++ = *at;
		}
	}
	*out = '\0';
}

/* The words: id, parent, device, root, point, options, any number of fields "shared:X",
 * "master:X", and "-". */
static bool
split(char *line, struct mount_line *ret_line)
{
	char *words[6] = {NULL};
	char *rest = line;

	for (unsigned i = 0; i < 6; i++) {
		words[i] = strsep(&rest, " ");
		if (!words[i])
			return false;
	}
	*ret_line = (struct mount_line){.root = words[3], .point = words[4]};
	for (char *field; rest && (field = strsep(&rest, " ")) && strcmp(field, "-") != 0;)
		if (strncmp(field, "shared:", 7) == 0 || strncmp(field, "master:", 7) == 0)
			ret_line->follows = true;
	unescape(ret_line->point);
	return true;
}

bool
mountinfo_next(char **rest, struct mount_line *ret_line)
{
	while (*rest) {
		char *line = strsep(rest, "\n");
		if (split(line, ret_line))
			return true;
	}
	return false;
}
