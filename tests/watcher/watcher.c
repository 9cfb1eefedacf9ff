/* Looks several times a second into all pods' network namespaces on this machine and says
 * when an address can be used in two of them. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netns.h"
#include "places.h"
#include "prefix.h"

enum { SEEN_MAX = 32768, PREFIXES_MAX = 16, FAULTS_MAX = 1024, TRIES = 3 };

struct seen {
	struct address address;
	size_t place;
};

/* Two places with one address, said once. */
struct fault {
	struct address address;
	ino_t places[2];
	bool duplicate; /* said as one */
};

struct watcher {
	struct places_spec spec;
	const char *state; /* file; NULL = none */
	bool mounted;	   /* a namespace without a process is a pod's too */
	unsigned interval_ms;
	size_t prefix_count;
	struct prefix prefixes[PREFIXES_MAX];

	struct places places;
	size_t seen_count;
	struct seen seen[SEEN_MAX];
	size_t looking_at; /* the place that is being read */
	bool too_many;

	size_t fault_count;
	struct fault faults[FAULTS_MAX];
	uintmax_t looks;
	size_t most;    /* different addresses in one look */
	double longest; /* seconds between the beginnings of two looks */
};

static void
usage(FILE *out)
{
	(void)fputs(
	    "Usage: watcher [OPTION]... PREFIX...\n"
	    "Watches the addresses within the PREFIXes (10.244.0.0/16) in all pods' "
	    "network\n"
	    "namespaces. Prints a line for each that can be used in two of them at once, "
	    "and\n"
	    "goes on. SIGTERM and SIGINT end it; the exit status is 1 if there was one.\n"
	    "\n"
	    "  --interval=MS     between two looks (200)\n"
	    "  --cgroup=TEXT     pods are processes with this in their cgroup's path "
	    "(all)\n"
	    "  --skip=PATTERN    files: namespaces of nodes, which are no pods'\n"
	    "  --nodes=PATTERN   files with the pid of a node each: its namespace is no "
	    "pod's,\n"
	    "                    and mounts in its /run/netns are looked at too\n"
	    "  --mounted         what only a mount has is a pod's too, though no process "
	    "is\n"
	    "                    in it: nodes that are simulated have no containers\n"
	    "  --state=FILE      what the last look saw: a line \"look NUMBER TIME\", "
	    "then\n"
	    "                    \"ADDRESS NETNS PID\" for each address, sorted\n",
	    out);
}

static void
say(const char *what)
{
	char text[40];
	struct timespec now;
	struct tm broken;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)strftime(text, sizeof(text), "%FT%T", gmtime_r(&now.tv_sec, &broken));
	(void)printf("%s.%03ldZ %s\n", text, now.tv_nsec / 1000000, what);
}

