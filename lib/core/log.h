/* One line per event on standard error, key=value. Libraries never log: they
 * return an error, and the loop that decides what happens next logs it once. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Lines below level are dropped; the default is LOG_LEVEL_INFO. */
void log_level_set(enum log_level level);
/* "debug", "info", "warn" or "error"; -1 for anything else. */
int log_level_parse(const char *text);

/* TIME LEVEL MESSAGE. Control characters in the message are printed as '?', so
 * that no input forges a line; over 2 KiB it is cut. */
void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
