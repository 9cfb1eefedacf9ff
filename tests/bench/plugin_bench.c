/* plugin-bench ROUNDS AT_ONCE DIR <CONTENDERS: what starting a program costs.
 *
 * In each round every contender is started once (AT_ONCE 0), or AT_ONCE times
 * before any is waited for; each round has an order of its own, so that whatever
 * disturbs the machine, and whoever leaves cold caches behind, hits all alike. Contenders are described by lines:
 *
 *   contender NAME
 *   exec PATH
 *   every N                 it takes part in every Nth round only
 *   spread N                {i} counts from 0 to N - 1
 *   input FILE              its standard input
 *   link PATH TARGET        before each start, outside the clock, PATH is made a
 *                           symbolic link to TARGET
 *   env NAME=VALUE          {i} becomes the number of the start
 *   undo COMMAND ARG...     run after each start, outside the clock, with the same
 *                           input, and the same environment but CNI_COMMAND=DEL
 *
 * Prints for each start
 *   NAME TAB wall ns TAB user us TAB system us TAB max RSS KiB TAB minor faults
 * and with AT_ONCE for each round the same, of all its starts: wall ns from the first start
 * to the last end, sums of the times and faults, the largest RSS;
 * and keeps answers as DIR/NAME.i. A start that fails ends it all with status 1. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The child's largest RSS is never below ours (fs/exec.c, begin_new_exec): so
 * everything here is small, and answers are read into one buffer. */
enum {
	CONTENDERS_MAX = 32,
	ENV_MAX = 16,
	ENV_BYTES_MAX = 512,
	UNDO_MAX = 16,
	AT_ONCE_MAX = 128,
	PIPE_BYTES = 65536, /* a pipe's default: more would block us, pipe(7) */
};

struct contender {
	char *name, *exec, *input, *link, *target;
	char *env[ENV_MAX + 1];
	char *undo[UNDO_MAX + 1];
	unsigned env_count, every, spread;
};

/* One start: what it reads, where it answers, and what it cost. */
struct start {
	pid_t pid;
	int input, output, error;
	int64_t begin, end;
};

static struct contender contenders[CONTENDERS_MAX];
static unsigned contender_count;
static const char *answers;

static void
die(const char *what, const char *subject)
{
	(void)fflush(stdout);
	(void)fprintf(stderr, "plugin-bench: %s: %s: %s\n", what, subject, strerror(errno));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static char *
copy(const char *text)
{
	char *copied = strdup(text);

	if (!copied)
		die("no memory", text);
	return copied;
}

static void
parse_undo(struct contender *c, char *line)
{
	unsigned count = 0;

	for (char *word = strsep(&line, " "); word; word = strsep(&line, " "))
		if (count == UNDO_MAX)
			die("too many words", word);
		else
			c->undo[count++] = copy(word);
}

static void
parse_setting(struct contender *c, const char *key, char *value)
{
	if (strcmp(key, "exec") == 0)
		c->exec = copy(value);
	else if (strcmp(key, "input") == 0)
		c->input = copy(value);
	else if (strcmp(key, "every") == 0)
		c->every = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(key, "spread") == 0)
		c->spread = (unsigned)strtoul(value, NULL, 10);
	else if (strcmp(key, "env") == 0 && c->env_count < ENV_MAX)
		c->env[c->env_count++] = copy(value);
	else if (strcmp(key, "link") == 0) {
		c->link = copy(strsep(&value, " "));
		c->target = copy(value ? value : "");
	} else if (strcmp(key, "undo") == 0)
		parse_undo(c, value);
	else
		die("not understood", key);
}

static void
parse(FILE *file)
{
	char line[2048];

	while (fgets(line, sizeof(line), file)) {
		char *value = line;
		line[strcspn(line, "\n")] = '\0';
		const char *key = strsep(&value, " ");
		if (!value)
			continue;
		if (strcmp(key, "contender") == 0) {
			if (contender_count == CONTENDERS_MAX)
				die("too many contenders", value);
			contenders[contender_count++] = (struct contender){.name = copy(value),
			    .input = copy("/dev/null"),
			    .every = 1,
			    .spread = 1};
		} else if (contender_count) {
			parse_setting(&contenders[contender_count - 1], key, value);
		}
	}
}

