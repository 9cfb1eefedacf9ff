/* The host's own settings, /etc/staticip/plugin.json: {"root": "/run/staticip",
 * "resolvConf": ["/etc/pods-resolv.conf"], "cmdline": "/proc/cmdline"}.
 * Paths come from here and never from the network configuration, which a tenant
 * may be able to write (I10). */
#ifndef PLUGIN_HOST_FILE_H
#define PLUGIN_HOST_FILE_H

#include "core/err.h"

#define HOST_FILE "/etc/staticip/plugin.json"
#define HOST_FILE_ROOT "/run/staticip"
#define HOST_FILE_CMDLINE "/proc/cmdline"

/* The root directory of the tables: from the file at path, else HOST_FILE_ROOT.
 * Other keys are ignored. The caller frees *ret_root (mem_free). A file that is
 * there and wrong is an error of code 7: a guess would read the wrong tables. */
int host_file_root(const char *path, char **ret_root, struct err *err);

/* The file to read the kernel's command line from, HOST_FILE_CMDLINE unless the file
 * says otherwise; likewise. */
int host_file_cmdline(const char *path, char **ret_cmdline, struct err *err);

/* Whether `resolvConf` of a network configuration may be this file: the usual two, or
 * what the host file lists. 0, or an error of code 7 that names them. */
int host_file_permits_resolv_conf(const char *path, const char *wanted, struct err *err);

#endif
