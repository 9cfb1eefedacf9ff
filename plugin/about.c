#include "plugin/about.h"

#include "core/buf.h"
#include "plugin/cni_version.h"

void
about_print(FILE *to)
{
	scoped_buf versions = buf_make(128);

	cni_version_list(&versions, " ");
	(void)fprintf(to,
	    "CNI staticip plugin v" STATICIP_VERSION
	    ": fixed addresses and routes for Kubernetes pods\n"
	    "CNI protocol versions supported: %s\n",
	    buf_string(&versions));
}

void
about_help(FILE *to)
{
	about_print(to);
	(void)fputs(
	    "usage: a container runtime starts this program with CNI_COMMAND and the other\n"
	    "variables of the CNI specification in the environment and a network\n"
	    "configuration on standard input. By hand: --version, --help.\n"
	    "See staticip(8).\n",
	    to);
}
