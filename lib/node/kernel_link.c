#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "node/kernel.h"
#include "node/kernel_message.h"

int
kernel_link_down(struct kernel *kernel, unsigned index, struct err *err)
{
	struct ifinfomsg header = {
	    .ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_change = IFF_UP};
	struct nl_msg *message = kernel_message_new(RTM_SETLINK, 0, &header, sizeof(header));
	int code = kernel_message_send(kernel, message);

	return code ? err_errno(err, code, "cannot set link number %u down", index) : 0;
}
