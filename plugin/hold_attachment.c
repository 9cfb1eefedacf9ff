/* On whose behalf addresses are held. */
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/utf8.h"
#include "node/netns.h"
#include "plugin/cni_error.h"
#include "plugin/hold.h"

/* Names are for people: cleaned and cut, where an inline source let them through. Never
 * within a character: a lease is read as strictly as any JSON. */
static void
put_name(const char *text, char *out, size_t size)
{
	scoped_buf clean = buf_make(CNI_ARGS_MAX * 3);
	size_t length = 0;
	size_t next = 0;

	if (!text)
		text = "";
	if (strlen(text) < size && utf8_valid(text)) { /* nearly always */
		memcpy(out, text, strlen(text) + 1);
		return;
	}
	utf8_clean(text, strlen(text), &clean);
	if (clean.length < size)
		length = clean.length;
	else
		while ((next = utf8_character(buf_string(&clean) + length,
		            clean.length - length)) > 0 &&
		       length + next < size)
			length += next;
	(void)snprintf(out, size, "%.*s", (int)length, buf_string(&clean));
}

static int
put_identity(const char *text, const char *what, char *out, size_t size, struct err *err)
{
	if (strlen(text) >= size)
		return err_set(err, CNI_ERROR_ENVIRONMENT, "%s is longer than %zu bytes; %.60s...",
		    what, size - 1, text);
	/* cleaned, two could become one */
	if (!utf8_valid(text))
		return err_set(err, CNI_ERROR_ENVIRONMENT, "%s is no UTF-8; %.60s", what, text);
	put_name(text, out, size);
	return 0;
}

/* A namespace that cannot be looked at was not there: such a lease ends with its DEL
 * only. The runtime's own is no pod's, and must never be set down. */
static void
look_at_netns(const char *path, struct netns_id *ret_id)
{
	scoped_fd int netns = -1;

	if (!netns_open(path, &netns, NULL))
		(void)netns_id_read(netns, ret_id, NULL);
}

int
hold_attachment(const struct cni_request *request, const struct cni_args *args,
    struct attachment *ret_who, struct err *err)
{
	const struct cni_environment *environment = request->environment;
	struct attachment *who = ret_who;
	const char *uid = args->uid ? args->uid : "";

	*who = (struct attachment){.netns_id = {0}};
	put_name(request->config.name, who->network, sizeof(who->network));
	put_name(environment->ifname, who->ifname, sizeof(who->ifname));
	put_name(args->namespace, who->namespace, sizeof(who->namespace));
	put_name(args->pod, who->pod, sizeof(who->pod));
	int rc = put_identity(environment->container, "CNI_CONTAINERID", who->container,
	    sizeof(who->container), err);
	if (!rc)
		rc = put_identity(uid, "K8S_POD_UID in CNI_ARGS", who->uid, sizeof(who->uid), err);
	if (!rc)
		rc = put_identity(
		    environment->netns, "CNI_NETNS", who->netns, sizeof(who->netns), err);
	if (!rc)
		look_at_netns(environment->netns, &who->netns_id);
	return rc;
}
