#include "controller/held.h"

#include <stdio.h>

/* Node and UID stand in why already, and a sentence has little room. */
void
held_describe(
    const struct held_summary *held, const struct ip *ip, char out[GRANT_WORDS_MAX + 1])
{
	char text[ADDRESS_TEXT_MAX];
	int length = 0;

	ip_print(ip, text);
	if (held->why)
		length = snprintf(out, GRANT_WORDS_MAX + 1,
		    "%s is held by pod %s since %s; %s", text, held->pod, held->since,
		    held->why);
	else if (held->node)
		length = snprintf(out, GRANT_WORDS_MAX + 1,
		    "%s is held by pod %s (%s) on node %s since %s; it is free when the "
		    "node's "
		    "agent has answered that the pod has it no more",
		    text, held->pod, held->uid, held->node, held->since);
	else
		length = snprintf(out, GRANT_WORDS_MAX + 1,
		    "%s is held by pod %s (%s), which is on no node yet, since %s; it is "
		    "free "
		    "when that pod is gone",
		    text, held->pod, held->uid, held->since);
	(void)length; /* cut is fine */
}
