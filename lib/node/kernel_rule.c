#include "node/kernel_rule.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "core/mem.h"
#include "node/kernel_message.h"

/* ---- dumps ------------------------------------------------------------------ */

static void
read_selector(int kernel_family, struct nlattr *attribute, uint8_t length, struct cidr *ret)
{
	struct ip ip = kernel_read_ip(kernel_family, attribute);

	if (ip.family)
		*ret = (struct cidr){.ip = ip, .length = length};
}

/* Whatever is not known here makes the rule a special one. */
static void
read_attribute(int kernel_family, const struct fib_rule_hdr *header,
    struct nlattr *attribute, struct kernel_rule *rule)
{
	switch (nla_type(attribute)) {
	case FRA_SRC:
		read_selector(kernel_family, attribute, header->src_len, &rule->from);
		return;
	case FRA_DST:
		read_selector(kernel_family, attribute, header->dst_len, &rule->to);
		return;
	case FRA_TABLE:
		rule->table = nla_get_u32(attribute);
		return;
	case FRA_PRIORITY:
		rule->priority = nla_get_u32(attribute);
		return;
	case FRA_PROTOCOL:
	case FRA_PAD:
		return;
	case FRA_SUPPRESS_PREFIXLEN: /* always said; -1 for none */
	case FRA_SUPPRESS_IFGROUP:
		rule->special |= nla_get_u32(attribute) != UINT32_MAX;
		return;
	default:
		rule->special = true;
	}
}

static void
take_rule(struct nlmsghdr *message, struct kernel_dump *dump)
{
	struct fib_rule_hdr *header = nlmsg_data(message);
	struct nlattr *attribute;
	int rest;

	if (!nlmsg_valid_hdr(message, sizeof(*header)) ||
	    (header->family != AF_INET && header->family != AF_INET6))
		return;
	struct kernel_rule *rule = kernel_dump_add(dump);
	if (!rule)
		return;
	rule->family = header->family == AF_INET6 ? 6 : 4;
	rule->table = header->table;
	rule->special = header->action != FR_ACT_TO_TBL || header->tos ||
	    (header->flags & FIB_RULE_INVERT);
	nlmsg_for_each_attr(attribute, message, sizeof(*header), rest)
		read_attribute(header->family, header, attribute, rule);
}

int
kernel_rules(struct kernel *kernel, struct kernel_rule **ret_list, size_t *ret_count,
    struct err *err)
{
	struct kernel_dump dump = {
	    .type = RTM_GETRULE, .item_size = sizeof(**ret_list), .take = take_rule};
	int rc = kernel_dump_run(kernel, &dump, "policy rules", err);

	if (rc)
		return rc;
	*ret_list = (void *)dump.items;
	*ret_count = dump.count;
	return 0;
}

/* ---- changes ---------------------------------------------------------------- */

static int
put_selector(struct nl_msg *message, int type, const struct cidr *cidr)
{
	if (!cidr->ip.family)
		return 0;
	return nla_put(message, type, (int)ip_size(&cidr->ip), cidr->ip.bytes);
}

static struct nl_msg *
build(int type, int flags, const struct kernel_rule *rule)
{
	struct fib_rule_hdr header = {
	    .family = rule->family == 6 ? AF_INET6 : AF_INET,
	    .src_len = rule->from.ip.family ? rule->from.length : 0,
	    .dst_len = rule->to.ip.family ? rule->to.length : 0,
	    .action = FR_ACT_TO_TBL,
	};
	struct nl_msg *message = kernel_message_new(type, flags, &header, sizeof(header));

	bool fits = put_selector(message, FRA_SRC, &rule->from) == 0 &&
	    put_selector(message, FRA_DST, &rule->to) == 0 &&
	    nla_put_u32(message, FRA_TABLE, rule->table) == 0 &&
	    nla_put_u32(message, FRA_PRIORITY, rule->priority) == 0 &&
	    /* when removing too: the kernel takes the first that has what is said, and
	     * another's may select by a mark or an interface besides (fib_rules.c) */
	    nla_put_u8(message, FRA_PROTOCOL, RTPROT_STATIC) == 0;
	if (!fits) /* it is small and the room a page: only memory can be short */
		mem_exhausted();
	return message;
}

static int
change(struct kernel *kernel, struct nl_msg *message, const char *act,
    const struct kernel_rule *rule, struct err *err)
{
	char text[KERNEL_RULE_TEXT_MAX];
	int code = kernel_message_send(kernel, message);

	if (!code)
		return 0;
	return err_errno(
	    err, code, "cannot %s rule %s", act, kernel_rule_print(rule, text));
}

int
kernel_rule_add(struct kernel *kernel, const struct kernel_rule *rule, struct err *err)
{
	return change(
	    kernel, build(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule), "add", rule, err);
}

int
kernel_rule_delete(struct kernel *kernel, const struct kernel_rule *rule, struct err *err)
{
	return change(kernel, build(RTM_DELRULE, 0, rule), "remove", rule, err);
}

static bool
same_selector(const struct cidr *a, const struct cidr *b)
{
	return a->ip.family == 0 ? b->ip.family == 0 : cidr_equal(a, b);
}

bool
kernel_rule_equal(const struct kernel_rule *a, const struct kernel_rule *b)
{
	return a->family == b->family && a->table == b->table && a->priority == b->priority &&
	    same_selector(&a->from, &b->from) && same_selector(&a->to, &b->to) &&
	    !a->special && !b->special;
}

const char *
kernel_rule_print(const struct kernel_rule *rule, char *out)
{
	char from[ADDRESS_TEXT_MAX];
	char to[ADDRESS_TEXT_MAX];
	bool has_to = rule->to.ip.family != 0;

	(void)snprintf(out, KERNEL_RULE_TEXT_MAX,
	    "from %s%s%s lookup %" PRIu32 " priority %" PRIu32,
	    rule->from.ip.family ? cidr_print(&rule->from, from) : "all",
	    has_to ? " to " : "", has_to ? cidr_print(&rule->to, to) : "", rule->table,
	    rule->priority);
	return out;
}
