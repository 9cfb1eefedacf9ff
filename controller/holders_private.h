/* Inside of holders.h: shared by the files holders*.c and node_plan.c, and by nobody else. */
#ifndef CONTROLLER_HOLDERS_PRIVATE_H
#define CONTROLLER_HOLDERS_PRIVATE_H

#include "controller/holders.h"
#include "controller/ledger.h"
#include "controller/store.h"
#include "controller/wants.h"
#include "core/tree.h"
#include "net/metrics.h"

/* The ConfigMap that is the ledger's record. */
#define RECORD "staticip-ledger"

/* Annotations of a StaticIPNode: what is left of its Node when that is gone. */
#define NODE_UID_NOTE "staticip.dev/node-uid"
#define NODE_PROVIDER_NOTE "staticip.dev/provider-id"
#define NODE_SYSTEM_NOTE "staticip.dev/system-uuid"

/* What a node's StaticIPNode shall say about a pod. */
enum word {
	WORD_KEEP,   /* what it says: grants of a pod that lives stay as they were given */
	WORD_GRANT,  /* all that the pod wants is its own */
	WORD_HOLD,   /* it waits: why says for what */
	WORD_REFUSE, /* it will not get what it wants */
	WORD_REVOKE, /* it ended, or is ending: never again */
};

/* A pod that wants or has something, by UID. What the pod is now stands in the world. */
struct claimant {
	char *uid, *pod; /* pod: namespace/name */
	char *node;      /* where it is bound; NULL: nowhere yet */
	bool dirty;      /* to be settled */

	/* what its node's StaticIPNode says, as received (node_read) */
	unsigned rows_granted, rows_other;
	bool revoked, silenced;
	uint64_t revoked_serial; /* the first that we saw it revoked in */
	bool answered;           /* and not busy */
	double revoked_at;       /* when it was first seen revoked and not answered; 0 = measured */

	/* a direct look whether it is gone */
	struct kube_call *asking;
	double ask_after;
	bool gone;
	bool freed; /* its entries are on their way out */
	double over_since; /* it is gone or ended, and nothing proves that it is silent; 0 = no */
	bool stuck;        /* for longer than a node needs to answer: people are told */

	/* decided */
	enum word word;
	bool silence; /* with WORD_REVOKE: the addresses go without the node's answer */
	char *why;    /* of WORD_HOLD, WORD_REFUSE; of WORD_REVOKE what would end the hold */
	double waits_since; /* WORD_HOLD */
	char *told;   /* the words of its last event */
	bool contradicted; /* its node reports an address that another holds */
	bool stray;        /* a node has reported it that is not its own: said once */
	struct holders *holders;
};

/* One node's StaticIPNode, and what it shall say. */
struct desk {
	char *name;
	struct tree claimants; /* by uid */
	struct kube_call *looking; /* at the Node */
	double looked_at;
	bool reported;     /* the node has what the ledger does not know yet */
	bool touched;      /* else it is dirty for drop_after or reported only */
	double drop_after; /* revocations that can go are not worth a write before; 0 = none */
	/* its node's word that the API server went back in time (holders_ahead.c) */
	unsigned ahead_heard;    /* rebuildings that it began */
	double ahead_not_before; /* alone it begins none */
	bool ahead_told;         /* that it is not followed */
	/* what it has reported and nobody asked for (holders_adopt.c) */
	unsigned adopted;
	bool adopt_counted, hoards_told;
	struct holders *holders;
};

