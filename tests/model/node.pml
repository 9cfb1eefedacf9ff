/* One node and one pod, whose sandbox may be made again (two at a time: 0 and 1): what the
 * agent's answer to a revocation is worth. The runtime, the plugin, the main plugin and the
 * agent, each killed at any step; links that cannot be set down (`closing`), DELs that come
 * late or never, a reboot, and somebody who empties /run/staticip.
 *
 * I1:    once the node has answered that the revoked pod is not busy, no sandbox of it has the
 *        address on a link that is up. (Others rely on it: handover.pml, pair.pml.)
 * I5:    as long as nobody empties /run/staticip, an address in use has a lease, and only
 *        one of the two sandboxes uses it.
 * stuck: when nothing can move any more, the revocation has been answered. */

#define NOBODY 2
#define OTHER(c) (1 - (c))

/* ---- API server ---------------------------------------------------------------- */

#define NONE 0
#define GRANT 1
#define REVOKE 2
byte row = GRANT;
bool answered;                  /* "applied, not busy": others may have the address */
bool boot_known;                /* status.bootID is that of this boot */

/* ---- /run/staticip: gone with the boot -------------------------------------------- */

byte file;                      /* `node` */
bool marker;
bool lease[2], closing[2];      /* by-attachment, of each sandbox */
bool other_lease[2];            /* ... is not the one that the agent looked at */
byte address = NOBODY;          /* whose lease the address file is */

/* ---- the kernel ---------------------------------------------------------------------- */

#define OFF 0
#define ON 1
#define DOWN 2                  /* the address is on the link, the link is down */
byte link[2];

/* ---- sandboxes ------------------------------------------------------------------------- */

#define B_NONE 0                /* no network namespace */
#define B_NETNS 1
#define B_READ 2                /* ADD: a grant read */
#define B_QUIET 3               /* ... the other sandbox's link set down */
#define B_LEASED 4
#define B_OK 5                  /* IPAM answered; the main plugin has not set the address yet */
#define B_ADDED 6               /* address set; no process in the namespace yet */
#define B_RUNS 7
#define B_OVER 8                /* to be deleted, at some time */
#define B_LEFT 9                /* DEL: IPAM part did not end the lease, or has */
#define B_MUTE 10               /* DEL: link down, the lease is still there */
byte box[2];
#define IN_ADD(c) (box[c] >= B_READ && box[c] <= B_OK)

bool calm, rebooted, wiped;

#define A_START 0
#define A_FRESH 1               /* knows that this boot is new */
#define A_LOST 2                /* knows that leases were lost: to look at sandbox 0, then 1 */
#define A_LOST1 3
#define A_MARK 4
#define A_RUN 5
#define A_LOOK 6
#define A_FREE 7                /* looked: no lease */
#define A_SURE 8                /* ... and the marker is still there */
#define A_QUIET0 9              /* has set the link of a closing lease down */
#define A_QUIET1 10
#define A_END0 11               /* the same for a lease without a process */
#define A_END1 12
byte agent_at;

inline lease_end(c) {
	lease[c] = false; closing[c] = false;
	if :: address == c -> address = NOBODY :: else fi
}

inline lease_make(c) {
	lease[c] = true; address = c;
	other_lease[c] = (agent_at == A_QUIET0 + c || agent_at == A_END0 + c)
}

inline set_down(c) { if :: link[c] == ON -> link[c] = DOWN :: else fi }

/* ---- runtime and plugins ------------------------------------------------------------------ */

#ifdef ADDS_OVERLAP
#define MAY_ADD(c) true
#else
#define MAY_ADD(c) (!IN_ADD(OTHER(c)))
#endif

