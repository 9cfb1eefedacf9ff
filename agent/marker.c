#include "agent/marker.h"

#include <string.h>

#include "agent/lock.h"
#include "core/file.h"
#include "core/mem.h"

static const char marker_name[] = "marker";

bool
marker_is(int root, const char *boot_id)
{
	scoped_buf text = buf_make(LOCK_BOOT_ID_MAX + 1);

	if (file_read(root, marker_name, &text, NULL))
		return false;
	const char *marker = buf_string(&text);
	size_t length = strlen(boot_id);
	return text.length == length + 1 && memcmp(marker, boot_id, length) == 0 &&
	    marker[length] == '\n';
}

int
marker_write(int root, const char *boot_id, struct err *err)
{
	scoped_free char *text = mem_format("%s\n", boot_id);

	return file_replace(
	    root, marker_name, text, strlen(text), 0644, FILE_SYNC_NONE, err);
}

enum boot_step
boot_decide(const struct boot_facts *facts)
{
	if (!facts->marked && !facts->fresh && (facts->told || facts->known))
		return BOOT_FIND;
	if (!facts->told)
		return BOOT_TELL;
	return facts->marked ? BOOT_GO : BOOT_MARK;
}