/* from with each {i} as the number, into out. */
static void
fill_in(const char *from, unsigned number, char out[ENV_BYTES_MAX])
{
	size_t length = 0;
	const char *mark;

	for (const char *rest = from; rest && length < ENV_BYTES_MAX; rest = mark ? mark + 3 : NULL) {
		mark = strstr(rest, "{i}");
		int before = (int)(mark ? (size_t)(mark - rest) : strlen(rest));
		length += (size_t)snprintf(out + length, ENV_BYTES_MAX - length, "%.*s", before, rest);
		if (mark && length < ENV_BYTES_MAX)
			length += (size_t)snprintf(out + length, ENV_BYTES_MAX - length, "%u", number);
	}
	if (length >= ENV_BYTES_MAX)
		die("an environment string is too long", from);
}

/* The environment of a start; for the undo as DEL. */
static void
make_env(const struct contender *c, unsigned number, bool undo, char bytes[][ENV_BYTES_MAX],
    char **ret_env)
{
	for (unsigned i = 0; i < c->env_count; i++) {
		bool command = strcmp(c->env[i], "CNI_COMMAND=ADD") == 0;
		fill_in(undo && command ? "CNI_COMMAND=DEL" : c->env[i], number, bytes[i]);
		ret_env[i] = bytes[i];
	}
	ret_env[c->env_count] = NULL;
}

/* A pipe that holds the whole input, as a runtime gives it. */
static int
make_input(const char *path)
{
	static char bytes[PIPE_BYTES];
	int ends[2];
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = file < 0 ? -1 : read(file, bytes, sizeof(bytes));

	if (length < 0 || length == (ssize_t)sizeof(bytes) || pipe2(ends, O_CLOEXEC) < 0)
		die("cannot make the input", path);
	(void)close(file);
	if (write(ends[1], bytes, (size_t)length) != length)
		die("cannot write the input", path);
	(void)close(ends[1]);
	return ends[0];
}

/* What this one has on its node, tables and leases: all have the same path. */
static void
make_link(const struct contender *c)
{
	if (!c->link)
		return;
	if ((unlink(c->link) < 0 && errno != ENOENT) || symlink(c->target, c->link) < 0)
		die("cannot make the link", c->link);
}

static void
prepare(const struct contender *c, struct start *start)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("cannot make a pipe", c->name);
	*start = (struct start){.input = make_input(c->input), .output = ends[0], .error = ends[1]};
}

