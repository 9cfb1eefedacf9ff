/* How leases end: DEL, GC, and what vanished pods left. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "node/silence.h"
#include "plugin/cni_error.h"
#include "plugin/hold_private.h"
#include "table/json.h"

/* The attachment's own lease under this name: 1 and locked; 0: it has none. A name
 * that a killed take-over left on another's lease goes. */
static int
open_own(const struct lease_store *store, const char *name, struct lease_file *ret_file,
    struct lease *ret_lease, struct err *err)
{
	char own[LEASE_NAME_MAX];
	int rc = lease_open(store->attachments, name, ret_file, ret_lease, err);

	if (rc <= 0)
		return rc;
	(void)lease_name(ret_lease->holder.container, ret_lease->holder.ifname, own);
	if (strcmp(own, name) == 0)
		return 1;
	rc = lease_unlink(ret_file, store->attachments, name, err);
	lease_close(ret_file);
	return rc;
}

/* A lease that was looked at and is not locked: what comes next may be slow. */
struct looked {
	char name[LEASE_NAME_MAX];
	struct lease_file file;
	struct lease lease;
};
#define scoped_looked __attribute__((cleanup(looked_close))) struct looked

static void
looked_close(struct looked *looked)
{
	lease_close(&looked->file);
}

static int
look(const struct lease_store *store, const char *name, struct looked *ret_looked,
    struct err *err)
{
	(void)snprintf(ret_looked->name, sizeof(ret_looked->name), "%s", name);
	int rc = open_own(store, name, &ret_looked->file, &ret_looked->lease, err);
	if (rc > 0)
		lease_unlock(&ret_looked->file);
	return rc;
}

/* Ends the lease that was looked at, unless an ADD took it meanwhile. */
static int
end(const struct lease_store *store, const struct looked *looked, struct err *err)
{
	int rc = lease_lock(
	    &looked->file, store->attachments, looked->name, &looked->lease, err);

	return rc <= 0 ? rc : lease_end(store, &looked->file, &looked->lease, err);
}

static int
keep_closing(const struct lease_store *store, struct looked *looked, struct err *err)
{
	int rc = lease_lock(
	    &looked->file, store->attachments, looked->name, &looked->lease, err);

	if (rc <= 0)
		return rc;
	looked->lease.closing = true;
	return lease_write(&looked->file, &looked->lease, err);
}

/* ---- DEL -------------------------------------------------------------------- */

/* First the address, then the lease; setting a link down is slow, so no lock is held
 * over it. */
static int
release(const struct lease_store *store, const char *name, struct err *err)
{
	scoped_looked looked = {.file = LEASE_FILE_NONE};
	int rc = look(store, name, &looked, err);

	if (rc <= 0)
		return rc;
	rc = silence_lease(&looked.lease, err);
	if (!rc)
		return end(store, &looked, err);
	(void)keep_closing(store, &looked, NULL); /* err has the reason */
	return rc;
}

int
hold_release(const char *root, const char *network, const char *container,
    const char *ifname, struct err *ret_left)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	char name[LEASE_NAME_MAX];

	if (strlen(container) > CONTAINER_ID_MAX)
		return 0; /* no ADD took such a name */
	(void)lease_name(container, ifname, name);
	int rc = lease_store_open(root, network, false, &store, ret_left);
	if (rc > 0)
		(void)release(&store, name, ret_left);
	return 0;
}

/* ---- vanished pods ---------------------------------------------------------- */

struct sweep {
	const struct lease_store *store;
	char **valid; /* sorted; NULL: whoever is gone, valid or not */
	size_t valid_count;
	unsigned ended;
	struct err *err; /* the last thing that could not be done */
};

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool
is_valid(const struct sweep *sweep, const char *name)
{
	return sweep->valid_count > 0 &&
	    bsearch(&name, sweep->valid, sweep->valid_count, sizeof(name), compare_names);
}

/* 1: its namespace is gone, or its DEL came and can be finished now; with a list of
 * who is valid also when its namespace never was. */
static int
is_over(const struct sweep *sweep, const struct lease *lease, struct err *err)
{
	int netns = -1;
	struct err reason = {0};
	int rc = netns_id_find(lease->holder.netns, &lease->holder.netns_id, &netns, &reason);

	mem_cleanup_fd(&netns);
	if (rc == -ENODATA)
		return sweep->valid != NULL;
	if (rc != 0 && lease->closing && silence_lease(lease, &reason) == 0)
		return 1;
	if (rc < 0)
		*err = reason;
	return rc < 0 ? rc : rc == 0;
}

static void
kept(const struct lease *lease, struct err *err)
{
	(void)err_set(err, CNI_ERROR_TRY_LATER,
	    "the lease of container %.64s (interface %s) is kept; the runtime does not list it, "
	    "but its network namespace %.200s is there: DEL it, or remove the namespace",
	    lease->holder.container, lease->holder.ifname, lease->holder.netns);
}

