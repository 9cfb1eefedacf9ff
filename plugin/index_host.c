#include "plugin/index_host.h"

#include <errno.h>
#include <fcntl.h>

#include "core/file.h"
#include "core/mem.h"
#include "node/host_address.h"
#include "plugin/cni_error.h"
#include "plugin/host_file.h"

static int
read_cmdline(const struct index_rule *rule, const char *host_file,
    struct index_host ret_hosts[2], struct err *err)
{
	scoped_free char *path = NULL;
	scoped_buf text = buf_make(KERNEL_COMMAND_LINE_MAX);
	int rc = host_file_cmdline(host_file, &path, err);

	if (!rc && file_read(AT_FDCWD, path, &text, err))
		rc = cni_error_as(err, CNI_ERROR_IO);
	return rc ? rc
		  : index_parse_cmdline(buf_string(&text), rule->key, ret_hosts, err);
}

static int
read_kernel(
    const struct index_rule *rule, struct index_host ret_hosts[2], struct err *err)
{
	const char *interface =
	    rule->from == INDEX_FROM_INTERFACE ? rule->interface : NULL;
	struct host_subnet subnets[2];
	int rc = host_subnet_read(interface, subnets, err);

	if (rc)
		return rc == -ENODEV ? cni_error_as(err, CNI_ERROR_CONFIG) : rc;
	if (!subnets[0].cidr.ip.family && !subnets[1].cidr.ip.family)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s of this node has no address that an index could be added to; see "
		    "ipam.hostAddress",
		    interface ? interface : "the default route");
	for (unsigned i = 0; i < 2; i++)
		ret_hosts[i] = (struct index_host){
		    .cidr = subnets[i].cidr, .gateway = subnets[i].gateway};
	return 0;
}

int
index_host_read(const struct index_rule *rule, const char *host_file,
    struct index_host ret_hosts[2], struct err *err)
{
	if (rule->from == INDEX_FROM_CMDLINE)
		return read_cmdline(rule, host_file, ret_hosts, err);
	return read_kernel(rule, ret_hosts, err);
}
