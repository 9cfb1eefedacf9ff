/* Addresses that the runtime asks for, of ranges. No I/O here. */
#ifndef PLUGIN_RANGES_REQUEST_H
#define PLUGIN_RANGES_REQUEST_H

#include "core/err.h"
#include "plugin/ranges.h"
#include "plugin/requested.h"

/* Gives each set the first request that it can serve and that no set before it took;
 * requests on all roads count together, the same address once, and a prefix does not
 * matter: the range has it. As in host-local, in its words; unlike there, IP in
 * CNI_ARGS may be a list, as Multus sends it. A GATEWAY must be that of a range.
 *
 * Error codes: 102 a request that no set serves, a gateway, or an address that no
 * host can have; 7 and 4 what is no address. */
int range_sets_request(
    struct range_sets *sets, const struct requested *requested, struct err *err);

#endif
