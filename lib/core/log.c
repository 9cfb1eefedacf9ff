#include "core/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static enum log_level lowest = LOG_LEVEL_INFO;
static const char *const names[] = {"debug", "info", "warn", "error"};

void
log_level_set(enum log_level level)
{
	lowest = level;
}

int
log_level_parse(const char *text)
{
	for (int i = 0; i < 4; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	return -1;
}

static size_t
print_time(char *line, size_t size)
{
	struct timespec now;
	struct tm calendar;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &calendar);
	size_t used = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &calendar);
	return used + (size_t)snprintf(line + used, size - used, ".%03ldZ",
	                  now.tv_nsec / 1000000);
}

void
log_line(enum log_level level, const char *format, ...)
{
	char line[2048 + 64];
	va_list args;

	if (level < lowest)
		return;
	size_t used = print_time(line, sizeof(line));
	used += (size_t)snprintf(line + used, sizeof(line) - used, " %s ", names[level]);
	va_start(args, format);
	int length = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	size_t end = used + (length < 0 ? 0 : (size_t)length);
	if (end > sizeof(line) - 2)
		end = sizeof(line) - 2;
	for (size_t i = used; i < end; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[end++] = '\n';
	/* one write: lines of several processes do not mix; a full pipe's loss is
	 * not worth ending for */
	ssize_t put = write(STDERR_FILENO, line, end);
	(void)put;
}
