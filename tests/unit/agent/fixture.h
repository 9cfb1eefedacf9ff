/* What the agent's tests share: a tmpfs of their own on /mnt, tables, ConfigMaps. */
#ifndef TEST_AGENT_FIXTURE_H
#define TEST_AGENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/mem.h"
#include "table/json.h"
#include "table/key.h"
#include "table/table.h"

#define ROOT "/mnt/staticip"
#define MAYBE_UNUSED __attribute__((unused))

static const char *fixture_missing; /* why there is no tmpfs */

/* Group setup: mounts of this process are nobody else's, and end with it. */
MAYBE_UNUSED static int
fixture_begin(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fixture_missing = strerror(errno);
	return 0;
}

/* Setup of a test: an empty tmpfs on /mnt. */
MAYBE_UNUSED static int
fixture_mount(void **state)
{
	(void)state;
	if (!fixture_missing && mount("none", "/mnt", "tmpfs", 0, "size=64m,mode=755") < 0)
		fixture_missing = strerror(errno);
	return 0;
}

MAYBE_UNUSED static int
fixture_unmount(void **state)
{
	(void)state;
	return fixture_missing ? 0 : umount2("/mnt", MNT_DETACH);
}

/* The first line of a test that needs the tmpfs. */
#define NEEDS_TMPFS()                                                                      \
	do {                                                                               \
		if (fixture_missing) {                                                     \
			print_message("skipped: cannot mount a tmpfs (%s), run as root\n",    \
			    fixture_missing);                                              \
			skip();                                                            \
		}                                                                          \
	} while (0)

#define on_tmpfs(test)                                                                     \
	cmocka_unit_test_setup_teardown(test, fixture_mount, fixture_unmount)

/* A table with n rows whose keys belong to the bucket. */
MAYBE_UNUSED static struct buf
make_table(unsigned bucket, unsigned buckets, uint64_t generation, unsigned n)
{
	struct table_writer writer;
	struct buf out = buf_make(TABLE_BYTES_MAX);
	struct err err = {0};

	table_begin(&writer);
	for (unsigned i = 0; n > 0; i++) {
		char key[40];
		(void)snprintf(key, sizeof(key), "net/ns/pod-%07u", i);
		if (key_bucket(key, buckets) != bucket)
			continue;
		table_line_add(&writer, key, "{\"ips\":[\"10.0.2.40/24\"]}");
		n--;
	}
	assert_int_equal(table_end(&writer, generation, &out, &err), 0);
	return out;
}

/* label or text NULL = without it. */
MAYBE_UNUSED static struct json_object *
make_config_map(const char *name, const char *label, const char *text)
{
	struct json_object *map = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *labels = json_object_new_object();
	struct json_object *data = json_object_new_object();

	json_put_text(metadata, "name", name);
	json_put_text(labels, "staticip.dev/buckets", label);
	json_put_text(data, "table", text);
	json_object_object_add(metadata, "labels", labels);
	json_object_object_add(map, "metadata", metadata);
	json_object_object_add(map, "data", data);
	return map;
}

#endif