static void
visit(void *cookie, const char *name)
{
	struct sweep *sweep = cookie;
	scoped_looked looked = {.file = LEASE_FILE_NONE};

	if (is_valid(sweep, name) || look(sweep->store, name, &looked, sweep->err) <= 0)
		return;
	int over = is_over(sweep, &looked.lease, sweep->err);
	if (over == 0 && sweep->valid)
		kept(&looked.lease, sweep->err);
	if (over > 0 && end(sweep->store, &looked, sweep->err) == 0)
		sweep->ended++;
}

int
hold_sweep(const struct lease_store *store, struct err *err)
{
	struct err last = {0};
	struct sweep sweep = {.store = store, .err = &last};
	int rc = lease_each(store, visit, &sweep, err);

	return rc ? rc : sweep.ended > 0;
}

/* ---- GC --------------------------------------------------------------------- */

static void
free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(names[i]);
	mem_free(names);
}

static int
read_valid(struct json_object *array, struct sweep *sweep, struct err *err)
{
	size_t count = json_object_array_length(array);

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);
		const char *container = json_path_text(item, "containerID");
		const char *ifname = json_path_text(item, "ifname");
		if (!container || !ifname)
			return err_set(err, CNI_ERROR_CONFIG,
			    "cni.dev/valid-attachments[%zu] has no containerID or ifname; nothing "
			    "was collected",
			    i);
		sweep->valid[sweep->valid_count++] = mem_format("%s:%s", container, ifname);
	}
	qsort(sweep->valid, sweep->valid_count, sizeof(*sweep->valid), compare_names);
	return 0;
}

static int
collect(const struct lease_store *store, struct json_object *valid, struct err *err)
{
	size_t room = valid ? json_object_array_length(valid) : 0;
	struct err last = {0};
	struct sweep sweep = {
	    .store = store, .valid = mem_new(room + 1, sizeof(char *)), .err = &last};
	int rc = valid ? read_valid(valid, &sweep, err) : 0;

	if (!rc)
		rc = lease_each(store, visit, &sweep, err);
	free_names(sweep.valid, sweep.valid_count);
	if (rc || !last.code)
		return rc;
	*err = last;
	return -last.code;
}

int
hold_collect(const char *root, const char *network, struct json_object *valid,
    struct err *err)
{
	scoped_lease_store store = LEASE_STORE_NONE;

	if (valid && !json_object_is_type(valid, json_type_array))
		return err_set(err, CNI_ERROR_CONFIG, "cni.dev/valid-attachments is no array");
	int rc = lease_store_open(root, network, false, &store, err);
	return rc <= 0 ? rc : collect(&store, valid, err);
}

/* ---- CHECK ------------------------------------------------------------------ */

int
hold_read(const struct hold *hold, struct cidr ret_ips[ENTRY_IPS_MAX], struct err *err)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	char name[LEASE_NAME_MAX];
	scoped_looked looked = {.file = LEASE_FILE_NONE};
	int rc = lease_store_open(hold->root, hold->who.network, false, &store, err);

	if (rc > 0)
		rc = look(&store, lease_name(hold->who.container, hold->who.ifname, name),
		    &looked, err);
	if (rc <= 0 || !lease_complete(&looked.file, &looked.lease))
		return rc < 0 ? rc : 0;
	memcpy(ret_ips, looked.lease.ips, sizeof(looked.lease.ips));
	return (int)looked.lease.ip_count;
}

void
hold_former(const char *root, const char *network, const char *container,
    const char *ifname, struct former *ret_former)
{
	scoped_lease_store store = LEASE_STORE_NONE;
	scoped_lease_file file = LEASE_FILE_NONE;
	char name[LEASE_NAME_MAX];
	struct lease lease;

	*ret_former = (struct former){.count = 0};
	if (strlen(container) > CONTAINER_ID_MAX)
		return;
	(void)lease_name(container, ifname, name);
	if (lease_store_open(root, network, false, &store, NULL) > 0 &&
	    lease_look(store.attachments, name, &file, &lease, NULL) > 0 &&
	    strcmp(lease.holder.container, container) == 0)
		*ret_former = lease.former;
}

static bool
is_in(const struct cidr *list, unsigned count, const struct ip *ip)
{
	for (unsigned i = 0; i < count; i++)
		if (ip_equal(&list[i].ip, ip))
			return true;
	return false;
}

int
hold_check(const struct hold *hold, const struct cidr *ips, unsigned count,
    struct err *err)
{
	struct cidr leased[ENTRY_IPS_MAX];
	char text[ADDRESS_TEXT_MAX];
	int found = hold_read(hold, leased, err);

	if (found < 0)
		return found;
	for (unsigned i = 0; i < count; i++)
		if (!is_in(leased, (unsigned)found, &ips[i].ip))
			return err_set(err, CNI_ERROR_NOT_PERMITTED,
			    "interface %s of container %.12s has no lease of %s; delete the pod so "
			    "that it takes its address anew",
			    hold->who.ifname, hold->who.container, cidr_print(&ips[i], text));
	if ((unsigned)found != count)
		return err_set(err, CNI_ERROR_NOT_PERMITTED,
		    "interface %s of container %.12s has %d leased addresses and should have %u; "
		    "delete the pod so that it takes its addresses anew",
		    hold->who.ifname, hold->who.container, found, count);
	return 0;
}
