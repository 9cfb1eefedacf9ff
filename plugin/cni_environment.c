#include "plugin/cni_environment.h"

#include <stddef.h>
#include <string.h>

#include "core/bounds.h"
#include "core/buf.h"
#include "core/utf8.h"
#include "plugin/cni_error.h"
#include "table/key.h"

static const char *const verb_names[CNI_VERBS] = {
    [CNI_ADD] = "ADD",
    [CNI_CHECK] = "CHECK",
    [CNI_DEL] = "DEL",
    [CNI_GC] = "GC",
    [CNI_STATUS] = "STATUS",
    [CNI_VERSION] = "VERSION",
};

/* CNI specification: a letter or digit, then letters, digits, '_', '.', '-'. */
static bool
name_characters_valid(const char *text)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t front = strspn(text, letters);

	if (front == 0)
		return false;
	for (const char *c = text + front; *c; c++)
		if (!strchr(letters, *c) && !strchr("_.-", *c))
			return false;
	return true;
}

static int
check_container(const char *container, struct err *err)
{
	if (name_characters_valid(container))
		return 0;
	return err_set(err, CNI_ERROR_ENVIRONMENT,
	    "invalid characters in containerID; %s", container);
}

static int
check_ifname(const char *ifname, struct err *err)
{
	if (strlen(ifname) > IFNAME_LEN_MAX)
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "interface name is too long; interface name should be less than %d "
		    "characters",
		    IFNAME_LEN_MAX + 1);
	if (strcmp(ifname, ".") == 0 || strcmp(ifname, "..") == 0)
		return err_set(err, CNI_ERROR_ENVIRONMENT, "interface name is . or ..");
	if (!key_interface_valid(ifname))
		return err_set(err, CNI_ERROR_ENVIRONMENT,
		    "interface name contains / or : or whitespace characters");
	/* the kernel takes any byte; neither a result nor a lease, both JSON, could name it */
	if (!utf8_valid(ifname))
		return err_set(err, CNI_ERROR_ENVIRONMENT, "interface name is no UTF-8");
	return 0;
}

/* Which verb needs which variable; skel needs CNI_PATH of all but VERSION. */
#define VERB(verb) (1u << (verb))
enum {
	OF_ATTACHMENT = VERB(CNI_ADD) | VERB(CNI_CHECK) | VERB(CNI_DEL),
	OF_NETNS = VERB(CNI_ADD) | VERB(CNI_CHECK),
	OF_ANY = OF_ATTACHMENT | VERB(CNI_GC) | VERB(CNI_STATUS),
};
struct variable {
	const char *name;
	size_t offset;
	unsigned needed_by;
	int (*check)(const char *value, struct err *err);
};
static const struct variable variables[] = {
    {"CNI_CONTAINERID", offsetof(struct cni_environment, container), OF_ATTACHMENT,
        check_container},
    {"CNI_NETNS", offsetof(struct cni_environment, netns), OF_NETNS, NULL},
    {"CNI_IFNAME", offsetof(struct cni_environment, ifname), OF_ATTACHMENT, check_ifname},
    {"CNI_PATH", offsetof(struct cni_environment, path), OF_ANY, NULL},
};

static bool
given(const char *value)
{
	return value && value[0];
}

bool
cni_environment_asked(const struct cni_environment *environment)
{
	return given(environment->command);
}

/* An invalid value is reported before any missing one, and all missing ones
 * together. */
static int
check_variables(const struct cni_environment *environment, unsigned verb, struct err *err)
{
	scoped_buf missing = buf_make(128);

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const struct variable *variable = &variables[i];
		const char *value;
		memcpy(&value, (const char *)environment + variable->offset, sizeof(value));
		if (!(variable->needed_by & verb))
			continue;
		if (!given(value))
			(void)buf_print(
			    &missing, "%s%s", missing.length ? "," : "", variable->name);
		else if (variable->check && variable->check(value, err))
			return -CNI_ERROR_ENVIRONMENT;
	}
	if (missing.length)
		return err_set(err, CNI_ERROR_ENVIRONMENT, "required env variables [%s] missing",
		    buf_string(&missing));
	return 0;
}

int
cni_environment_read(const struct cni_environment *environment, enum cni_verb *ret_verb,
    struct err *err)
{
	for (int verb = 0; verb < CNI_VERBS; verb++) {
		if (strcmp(environment->command, verb_names[verb]) != 0)
			continue;
		*ret_verb = (enum cni_verb)verb;
		return check_variables(environment, VERB(verb), err);
	}
	return err_set(
	    err, CNI_ERROR_ENVIRONMENT, "unknown CNI_COMMAND: %.64s", environment->command);
}
