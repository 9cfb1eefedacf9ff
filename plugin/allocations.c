#include "plugin/allocations.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "plugin/address.h"
#include "plugin/cni_error.h"
#include "table/json.h"
#include "table/key.h"

struct allocation {
	const char *namespace;
	const char *pod;
	struct cni_address address;
};

/* An address and the row it stands in. */
struct place {
	struct ip ip;
	size_t row;
};

static int
decode_row(struct json_object *object, size_t row, struct allocation *ret_allocation,
    struct err *err)
{
	struct allocation allocation = {.namespace = "", .pod = ""};
	char where[48];

	(void)snprintf(where, sizeof(where), "ipam.allocations[%zu]", row);
	int rc = json_get_text(
	    object, "namespace", where, true, LABEL_MAX, &allocation.namespace, err);
	if (!rc)
		rc = json_get_text(
		    object, "pod", where, true, SUBDOMAIN_MAX, &allocation.pod, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (!key_label_valid(allocation.namespace) ||
	    !key_subdomain_valid(allocation.pod))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: '%.63s/%.80s' is no namespace and name that a pod can have",
		    where, allocation.namespace, allocation.pod);
	rc = address_decode(object, where, &allocation.address, err);
	if (!rc)
		*ret_allocation = allocation;
	return rc;
}

static int
decode_default(struct json_object *ipam, struct ip *ret_gateway, struct err *err)
{
	const char *text = "";

	if (json_get_text(ipam, "gateway", "ipam", false, ADDRESS_TEXT_MAX, &text, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (text[0] && ip_parse_lax(text, strlen(text), ret_gateway, err)) {
		(void)err_wrap(err, "ipam.gateway");
		return cni_error_as(err, CNI_ERROR_CONFIG);
	}
	return 0;
}

static int
compare_places(const void *a, const void *b)
{
	const struct place *left = a;
	const struct place *right = b;
	int order = ip_compare(&left->ip, &right->ip);

	if (order != 0)
		return order;
	return left->row < right->row ? -1 : left->row > right->row;
}

static int
check_places(struct place *places, size_t count, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	qsort(places, count, sizeof(*places), compare_places);
	for (size_t i = 1; i < count; i++)
		if (ip_equal(&places[i - 1].ip, &places[i].ip))
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipam.allocations[%zu] and [%zu] have the same address %s",
			    places[i - 1].row, places[i].row,
			    ip_print(&places[i].ip, text));
	return 0;
}

/* Adds a row of the pod to what it gets. */
static int
take_row(const struct allocation *allocation, const struct ip *gateway,
    struct cni_address *ips, unsigned *count, struct err *err)
{
	struct cni_address address = allocation->address;
	char what[LABEL_MAX + SUBDOMAIN_MAX + 32];

	(void)snprintf(what, sizeof(what), "ipam.allocations for %s/%s",
	    allocation->namespace, allocation->pod);
	if (!address.gateway.family && gateway->family == address.cidr.ip.family)
		address.gateway = *gateway;
	if (ip_equal(&address.gateway, &address.cidr.ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: ipam.gateway is the pod's own address", what);
	return address_add(ips, count, &address, what, err);
}

static bool
is_of_pod(const struct allocation *row, const struct cni_args *args)
{
	return strcmp(row->pod, args->pod) == 0 &&
	       strcmp(row->namespace, args->namespace) == 0;
}

static int
no_row(const struct cni_args *args, struct err *err)
{
	return err_set(err, CNI_ERROR_NO_ALLOCATION,
	    "ipam.allocations has no row for pod %s/%s; add one to the network "
	    "configuration",
	    args->namespace, args->pod);
}

int
allocations_decode(struct json_object *ipam, const struct cni_args *args,
    struct cni_address ret_ips[ENTRY_IPS_MAX], unsigned *ret_count, struct err *err)
{
	struct json_object *array = NULL;
	struct ip gateway = {0};
	int rc = cni_args_need_pod(args, err);

	*ret_count = 0;
	if (!rc)
		rc = decode_default(ipam, &gateway, err);
	if (rc)
		return rc;
	if (json_get_array(
		ipam, "allocations", "ipam", true, ALLOCATION_ROWS_MAX, &array, err))
		return cni_error_as(err, CNI_ERROR_CONFIG);
	size_t rows = json_object_array_length(array);
	scoped_free struct place *places = mem_new(rows + 1, sizeof(*places));
	for (size_t i = 0; !rc && i < rows; i++) {
		struct allocation row = {.namespace = ""};
		rc = decode_row(json_object_array_get_idx(array, i), i, &row, err);
		places[i] = (struct place){.ip = row.address.cidr.ip, .row = i};
		if (!rc && is_of_pod(&row, args))
			rc = take_row(&row, &gateway, ret_ips, ret_count, err);
	}
	if (!rc)
		rc = check_places(places, rows, err);
	return rc || *ret_count ? rc : no_row(args, err);
}

static bool
is_reachable(const struct ip *gateway, const struct routes *routes,
    const struct cni_address *ips, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (cidr_contains(&ips[i].cidr, gateway))
			return true;
	for (unsigned i = 0; i < routes->count; i++)
		if (!routes->list[i].gw.family && routes->list[i].dst.length > 0 &&
		    cidr_contains(&routes->list[i].dst, gateway))
			return true;
	return false;
}

int
allocations_check_routes(const struct routes *routes, const struct cni_address *ips,
    unsigned count, struct err *err)
{
	char dst[ADDRESS_TEXT_MAX];
	char gw[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < routes->count; i++)
		if (routes->list[i].gw.family &&
		    !is_reachable(&routes->list[i].gw, routes, ips, count))
			return err_set(err, CNI_ERROR_CONFIG,
			    "ipam.routes: gw %s of the route to %s is in no subnet of "
			    "the pod; the pod "
			    "could not reach it",
			    ip_print(&routes->list[i].gw, gw),
			    cidr_print(&routes->list[i].dst, dst));
	return 0;
}