static double
monotonic(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- one look --------------------------------------------------------------------- */

static void
on_address(void *cookie, const struct address *address)
{
	struct watcher *watcher = cookie;
	bool watched = false;

	for (size_t i = 0; i < watcher->prefix_count; i++)
		watched = watched || prefix_has(&watcher->prefixes[i], address);
	if (!watched)
		return;
	watcher->too_many = watcher->too_many || watcher->seen_count == SEEN_MAX;
	if (!watcher->too_many)
		watcher->seen[watcher->seen_count++] =
		    (struct seen){.address = *address, .place = watcher->looking_at};
}

/* A namespace that is gone, or changed while it was read three times, has what was read
 * last, or nothing. */
static void
read_place(struct watcher *watcher, size_t place)
{
	size_t before = watcher->seen_count;
	int code = -EAGAIN;

	watcher->looking_at = place;
	for (int i = 0; i < TRIES && code == -EAGAIN; i++) {
		int fd = place_open(&watcher->places.list[place]);
		if (fd < 0)
			return;
		watcher->seen_count = before;
		code = netns_addresses(fd, on_address, watcher);
		(void)close(fd);
	}
}

static int
by_address(const void *left, const void *right)
{
	const struct seen *a = left;
	const struct seen *b = right;
	int order = (a->address.length > b->address.length) -
		    (a->address.length < b->address.length);

	if (!order)
		order = memcmp(a->address.bytes, b->address.bytes, a->address.length);
	return order ? order : (a->place > b->place) - (a->place < b->place);
}

/* ---- a duplicate ---------------------------------------------------------------------
 */

struct question {
	const struct address *address;
	bool there;
};

static void
on_asked(void *cookie, const struct address *address)
{
	struct question *question = cookie;

	question->there = question->there || address_same(address, question->address);
}

static bool
has(const struct place *place, const struct address *address)
{
	struct question question = {.address = address};
	int fd = place_open(place);

	if (fd < 0)
		return false;
	int code = netns_addresses(fd, on_asked, &question);
	(void)close(fd);
	return !code && question.there;
}

/* The two were read one after the other, and between them the address may have passed on.
 * Seen in the first, then in the second, and in the first once more: both had it. */
static bool
both_have(
    const struct place *first, const struct place *second, const struct address *address)
{
	return has(first, address) && has(second, address) && has(first, address);
}

static bool
same_fault(const struct fault *a, const struct fault *b)
{
	return a->places[0] == b->places[0] && a->places[1] == b->places[1] &&
	    address_same(&a->address, &b->address);
}

/* A leftover that turns out to be a duplicate is new. */
static bool
is_new(struct watcher *watcher, const struct fault *fault)
{
	for (size_t i = 0; i < watcher->fault_count; i++) {
		struct fault *f = &watcher->faults[i];
		if (!same_fault(f, fault))
			continue;
		bool worse = fault->duplicate && !f->duplicate;
		f->duplicate = f->duplicate || fault->duplicate;
		return worse;
	}
	if (watcher->fault_count < FAULTS_MAX)
		watcher->faults[watcher->fault_count++] = *fault;
	return true;
}

static void
judge(struct watcher *watcher, const struct seen *a, const struct seen *b)
{
	const struct place *first = &watcher->places.list[a->place];
	const struct place *second = &watcher->places.list[b->place];
	char line[2 * PLACE_TEXT_MAX + 128];
	char texts[2][PLACE_TEXT_MAX];
	char address[INET6_ADDRSTRLEN];

	struct fault fault = {.address = a->address, .places = {first->netns, second->netns},
	    .duplicate = watcher->mounted || (first->pid && second->pid)};

	/* On two interfaces of one pod it is no business of ours; between two namespaces
	 * without a process there is nobody to hurt. */
	if (first == second || (!watcher->mounted && !first->pid && !second->pid) ||
	    !both_have(first, second, &a->address) ||
	    !is_new(watcher, &fault))
		return;
	place_describe(first, texts[0]);
	place_describe(second, texts[1]);
	(void)snprintf(line, sizeof(line), "%s %s: %s and %s",
	    fault.duplicate ? "duplicate" : "leftover",
	    address_print(&a->address, address), texts[0], texts[1]);
	say(line);
}

static size_t
judge_all(struct watcher *watcher)
{
	size_t different = 0;

	for (size_t i = 0; i < watcher->seen_count; i++) {
		const struct seen *seen = &watcher->seen[i];
		different += i == 0 || !address_same(&seen->address, &seen[-1].address);
		for (size_t k = i; k > 0; k--) {
			if (!address_same(&seen->address, &watcher->seen[k - 1].address))
				break;
			judge(watcher, &watcher->seen[k - 1], seen);
		}
	}
	return different;
}

/* ---- what was seen, for others -------------------------------------------------------
 */

/* Replaced as a whole: who reads it sees one look. */
static void
write_state(const struct watcher *watcher, double began)
{
	char next[4096];
	char text[INET6_ADDRSTRLEN];

	if (!watcher->state)
		return;
	(void)snprintf(next, sizeof(next), "%s.next", watcher->state);
	FILE *file = fopen(next, "we");
	if (!file)
		return;
	(void)fprintf(file, "look %ju %.3f\n", watcher->looks, began);
	for (size_t i = 0; i < watcher->seen_count; i++) {
		const struct seen *seen = &watcher->seen[i];
		const struct place *place = &watcher->places.list[seen->place];
		(void)fprintf(file, "%s %ju %d\n", address_print(&seen->address, text),
		    (uintmax_t)place->netns, (int)place->pid);
	}
	if (fclose(file) == 0)
		(void)rename(next, watcher->state);
}

static void
look(struct watcher *watcher)
{
	double began = monotonic();
	int code = places_find(&watcher->spec, &watcher->places);

	watcher->seen_count = 0;
	for (size_t i = 0; i < watcher->places.count; i++)
		read_place(watcher, i);
	if (code || watcher->too_many) {
		(void)fprintf(
		    stderr, "watcher: too much to look at, or no /proc (%d)\n", code);
		exit(3);
	}
	qsort(watcher->seen, watcher->seen_count, sizeof(*watcher->seen), by_address);
	size_t different = judge_all(watcher);
	watcher->most = different > watcher->most ? different : watcher->most;
	watcher->looks++;
	write_state(watcher, began);
}

/* A thread of its own: while it is inside, /proc/PID/ns/net of this program stays the
 * machine's. Whoever asks which processes a pod's namespace has must not find us. */
static void *
look_for_ever(void *cookie)
{
	struct watcher *watcher = cookie;
	double last = 0;

	if (netns_home() < 0)
		exit(3);
	for (;;) {
		double began = monotonic();
		if (last > 0 && began - last > watcher->longest)
			watcher->longest = began - last;
		last = began;
		(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		look(watcher);
		(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
		(void)usleep(watcher->interval_ms * 1000);
	}
	return NULL;
}

/* ---- the command line -------------------------------------------------------------- */

static const struct option known[] = {
    {"interval", required_argument, NULL, 'i'},
    {"cgroup", required_argument, NULL, 'c'},
    {"skip", required_argument, NULL, 's'},
    {"nodes", required_argument, NULL, 'n'},
    {"mounted", no_argument, NULL, 'm'},
    {"state", required_argument, NULL, 'o'},
    {0},
};

static bool
set_option(struct watcher *watcher, int option)
{
	switch (option) {
	case 'i':
		return number_parse(optarg, 60000, &watcher->interval_ms);
	case 'c':
		watcher->spec.cgroup = optarg;
		return true;
	case 's':
		watcher->spec.skip = optarg;
		return true;
	case 'n':
		watcher->spec.node_pids = optarg;
		return true;
	case 'm':
		watcher->mounted = true;
		return true;
	case 'o':
		watcher->state = optarg;
		return true;
	default:
		return false;
	}
}

static bool
parse(struct watcher *watcher, int argc, char **argv)
{
	bool good = true;
	int option;

	watcher->interval_ms = 200;
	while (good && (option = getopt_long(argc, argv, "", known, NULL)) != -1)
		good = set_option(watcher, option);
	for (; good && optind < argc; optind++)
		good = watcher->prefix_count < PREFIXES_MAX &&
		       prefix_parse(
			   argv[optind], &watcher->prefixes[watcher->prefix_count++]);
	return good && watcher->prefix_count > 0;
}

int
main(int argc, char **argv)
{
	static struct watcher watcher;
	pthread_t thread;
	sigset_t ending;
	int signal_number;
	char line[200];

	if (!parse(&watcher, argc, argv)) {
		usage(stderr);
		return 2;
	}
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &ending, NULL);
	if (pthread_create(&thread, NULL, look_for_ever, &watcher) != 0)
		return 3;
	(void)sigwait(&ending, &signal_number);
	(void)pthread_cancel(thread);
	(void)pthread_join(thread, NULL);
	(void)snprintf(line, sizeof(line),
	    "end: %ju looks, %zu addresses at most, %zu faults, "
	    "longest time between two looks %.0f ms",
	    watcher.looks, watcher.most, watcher.fault_count, watcher.longest * 1000);
	say(line);
	return watcher.fault_count > 0;
}