struct holders {
	struct holders_spec spec;
	char *tables_namespace;
	uint64_t ticks;
	struct store *blocks, *nodes, *record;
	struct ledger *ledger;
	struct wants wants;
	struct tree claimants; /* by uid */
	struct tree desks;     /* by name */
	struct tree dirty_desks;
	struct tree work;      /* dirty claimants */
	struct tree timed;     /* those that time alone may change: looked at each second */
	double sweep_at, forget_at;
	struct tree dirty_blocks;
	struct tree ahead; /* desks whose nodes say that the API server went back in time */
	/* the ledger's record (holders_rebuild.c) */
	char *epoch; /* NULL: not known */
	bool rebuilding, checked;
	/* of the rebuilding: the API server went back in time, so neither what it shows as
	 * granted nor what the ledger says is believed before the nodes have reported */
	bool withdrawn;
	char *start;   /* the epoch in which to begin anew, until the record says it */
	bool start_withdrawn;
	char *missing; /* nodes that have not answered yet, as people were told */
	double missing_at; /* when they are told again */
	unsigned undecided; /* reports about which another node has to be heard first, so far */
	unsigned unknown; /* addresses that nodes reported and the ledger did not know, so far */
	struct kube_call *doubting; /* holders_doubt */
	void (*doubted)(void *cookie);
	void *doubted_cookie;
	double now;
	struct holders_counts counts;
	struct histogram handshakes; /* from a revocation to its answer */
};

/* holders.c */
struct claimant *claimant_find(const struct holders *holders, const char *uid);
struct claimant *claimant_make(struct holders *holders, const char *uid, const char *pod);
void claimant_touch(struct claimant *claimant);
/* The pod as the world has it; NULL: none of this UID. */
const struct pod *claimant_pod(const struct claimant *claimant);
bool pod_lives(const struct pod *pod);
/* Allocations whose status tells about it are looked at again. */
void claimant_moved(const struct claimant *claimant);
void holders_say(struct holders *holders, enum word word, struct claimant *claimant, char *why);

/* holders_claim.c: a pod that lives */
void claimant_want(struct claimant *claimant);
/* Each address that a pod wants beyond what the node's StaticIPNode (NULL: none) grants it
 * already, in the order in which all claim. The caller frees the array. */
struct wish {
	const struct want *want;
	const struct holding *holding;
	const struct wanted *row;
	struct ip ip;
};
struct wish *claimant_wishes(
    const struct claimant *claimant, const struct stored *node, unsigned *ret_count);

/* holders_release.c: a pod that ended, or is ending */
void claimant_let_go(struct claimant *claimant);
/* A pod that was gone lives again: the mirror of a static one, whose UID comes from its manifest.
 * Nothing that was found out about its former life counts at the end of this one. */
void claimant_return(struct claimant *claimant);
/* A pod that lives under a revoked UID, a static one that came back: what it had is given
 * up once the node has answered, and then it claims like any other. */
void claimant_begin_again(struct claimant *claimant);
/* Stops a look that is under way. */
void claimant_stop_asking(struct claimant *claimant);

/* holders_node.c */
struct desk *desk_find(const struct holders *holders, const char *name);
struct desk *desk_make(struct holders *holders, const char *name);
void desk_free(void *item);
void desk_touch(struct desk *desk);
/* Puts the claimant on this node's desk, if it is on none. */
void desk_join(struct holders *holders, struct claimant *claimant, const char *node);
/* Whether a Node of that name is there or was: spec.nodeName of a pod says what its maker
 * likes, and what is placed on a node stays until that node has answered. */
bool desk_is_real(const struct holders *holders, const char *name);
void desk_observe(struct holders *holders, const struct stored *stored);
/* Writes the node's StaticIPNode when it should say something else; frees the desk when there
 * is neither Node, nor StaticIPNode, nor a pod. */
void desk_run(struct desk *desk);

/* Whether the Node was looked at directly just now; starts a look. For assertions, which
 * must not come from an old cache. */
bool desk_looked(struct desk *desk);

/* holders_tell.c */
/* An event on a pod that is refused, or that has waited for longer than a hand-over needs;
 * once for each sentence. */
void claimant_tell(struct claimant *claimant);
/* An event on the node of a pod whose addresses pass on by assertion. */
void claimant_tell_released(const struct claimant *claimant, enum proof how);
/* That a node's word is not followed; once. */
void desk_tell_doubted(struct desk *desk);
/* That a node reports more than it is believed; once. */
void desk_tell_hoards(struct desk *desk);
/* For people and for metrics. */
const char *proof_name(enum proof proof);

