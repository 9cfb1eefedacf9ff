#include "plugin/ranges_request.h"

#include "core/buf.h"
#include "plugin/cni_error.h"

struct wanted {
	struct ip list[REQUESTED_ROADS * REQUESTED_IPS_MAX];
	unsigned count;
};

static void
want(struct wanted *wanted, const struct ip *ip)
{
	for (unsigned i = 0; i < wanted->count; i++)
		if (ip_equal(&wanted->list[i], ip))
			return;
	wanted->list[wanted->count++] = *ip;
}

static int
check_gateway(const struct range_sets *sets, const struct ip *gateway, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < sets->count; i++)
		for (unsigned k = 0; k < sets->list[i].count; k++)
			if (ip_equal(&sets->list[i].list[k].gateway, gateway))
				return 0;
	return err_set(err, CNI_ERROR_NOT_PERMITTED,
	    "CNI_ARGS GATEWAY asks for gateway %s, which is none of the ranges'; leave "
	    "it out",
	    ip_print(gateway, text));
}

static int
collect(const struct range_sets *sets, const struct requested *requested,
    struct wanted *wanted, struct err *err)
{
	for (unsigned i = 0; i < requested->count; i++) {
		struct cidr asked;
		bool with_prefix;
		int rc = requested_parse(&requested->list[i], &asked, &with_prefix, err);
		if (!rc && requested->list[i].road == REQUESTED_ARGS_GATEWAY)
			rc = check_gateway(sets, &asked.ip, err);
		else if (!rc)
			want(wanted, &asked.ip);
		if (rc)
			return rc;
	}
	return 0;
}

static int
check_request(
    const struct range *range, const struct ip *ip, unsigned set, struct err *err)
{
	const struct cidr cidr = {.ip = *ip, .length = range->subnet.length};
	char text[ADDRESS_TEXT_MAX];
	char room[96];
	const char *reason = cidr_unusable(&cidr, room);

	if (ip_equal(ip, &range->gateway))
		return err_set(err, CNI_ERROR_NOT_PERMITTED,
		    "failed to allocate for range %u: requested ip %s is subnet's "
		    "gateway",
		    set, ip_print(ip, text));
	if (reason)
		return err_set(err, CNI_ERROR_NOT_PERMITTED,
		    "failed to allocate for range %u: requested ip %s %s", set,
		    ip_print(ip, text), reason);
	return 0;
}

static int
serve(struct range_set *set, unsigned number, struct wanted *wanted, struct err *err)
{
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct range *range = range_set_find(set, &wanted->list[i]);
		if (!range)
			continue;
		int rc = check_request(range, &wanted->list[i], number, err);
		if (rc)
			return rc;
		set->requested = wanted->list[i];
		wanted->list[i] = (struct ip){0}; /* no range has it any more */
		return 0;
	}
	return 0;
}

static int
left_over(const struct wanted *wanted, struct err *err)
{
	scoped_buf list = buf_make(ERR_TEXT_MAX);
	char text[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < wanted->count; i++)
		if (wanted->list[i].family)
			(void)buf_print(&list, " %s", ip_print(&wanted->list[i], text));
	if (list.length == 0)
		return 0;
	return err_set(err, CNI_ERROR_NOT_PERMITTED,
	    "failed to allocate all requested IPs:%s; each range set gives one address, "
	    "of its "
	    "own ranges",
	    buf_string(&list));
}

int
range_sets_request(
    struct range_sets *sets, const struct requested *requested, struct err *err)
{
	struct wanted wanted = {.count = 0};
	int rc = collect(sets, requested, &wanted, err);

	for (unsigned i = 0; !rc && i < sets->count; i++)
		rc = serve(&sets->list[i], i, &wanted, err);
	return rc ? rc : left_over(&wanted, err);
}
