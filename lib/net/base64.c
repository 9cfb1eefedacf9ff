#include "net/base64.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Four letters at a time; the last group may end in one or two '='. */
struct group {
	uint32_t bits;
	unsigned letters;
	unsigned padding;
};

static bool
take(struct group *group, char c)
{
	const char *found = strchr(letters, c);

	if (c == '=') {
		group->padding++;
		group->bits <<= 6;
		return group->letters >= 2;
	}
	if (!found || group->padding > 0)
		return false;
	group->letters++;
	group->bits = group->bits << 6 | (uint32_t)(found - letters);
	return true;
}

static bool
put(struct buf *buf, const struct group *group)
{
	const unsigned char bytes[] = {(unsigned char)(group->bits >> 16 & 0xff),
	    (unsigned char)(group->bits >> 8 & 0xff), (unsigned char)(group->bits & 0xff)};

	return buf_add(buf, bytes, 3 - group->padding);
}

int
base64_decode(const char *text, const char *what, struct buf *buf, struct err *err)
{
	struct group group = {0};
	bool ended = false; /* a padded group was the last one */

	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (ended || !take(&group, text[i]))
			return err_set(err, EINVAL, "%s is not base64 at byte %zu", what, i);
		if (group.letters + group.padding < 4)
			continue;
		if (!put(buf, &group))
			return buf_whole(buf, what, err);
		ended = group.padding > 0;
		group = (struct group){0};
	}
	if (group.letters)
		return err_set(err, EINVAL, "%s is not base64: its end is missing", what);
	return 0;
}
