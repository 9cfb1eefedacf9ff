#include "net/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

/* The text of a small file below /proc/self, "" when it cannot be read. */
static void
read_proc(const char *name, char *text, size_t size)
{
	scoped_free char *path = mem_format("/proc/self/%s", name);
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);

	text[length > 0 ? length : 0] = '\0';
}

/* The field of this number (1 = the first) behind start; 0 when there is none. */
static double
field(const char *start, int number)
{
	for (int i = 1; start && i < number; i++) {
		start = strchr(start, ' ');
		start = start ? start + 1 : NULL;
	}
	return start ? strtod(start, NULL) : 0;
}

static void
measure_memory(struct metrics *metrics)
{
	char statm[256];

	read_proc("statm", statm, sizeof(statm));
	if (!statm[0])
		return;
	double page = (double)sysconf(_SC_PAGESIZE);
	metrics_one(metrics, "process_virtual_memory_bytes", METRIC_GAUGE,
	    "Virtual memory size in bytes.", field(statm, 1) * page);
	metrics_one(metrics, "process_resident_memory_bytes", METRIC_GAUGE,
	    "Resident memory size in bytes.", field(statm, 2) * page);
}

static double
seconds(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
measure_time(struct metrics *metrics)
{
	char stat[1024];

	metrics_one(metrics, "process_cpu_seconds_total", METRIC_COUNTER,
	    "Total user and system CPU time spent in seconds.", seconds(CLOCK_PROCESS_CPUTIME_ID));
	/* proc(5): field 22 counts from the boot; the second may have spaces, in brackets */
	read_proc("stat", stat, sizeof(stat));
	const char *behind = strrchr(stat, ')');
	if (!behind)
		return;
	double began = field(behind + 2, 22 - 2) / (double)sysconf(_SC_CLK_TCK);
	metrics_one(metrics, "process_start_time_seconds", METRIC_GAUGE,
	    "Start time of the process since unix epoch in seconds.",
	    seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME) + began);
}

static void
measure_files(struct metrics *metrics)
{
	struct rlimit limit;
	unsigned count = 0;
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		count += entry->d_name[0] != '.';
	if (folder) {
		(void)closedir(folder);
		/* less the one of the look itself */
		metrics_one(metrics, "process_open_fds", METRIC_GAUGE,
		    "Number of open file descriptors.", count - 1);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metrics_one(metrics, "process_max_fds", METRIC_GAUGE,
		    "Maximum number of open file descriptors.", (double)limit.rlim_cur);
}

void
process_metrics(struct metrics *metrics, const char *component)
{
	metrics_family(metrics, "staticip_build_info", METRIC_GAUGE,
	    "Which program and version this is; always 1.");
	metrics_value(metrics, 1, "component", component, "version", STATICIP_VERSION, NULL);
	measure_time(metrics);
	measure_memory(metrics);
	measure_files(metrics);
}
