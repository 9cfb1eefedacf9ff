/* Shared by the two sources of a kube_config. Private to lib/net. */
#ifndef NET_KUBE_CONFIG_PRIVATE_H
#define NET_KUBE_CONFIG_PRIVATE_H

#include "core/err.h"
#include "net/kube_config.h"

/* An http or https URL without user, query and fragment, copied without slashes
 * at its end. what names it in errors. */
int kube_config_server(const char *text, const char *what, char **ret_server,
    struct err *err);

#endif