proctype sandbox(bool c) {
	do
	:: d_step { box[c] == B_NONE && !lease[c] && file == GRANT -> box[c] = B_NETNS }
	:: d_step { box[c] == B_NETNS && file == GRANT && MAY_ADD(c) -> box[c] = B_READ }
	:: d_step { box[c] == B_READ ->
		if
		:: address == NOBODY -> lease_make(c); box[c] = B_LEASED
		:: address == c -> box[c] = B_LEASED
		:: else -> box[c] = B_QUIET;
#ifndef NO_SILENT_TAKE_OVER
			set_down(OTHER(c))
#endif
		fi }
	:: d_step { box[c] == B_QUIET ->
		if
		:: address == OTHER(c) && lease[OTHER(c)] -> lease_end(OTHER(c)); lease_make(c); box[c] = B_LEASED
		:: else -> box[c] = B_READ
		fi }
#ifdef NO_READ_AGAIN
	:: d_step { box[c] == B_LEASED -> box[c] = B_OK }
#else
	:: d_step { box[c] == B_LEASED && file == GRANT -> box[c] = B_OK }
	:: d_step { box[c] == B_LEASED && file != GRANT -> lease_end(c); box[c] = B_OVER }
#endif
	:: d_step { box[c] == B_OK -> link[c] = ON; box[c] = B_ADDED }
	:: d_step { box[c] == B_ADDED -> box[c] = B_RUNS }
	/* killed, or a kubelet that gives up waiting: its DEL comes */
	:: d_step { !calm && IN_ADD(c) -> box[c] = B_OVER }
	:: d_step { box[c] == B_NETNS || box[c] == B_ADDED || box[c] == B_RUNS -> box[c] = B_OVER }

	/* DEL: the address goes first, then the lease; then main plugin and runtime clear up */
#ifdef NO_DOWN_FIRST
	:: d_step { box[c] == B_OVER && lease[c] -> box[c] = B_MUTE }
#else
	:: d_step { box[c] == B_OVER && lease[c] -> set_down(c); box[c] = B_MUTE }
#endif
#ifdef NO_OWN_LEASE
	/* it deletes what has the address, whoever it is */
	:: d_step { box[c] == B_OVER && address == OTHER(c) -> lease_end(OTHER(c)); box[c] = B_LEFT }
#else
	:: d_step { box[c] == B_OVER && !lease[c] -> box[c] = B_LEFT }
#endif
#ifdef NO_CLOSING
	:: d_step { !calm && box[c] == B_OVER && lease[c] -> lease_end(c); box[c] = B_LEFT }
#else
	:: d_step { !calm && box[c] == B_OVER && lease[c] -> closing[c] = true; box[c] = B_LEFT }
#endif
	:: d_step { box[c] == B_MUTE -> if :: lease[c] -> lease_end(c) :: else fi; box[c] = B_LEFT }
	:: d_step { box[c] == B_LEFT -> link[c] = OFF; box[c] = B_NONE }
	:: d_step { !calm && (box[c] == B_MUTE || box[c] == B_LEFT) -> box[c] = B_OVER }
	/* the namespace goes without a DEL */
	:: d_step { !calm && box[c] == B_OVER -> link[c] = OFF; box[c] = B_NONE }
	od
}

/* ---- agent ------------------------------------------------------------------------------------ */

/* leases that DEL did not end: the namespace is gone */
#ifdef NO_FINISH
#define TO_FINISH(c) false
#define TO_SILENCE(c) false
#else
#define TO_FINISH(c) (lease[c] && box[c] == B_NONE)
#define TO_SILENCE(c) (lease[c] && closing[c])
#endif
/* of a revoked pod, and the namespace holds no process: box[c] != B_RUNS */
#define UNSTARTED(c) (lease[c] && file == REVOKE && box[c] != B_NONE && box[c] != B_RUNS)
#define LEASES (lease[0] || lease[1])

/* what has the address, up or down, gets its lease back */
inline find_again(c) {
	if
	:: link[c] != OFF && !lease[c] -> lease[c] = true; if :: address == NOBODY -> address = c :: else fi
	:: else
	fi
}

inline agent_ends(c) {
	if
#ifdef NO_SAME_LEASE
	:: lease[c] -> lease_end(c)
#else
	:: lease[c] && !other_lease[c] -> lease_end(c)
#endif
	:: else
	fi;
	other_lease[c] = false; agent_at = A_RUN
}

