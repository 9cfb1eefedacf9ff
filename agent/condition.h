/* The conditions of a StaticIPNode that its agent keeps. Pure. */
#ifndef AGENT_CONDITION_H
#define AGENT_CONDITION_H

#include <json-c/json_types.h>
#include <stdbool.h>
#include <stdint.h>

enum condition_type {
	CONDITION_READY,       /* the node can start pods and answers */
	CONDITION_LEASES_LOST, /* somebody emptied the root directory: no answer */
	CONDITION_HOST_VIEW,   /* only where it is False: the agent does not see the host */
	CONDITIONS,
};

enum { CONDITION_MESSAGE_MAX = 1024, CONDITION_REASON_MAX = 64, TIME_TEXT_MAX = 32 };

struct condition {
	bool present, is_true;
	char reason[CONDITION_REASON_MAX + 1];
	char message[CONDITION_MESSAGE_MAX + 1];
	char since[TIME_TEXT_MAX]; /* RFC 3339; of the last change of is_true */
};

struct conditions {
	struct condition list[CONDITIONS];
};

/* Takes over since when what a predecessor said was so; what is known already stays. */
void conditions_resume(struct conditions *conditions, struct json_object *status);
/* now in seconds since 1970. message is cut to CONDITION_MESSAGE_MAX bytes. */
void condition_put(struct conditions *conditions, enum condition_type type, bool is_true,
    const char *reason, const char *message, uint64_t now);
/* The array of the API; the caller puts it. */
struct json_object *conditions_array(const struct conditions *conditions);

/* RFC 3339 in UTC into out (TIME_TEXT_MAX bytes); "" for what no calendar has. */
const char *time_print(uint64_t seconds, char *out);

#endif