/* node_plan.c: pure */
/* What the node's StaticIPNode shall be; NULL: as it is. drop: revocations that can go
 * do. read asks for a direct look at a block, without which a grant or the end of a
 * revocation has to wait. The caller puts it. */
struct json_object *node_plan(struct desk *desk, const struct stored *seen, const char *epoch,
    bool drop,
    void (*read)(struct holders *holders, const struct block *block));
/* node_notes.c: its annotations; the caller puts them. */
struct json_object *node_notes(const struct desk *desk, const struct stored *seen);
bool node_notes_differ(const struct stored *seen, struct json_object *notes);
/* Whether the object says that this key is granted to this pod. */
bool node_has_grant(const struct stored *seen, const char *key, const char *uid);
/* Whether a revocation could go if it were worth a write. */
bool node_can_drop(const struct claimant *claimant);

/* holders_rebuild.c */
/* Whether the ledger's record is known and stands; else starts the rebuilding, and completes
 * it when all nodes have reported and that is in the ledger. */
bool rebuild_run(struct holders *holders);
/* Unless one is under way. */
void rebuild_start(struct holders *holders, const char *why);
/* Also while one is under way: what it has entered is lost. */
void rebuild_anew(struct holders *holders, const char *why);
/* Anew, and so that nothing counts that the API server shows as granted. */
void rebuild_doubtful(struct holders *holders, const char *why);
/* Whether this machine's agent has to report; whether it has, in this epoch. */
bool rebuild_counts(const struct machine *machine);
bool rebuild_has_reported(const struct holders *holders, const struct stored *node);
/* Whether another controller began anew, and we have not heard of it: then nothing may be
 * written to this StaticIPNode, and the record is read. */
bool rebuild_is_behind(struct holders *holders, const struct stored *node);
/* Visits each item of a list in the node's StaticIPNode. */
void rebuild_each(struct holders *holders, const struct stored *node, const char *path,
    void (*visit)(struct holders *, const struct stored *, struct json_object *));
/* Takes down whether the API server went back in time, as the node's answer shows. */
void rebuild_check(struct holders *holders, const struct stored *node);
/* The epoch that a node's StaticIPNode shall have; the caller frees it. */
char *rebuild_epoch(const struct holders *holders, struct json_object *node);

/* holders_adopt.c */
/* Enters what a node reports and the ledger does not know; true: there was something. */
bool rebuild_adopt(struct holders *holders, const struct stored *node);

/* holders_ahead.c */
void ahead_hear(struct holders *holders, const struct stored *node);
/* Whether this node (NULL: none) says that the API server went back in time, and nobody was asked since. Once
 * ahead_follow has returned NULL: it is not believed, so its own pods wait, and no
 * rebuilding waits for it. */
bool ahead_stands(const struct holders *holders, const struct desk *desk);
/* The node for whose word all are asked now, charged with it; NULL: none. */
const struct desk *ahead_follow(struct holders *holders);
/* Whether its node's word, which stands, is to be followed. */
bool ahead_is_followed(const struct desk *desk);
/* A rebuilding begins by its word. */
void ahead_charge(struct desk *desk);

/* holders_back.c */
/* Whether the node has had what this API server does not know. */
bool back_is_seen(const struct holders *holders, const struct stored *node);
/* The number of an epoch that a node has answered to; 0: none, or nobody's, as it is further
 * ahead than any of ours can be (TABLE_AHEAD_MAX_S). */
uint64_t back_epoch_answered(const struct holders *holders, const char *epoch);
/* Tells of tables that are newer on the node. */
void back_check_tables(struct holders *holders, const struct stored *node);
enum back_word {
	BACK_STANDS,    /* its node says so, too */
	BACK_GIVES_WAY, /* its node has reported, and says nothing of it */
	BACK_NOT_KNOWN, /* its node has not reported yet */
};
/* What it is worth in a rebuilding that a pod is said to be on a node, by the ledger or its
 * binding, when another node reports it or its address. */
enum back_word back_word_of(const struct holders *holders, const char *node, const char *uid);

#endif