active proctype agent() {
	do
#ifdef NO_MARKER
	:: d_step { agent_at == A_START -> marker = true; agent_at = A_RUN; boot_known = true }
#else
	:: d_step { agent_at == A_START && marker -> agent_at = A_RUN }
	:: d_step { agent_at == A_START && !marker && boot_known -> agent_at = A_LOST }
	:: d_step { agent_at == A_START && !marker && !boot_known -> agent_at = A_FRESH }
#endif
#ifdef NO_BOOT_FIRST
	:: d_step { agent_at == A_FRESH -> marker = true; agent_at = A_RUN }
	:: d_step { agent_at == A_RUN && !boot_known -> boot_known = true }
#else
	:: d_step { agent_at == A_FRESH -> boot_known = true; agent_at = A_MARK }
#endif
#ifdef NO_LEASES_BEFORE_MARKER
	:: d_step { agent_at == A_LOST && !marker -> marker = true }
	:: d_step { agent_at == A_LOST && marker -> find_again(0); agent_at = A_LOST1 }
#else
	:: d_step { agent_at == A_LOST -> find_again(0); agent_at = A_LOST1 }
#endif
	:: d_step { agent_at == A_LOST1 -> find_again(1); agent_at = A_MARK }
	:: d_step { agent_at == A_MARK -> marker = true; agent_at = A_RUN }

	:: d_step { agent_at == A_RUN && file != row -> file = row }
	:: d_step { agent_at == A_RUN && file == row && row == REVOKE && !answered && !LEASES -> agent_at = A_LOOK }
	:: d_step { agent_at == A_LOOK -> agent_at = (LEASES -> A_RUN : A_FREE) }
#ifdef NO_MARKER_AFTER_LEASES
	:: d_step { agent_at == A_FREE -> agent_at = A_SURE }
#else
	:: d_step { agent_at == A_FREE -> agent_at = (marker -> A_SURE : A_START) }
#endif
	:: d_step { agent_at == A_SURE -> answered = true; agent_at = A_RUN }
#ifndef NO_MARKER
	:: d_step { agent_at == A_RUN && !marker -> agent_at = A_START }
#endif

	:: d_step { agent_at == A_RUN && TO_FINISH(0) -> lease_end(0) }
	:: d_step { agent_at == A_RUN && TO_FINISH(1) -> lease_end(1) }
	:: d_step { agent_at == A_RUN && TO_SILENCE(0) -> set_down(0); agent_at = A_QUIET0 }
	:: d_step { agent_at == A_RUN && TO_SILENCE(1) -> set_down(1); agent_at = A_QUIET1 }
	:: d_step { agent_at == A_QUIET0 -> agent_ends(0) }
	:: d_step { agent_at == A_QUIET1 -> agent_ends(1) }
#ifdef ENDS_WITHOUT_PROCESS
	:: d_step { agent_at == A_RUN && UNSTARTED(0) -> set_down(0); agent_at = A_END0 }
	:: d_step { agent_at == A_RUN && UNSTARTED(1) -> set_down(1); agent_at = A_END1 }
#endif
#ifdef ENDS_AFTER_ADD
	:: d_step { agent_at == A_RUN && UNSTARTED(0) && !IN_ADD(0) -> set_down(0); agent_at = A_END0 }
	:: d_step { agent_at == A_RUN && UNSTARTED(1) && !IN_ADD(1) -> set_down(1); agent_at = A_END1 }
#endif
	:: d_step { agent_at == A_END0 -> agent_ends(0) }
	:: d_step { agent_at == A_END1 -> agent_ends(1) }
	:: d_step { !calm && agent_at != A_START -> agent_at = A_START; other_lease[0] = false; other_lease[1] = false }
	od
}

/* ---- the world ----------------------------------------------------------------------------------- */

inline wipe() {
	file = NONE; marker = false; address = NOBODY;
	lease[0] = false; lease[1] = false; closing[0] = false; closing[1] = false;
	other_lease[0] = false; other_lease[1] = false
}

#ifdef WIPED_DURING_ADD
#define MAY_WIPE true
#else
#define MAY_WIPE (!IN_ADD(0) && !IN_ADD(1))
#endif

active proctype world() {
	do
	:: d_step { row == GRANT -> row = REVOKE }
	:: d_step { !calm && !rebooted ->
		rebooted = true; wipe(); boot_known = false; agent_at = A_START;
		box[0] = B_NONE; box[1] = B_NONE; link[0] = OFF; link[1] = OFF }
#ifdef WIPED_IN_STEPS
	:: d_step { !calm && !wiped && MAY_WIPE -> wiped = true;
		address = NOBODY; lease[0] = false; lease[1] = false; closing[0] = false; closing[1] = false }
	:: d_step { wiped && marker -> file = NONE; marker = false }
#else
	:: d_step { !calm && !wiped && MAY_WIPE -> wiped = true; wipe() }
#endif
	:: d_step { !calm -> calm = true }
	od
}

bool used_after_the_answer, used_without_lease, used_twice, stuck;   /* names for what pan prints */

active proctype monitor() {
	do
	:: d_step { answered && (link[0] == ON || link[1] == ON) -> assert(used_after_the_answer) }
	:: d_step { !wiped && (link[0] == ON && !lease[0] || link[1] == ON && !lease[1]) -> assert(used_without_lease) }
	:: d_step { !wiped && link[0] == ON && link[1] == ON -> assert(used_twice) }
	:: timeout -> assert(answered || stuck); break
	od
}

init { atomic { run sandbox(0); run sandbox(1) } }
