/* What the sanitizers of build/address do unless the environment says otherwise.
 *
 * Linked into the executables and not said by a variable: container runtimes and the
 * tests start the plugin with an environment of their own. A report is a file in
 * SANITIZER_REPORTS, whoever swallows the process's standard error; the exit status is
 * none that a CNI plugin has. tests/sanitizers/run.sh looks for both. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DEFAULTS "log_path='" SANITIZER_REPORTS "/report':log_exe_name=1:exitcode=99"

/* sanitizer/asan_interface.h has the first, ubsan/ubsan_monitor.h, which is not installed,
 * the others. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
void __ubsan_on_report(void);
void __ubsan_get_current_report_data(const char **ret_kind, const char **ret_message,
    const char **ret_file, unsigned *ret_line, unsigned *ret_column, char **ret_address);

__attribute__((visibility("default"), used)) const char *
__asan_default_options(void)
{
	return DEFAULTS;
}

__attribute__((visibility("default"), used)) const char *
__ubsan_default_options(void)
{
	return "print_stacktrace=1:exitcode=99";
}

/* gcc's libubsan prints on standard error whatever log_path says. */
__attribute__((visibility("default"), used)) void
__ubsan_on_report(void)
{
	const char *kind, *message, *file;
	unsigned line, column;
	char path[4096], *address;
	int fd;

	__ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &address);
	(void)snprintf(path, sizeof(path), SANITIZER_REPORTS "/report.undefined.%d", (int)getpid());
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return; /* the exit status is left */
	(void)dprintf(fd, "%s:%u:%u: %s: %s\n", file, line, column, kind, message);
	(void)close(fd);
}
