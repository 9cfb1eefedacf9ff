/* An agent without an API server: ConfigMaps are given to it, its log is heard. */
#ifndef TEST_AGENT_ONE_AGENT_H
#define TEST_AGENT_ONE_AGENT_H

#include "tests/unit/agent/fixture.h"

#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "agent/report.h"
#include "agent/sync.h"
#include "core/file.h"
#include "core/log.h"

struct agent {
	struct ev_loop *loop;
	int root;
	struct report *report;
	struct sync *sync;
	int log, stderr_was; /* what it logs since the last heard() */
	char heard[8192];
};

MAYBE_UNUSED static void
start(struct agent *agent, unsigned buckets)
{
	struct sync_spec spec = {.buckets = buckets, .namespace = "tables", .node_name = "n1"};
	struct err err = {0};

	agent->log = memfd_create("log", MFD_CLOEXEC);
	agent->stderr_was = dup(STDERR_FILENO);
	assert_int_equal(dup2(agent->log, STDERR_FILENO), STDERR_FILENO);
	agent->root = file_directory(AT_FDCWD, ROOT, 0755, &err);
	spec.root = agent->root;
	spec.loop = agent->loop = ev_loop_new(0);
	spec.report = agent->report = report_new(NULL, buckets);
	agent->sync = sync_new(&spec);
	assert_int_equal(sync_start(agent->sync, &err), 0);
}

MAYBE_UNUSED static void
end(struct agent *agent)
{
	sync_free(agent->sync);
	report_free(agent->report);
	ev_loop_destroy(agent->loop);
	(void)close(agent->root);
	(void)dup2(agent->stderr_was, STDERR_FILENO);
	(void)close(agent->stderr_was);
	(void)close(agent->log);
}

/* What was logged since the last call. */
MAYBE_UNUSED static const char *
heard(struct agent *agent)
{
	ssize_t length = pread(agent->log, agent->heard, sizeof(agent->heard) - 1, 0);

	assert_true(length >= 0);
	agent->heard[length] = '\0';
	assert_int_equal(ftruncate(agent->log, 0), 0);
	(void)lseek(agent->log, 0, SEEK_SET);
	return agent->heard;
}

MAYBE_UNUSED static unsigned
lines(const char *text)
{
	unsigned count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

MAYBE_UNUSED static enum sync_outcome
give_text(struct agent *agent, unsigned bucket, unsigned buckets, const char *text)
{
	char name[40];
	char label[16];
	struct object_id id = {.namespace = "tables", .name = name, .uid = "u", .version = "1"};

	(void)snprintf(name, sizeof(name), "table-%u-%u", buckets, bucket);
	(void)snprintf(label, sizeof(label), "%u", buckets);
	scoped_json *map = make_config_map(name, label, text);
	return sync_config_map(agent->sync, &id, map);
}

MAYBE_UNUSED static enum sync_outcome
give(struct agent *agent, unsigned bucket, unsigned buckets, uint64_t generation, unsigned rows)
{
	scoped_buf text = make_table(bucket, buckets, generation, rows);

	return give_text(agent, bucket, buckets, text.data);
}

MAYBE_UNUSED static void
assert_file_is(unsigned bucket, unsigned buckets, uint64_t generation, unsigned rows)
{
	scoped_buf wanted = make_table(bucket, buckets, generation, rows);
	scoped_buf got = buf_make(TABLE_BYTES_MAX);
	struct err err = {0};
	char path[80];

	(void)snprintf(path, sizeof(path), ROOT "/table/%u/%u", buckets, bucket);
	assert_int_equal(file_read(AT_FDCWD, path, &got, &err), 0);
	assert_string_equal(buf_string(&got), wanted.data);
}

MAYBE_UNUSED static bool
is_live(void)
{
	return access(ROOT "/table/live", F_OK) == 0;
}

#endif