/* Starts path; the clock runs from before the spawn. */
static void
spawn(char **argv, char **env, struct start *start)
{
	posix_spawn_file_actions_t actions;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(&actions, start->input, STDIN_FILENO);
	(void)posix_spawn_file_actions_adddup2(&actions, start->error, STDOUT_FILENO);
	start->begin = now_ns();
	errno = posix_spawn(&start->pid, argv[0], &actions, NULL, argv, env);
	if (errno)
		die("cannot start", argv[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
}

/* Takes what it printed into DIR/NAME.number and ends the start. */
static void
finish(const struct contender *c, struct start *start, unsigned number, int status)
{
	static char bytes[PIPE_BYTES];
	char path[1024];
	ssize_t length;

	(void)close(start->input);
	(void)close(start->error);
	length = read(start->output, bytes, sizeof(bytes));
	(void)close(start->output);
	(void)snprintf(path, sizeof(path), "%s/%s.%u", answers, c->name, number);
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0 || length < 0 || write(file, bytes, (size_t)length) != length)
		die("cannot keep the answer", path);
	(void)close(file);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	(void)fprintf(stderr, "plugin-bench: %s failed: %.*s\n", c->name, (int)length, bytes);
	exit(1);
}

static void
begin(const struct contender *c, unsigned number, struct start *start)
{
	char bytes[ENV_MAX][ENV_BYTES_MAX];
	char *env[ENV_MAX + 1];
	char *argv[] = {c->exec, NULL};

	make_env(c, number, false, bytes, env);
	spawn(argv, env, start);
}

static void
undo(struct contender *c, unsigned number)
{
	char bytes[ENV_MAX][ENV_BYTES_MAX];
	char *env[ENV_MAX + 1];
	struct start start;
	int status;

	if (!c->undo[0])
		return;
	make_env(c, number, true, bytes, env);
	prepare(c, &start);
	spawn(c->undo, env, &start);
	if (waitpid(start.pid, &status, 0) < 0)
		die("cannot wait for", c->undo[0]);
	(void)close(start.input);
	(void)close(start.output);
	(void)close(start.error);
	if (!status)
		return;
	(void)fprintf(stderr, "plugin-bench: the undo of %s failed\n", c->name);
	exit(1);
}

static long
microseconds(const struct timeval *time)
{
	return (long)time->tv_sec * 1000000 + (long)time->tv_usec;
}

/* Waits for the end, and adds what the start cost to the sum. */
static void
wait_for(const struct contender *c, const struct start *start, struct rusage *sum, int *ret_status)
{
	struct rusage usage;

	if (wait4(start->pid, ret_status, 0, &usage) < 0)
		die("cannot wait for", c->name);
	timeradd(&sum->ru_utime, &usage.ru_utime, &sum->ru_utime);
	timeradd(&sum->ru_stime, &usage.ru_stime, &sum->ru_stime);
	sum->ru_minflt += usage.ru_minflt;
	if (usage.ru_maxrss > sum->ru_maxrss)
		sum->ru_maxrss = usage.ru_maxrss;
}

static void
print_cost(const struct contender *c, int64_t wall_ns, const struct rusage *usage)
{
	(void)printf("%s\t%lld\t%ld\t%ld\t%ld\t%ld\n", c->name, (long long)wall_ns,
	    microseconds(&usage->ru_utime), microseconds(&usage->ru_stime), usage->ru_maxrss,
	    usage->ru_minflt);
}

static void
run_one(struct contender *c, unsigned number)
{
	struct start start;
	struct rusage usage = {0};
	int status;

	make_link(c);
	prepare(c, &start);
	begin(c, number, &start);
	wait_for(c, &start, &usage, &status);
	start.end = now_ns();
	finish(c, &start, number, status);
	print_cost(c, start.end - start.begin, &usage);
	undo(c, number);
}

static void
run_at_once(struct contender *c, unsigned count)
{
	struct start starts[AT_ONCE_MAX];
	int status[AT_ONCE_MAX];
	struct rusage usage = {0};
	int64_t end;

	make_link(c);
	for (unsigned i = 0; i < count; i++)
		prepare(c, &starts[i]);
	for (unsigned i = 0; i < count; i++)
		begin(c, i, &starts[i]);
	for (unsigned i = 0; i < count; i++)
		wait_for(c, &starts[i], &usage, &status[i]);
	end = now_ns();
	for (unsigned i = 0; i < count; i++)
		finish(c, &starts[i], i, status[i]);
	print_cost(c, end - starts[0].begin, &usage);
	for (unsigned i = 0; i < count; i++)
		undo(c, i);
}

/* One more round, in an order that only rand() knows (the same in each run). */
static void
run_round(unsigned round, unsigned at_once)
{
	unsigned order[CONTENDERS_MAX];

	for (unsigned i = 0; i < contender_count; i++) {
		unsigned other = (unsigned)rand() % (i + 1);
		order[i] = order[other];
		order[other] = i;
	}
	for (unsigned i = 0; i < contender_count; i++) {
		struct contender *c = &contenders[order[i]];
		if (round % c->every)
			continue;
		if (at_once)
			run_at_once(c, at_once);
		else
			run_one(c, round / c->every % c->spread);
	}
}

int
main(int argc, char **argv)
{
	unsigned rounds = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	unsigned at_once = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (rounds == 0 || at_once > AT_ONCE_MAX) {
		(void)fputs("usage: plugin-bench ROUNDS AT_ONCE DIR <CONTENDERS\n", stderr);
		return 2;
	}
	answers = argv[3];
	parse(stdin);
	for (unsigned round = 0; round < rounds; round++)
		run_round(round, at_once);
	return 0;
}
