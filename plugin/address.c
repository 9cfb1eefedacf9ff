#include "plugin/address.h"

#include <string.h>

#include "plugin/cni_error.h"
#include "table/json.h"

int
address_check(const struct cidr *cidr, const char *what, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	char room[96];
	const char *reason = cidr_unusable(cidr, room);

	if (!reason)
		return 0;
	return err_set(err, CNI_ERROR_CONFIG, "%s: no pod can have %s; it %s", what,
	    cidr_print(cidr, text), reason);
}

static int
decode_gateway(
    const char *text, const char *where, struct cni_address *address, struct err *err)
{
	struct ip gateway;
	char own[ADDRESS_TEXT_MAX];

	if (ip_parse_lax(text, strlen(text), &gateway, err)) {
		(void)err_wrap(err, "%s.gateway", where);
		return cni_error_as(err, CNI_ERROR_CONFIG);
	}
	if (gateway.family != address->cidr.ip.family)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: gateway %s is not of the family of %s", where, text,
		    cidr_print(&address->cidr, own));
	if (ip_equal(&gateway, &address->cidr.ip))
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: gateway %s is the pod's own address", where, text);
	address->gateway = gateway;
	return 0;
}

int
address_decode(struct json_object *object, const char *where,
    struct cni_address *ret_address, struct err *err)
{
	struct cni_address address = {0};
	const char *cidr = "";
	const char *gateway = "";
	int rc =
	    json_get_text(object, "address", where, true, ADDRESS_TEXT_MAX, &cidr, err);

	if (!rc)
		rc = json_get_text(
		    object, "gateway", where, false, ADDRESS_TEXT_MAX, &gateway, err);
	if (rc)
		return cni_error_as(err, CNI_ERROR_CONFIG);
	if (cidr_parse_lax(cidr, strlen(cidr), &address.cidr, NULL))
		return err_set(err, CNI_ERROR_CONFIG,
		    "the 'address' field is expected to be in CIDR notation, got: '%s'; "
		    "see %s",
		    cidr, where);
	rc = address_check(&address.cidr, where, err);
	if (!rc && gateway[0])
		rc = decode_gateway(gateway, where, &address, err);
	if (!rc)
		*ret_address = address;
	return rc;
}

int
address_add(struct cni_address *list, unsigned *count, const struct cni_address *address,
    const char *what, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < *count; i++)
		if (ip_equal(&list[i].cidr.ip, &address->cidr.ip))
			return err_set(err, CNI_ERROR_CONFIG, "%s: %s stands there twice",
			    what, cidr_print(&address->cidr, text));
	if (*count == ENTRY_IPS_MAX)
		return err_set(err, CNI_ERROR_CONFIG,
		    "%s: more than %d addresses for one pod", what, ENTRY_IPS_MAX);
	list[(*count)++] = *address;
	return 0;
}
