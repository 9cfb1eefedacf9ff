/* The lease files of one address on one node, system call by system call: ADDs and DELs of
 * sandbox 0 and 1 (one pod, made again) and of sandbox 2 (another pod), each killed anywhere.
 * lib/node/lease_store.h, plugin/hold.c, hold_contend.c, hold_release.c are what is modelled.
 *
 * A file is an inode with at most one lock, a record (whose it is) and names; two names
 * matter: that of its attachment and that of the address. With -DSAME_ID a container that
 * lost its namespace without a DEL may be added again under its id.
 *
 * I1:    the two pods never both have the address on a link that is up.
 * I5:    a sandbox that uses the address has the lease: both names lead to its record.
 * stuck: when nothing can move any more, no name is left. (DEL is called until it ends. A kill
 *        would free who waits for a lock: searched without kills, -DNO_KILLS, too.) */

#define NOBODY 3
#define FILES 4
#define NO_FILE 4
#define POD(c) ((c) == 2)

byte address = NO_FILE;         /* names: which file they lead to */
byte name[3] = NO_FILE;
byte rec[FILES];                /* the record: which sandbox's */
bool rec_life[FILES];           /* ... in which of its namespaces */
byte lock[FILES] = NOBODY;
bool closing[FILES];

#define OFF 0
#define ON 1
#define DOWN 2
byte link[3];
bool life[3];                   /* with -DSAME_ID: the container's second namespace */
bool netns[3];

/* where the process of a sandbox is; a process has at most one lock */
#define P_NEW 0
#define P_LOOK 1                /* ADD: opens its own name */
#define P_MAKE 2
#define P_LINK 3                /* own file locked */
#define P_CONTEND 4             /* own file not locked: opens the address */
#define P_JUDGE 5               /* address' file locked */
#define P_THINK 6               /* not locked: is that sandbox gone, is it ours */
#define P_FINISH 7
#define P_END_A 8               /* the file that is ended: address, then name */
#define P_END_N 9
#define P_QUIET 10              /* the other sandbox's link is down */
#define P_END_OWN 11
#define P_PASS 12               /* opens the address again */
#define P_PASS_N 13             /* our name, the record, its old name */
#define P_PASS_R 14
#define P_PASS_O 15
#define P_RELOCK 16
#define P_OK 17                 /* ADD answered */
#define P_UP 18
#define P_OVER 19               /* to be deleted */
#define D_LOOK 20
#define D_QUIET 21
#define D_OPEN 22
#define D_END_A 23
#define D_END_N 24
#define P_GONE 25               /* deleted, no namespace */
#define P_LOST 26               /* no namespace, and no DEL came */
byte at[3];
byte own[3] = NO_FILE;          /* the file that its ADD made */
byte seen[3] = NO_FILE;         /* the file that it has opened */
byte known[3] = NOBODY;         /* whose lease it looked at, in which life */
bool known_life[3], known_closing[3];

#define USED(f) (address == (f) || name[0] == (f) || name[1] == (f) || name[2] == (f) || lock[f] != NOBODY || \
	own[0] == (f) || own[1] == (f) || own[2] == (f) || seen[0] == (f) || seen[1] == (f) || seen[2] == (f))

inline unlock(c) {
	if :: seen[c] != NO_FILE && lock[seen[c]] == c -> lock[seen[c]] = NOBODY :: else fi;
	seen[c] = NO_FILE
}
inline unlock_own(c) { if :: own[c] != NO_FILE && lock[own[c]] == c -> lock[own[c]] = NOBODY :: else fi }
inline forget(c) { known[c] = NOBODY; known_life[c] = false; known_closing[c] = false }

inline stop(c) {
	unlock(c); unlock_own(c); own[c] = NO_FILE; forget(c)
}
inline go(c, where) { at[c] = where }

/* opens and locks the file that a name leads to, which it still does then */
#define CAN_LOCK(f) ((f) != NO_FILE && lock[f] == NOBODY)

#ifdef NO_SAME_LEASE
#define SAME(c, f) (rec[f] == known[c])
#else
#define SAME(c, f) (rec[f] == known[c] && rec_life[f] == known_life[c])
#endif

inline make_file(c) {
	if
	:: !USED(0) -> own[c] = 0
	:: USED(0) && !USED(1) -> own[c] = 1
	:: USED(0) && USED(1) && !USED(2) -> own[c] = 2
	:: else -> assert(!USED(3)); own[c] = 3
	fi;
	rec[own[c]] = c; rec_life[own[c]] = life[c]; closing[own[c]] = false;
	lock[own[c]] = c; name[c] = own[c]
}

/* adds of one pod do not overlap (node.pml, ADDS_OVERLAP) */
#define IN_ADD(c) (at[c] >= P_LOOK && at[c] <= P_OK)
#define MAY_ADD(c) ((c) == 2 || !IN_ADD(1 - (c)))
#define GONE_LEASE(c) (!netns[known[c]] || life[known[c]] != known_life[c])

proctype sandbox(byte c) {
	do
	:: d_step { at[c] == P_NEW && MAY_ADD(c) -> netns[c] = true; go(c, P_LOOK) }

	/* a lease that the attachment has already */
	:: d_step { at[c] == P_LOOK && name[c] == NO_FILE -> go(c, P_MAKE) }
	:: d_step { at[c] == P_LOOK && CAN_LOCK(name[c]) ->
		own[c] = name[c]; lock[own[c]] = c;
		if
		:: rec[own[c]] == c && address == own[c] -> /* whole: the answer, in our namespace */
			rec_life[own[c]] = life[c]; closing[own[c]] = false; unlock_own(c); go(c, P_OK)
		:: rec[own[c]] == c && address != own[c] -> name[c] = NO_FILE; unlock_own(c); own[c] = NO_FILE
		:: else -> name[c] = NO_FILE; unlock_own(c); own[c] = NO_FILE /* of a killed take-over */
		fi }
	:: d_step { at[c] == P_MAKE -> if :: name[c] == NO_FILE -> make_file(c); go(c, P_LINK) :: else -> go(c, P_LOOK) fi }

	:: d_step { at[c] == P_LINK ->
		if
		:: address == NO_FILE -> address = own[c]; unlock_own(c); go(c, P_OK)
		:: else ->
#ifndef NO_UNLOCK_OWN
			unlock_own(c);
#endif
			go(c, P_CONTEND)
		fi }
	:: d_step { at[c] == P_CONTEND && address == NO_FILE -> go(c, P_RELOCK) }
	:: d_step { at[c] == P_CONTEND && CAN_LOCK(address) -> seen[c] = address; lock[address] = c; go(c, P_JUDGE) }
	:: d_step { at[c] == P_JUDGE ->
		if
#ifdef NO_OWNER_CHECK
		:: false
#else
		:: name[rec[seen[c]]] != seen[c] -> address = NO_FILE; unlock(c); go(c, P_RELOCK)
#endif
		:: else -> known[c] = rec[seen[c]]; known_life[c] = rec_life[seen[c]]; known_closing[c] = closing[seen[c]];
			unlock(c); go(c, P_THINK)
		fi }
	:: d_step { at[c] == P_THINK ->
		if
		:: GONE_LEASE(c) -> go(c, P_FINISH)
		:: !GONE_LEASE(c) && known_closing[c] -> if :: link[known[c]] == ON -> link[known[c]] = DOWN :: else fi; go(c, P_FINISH)
		:: !GONE_LEASE(c) && !known_closing[c] && POD(known[c]) == POD(c) ->
#ifndef NO_SILENT_TAKE_OVER
			if :: link[known[c]] == ON -> link[known[c]] = DOWN :: else fi;
#endif
			go(c, P_QUIET)
		:: else -> forget(c); go(c, P_RELOCK) /* waits, looks again */
		fi }

	/* ends a lease of which nothing is left */
	:: d_step { at[c] == P_FINISH && address == NO_FILE -> forget(c); go(c, P_RELOCK) }
	:: d_step { at[c] == P_FINISH && CAN_LOCK(address) ->
		if
		:: SAME(c, address) -> seen[c] = address; lock[address] = c; go(c, P_END_A)
		:: else -> forget(c); go(c, P_RELOCK)
		fi }
	:: d_step { at[c] == P_END_A -> if :: address == seen[c] -> address = NO_FILE :: else fi; go(c, P_END_N) }
	:: d_step { at[c] == P_END_N -> if :: name[known[c]] == seen[c] -> name[known[c]] = NO_FILE :: else fi;
		unlock(c); forget(c); go(c, P_RELOCK) }

	/* takes over: ends its own file, which has only its name, and becomes the other's owner */
	:: d_step { at[c] == P_QUIET && name[c] != own[c] -> forget(c); go(c, P_RELOCK) }
	:: d_step { at[c] == P_QUIET && name[c] == own[c] && lock[own[c]] == NOBODY -> lock[own[c]] = c; go(c, P_END_OWN) }
	:: d_step { at[c] == P_END_OWN -> name[c] = NO_FILE; unlock_own(c); own[c] = NO_FILE; go(c, P_PASS) }
	:: d_step { at[c] == P_PASS && address == NO_FILE -> forget(c); go(c, P_LOOK) }
	:: d_step { at[c] == P_PASS && CAN_LOCK(address) ->
		if
		:: SAME(c, address) -> seen[c] = address; lock[address] = c; go(c, P_PASS_N)
		:: else -> forget(c); go(c, P_LOOK)
		fi }
#ifdef NO_NAME_BEFORE_RECORD
	:: d_step { at[c] == P_PASS_N -> rec[seen[c]] = c; rec_life[seen[c]] = life[c]; closing[seen[c]] = false; go(c, P_PASS_R) }
	:: d_step { at[c] == P_PASS_R -> name[c] = seen[c]; go(c, P_PASS_O) }
#else
	:: d_step { at[c] == P_PASS_N -> name[c] = seen[c]; go(c, P_PASS_R) }
	:: d_step { at[c] == P_PASS_R -> rec[seen[c]] = c; rec_life[seen[c]] = life[c]; closing[seen[c]] = false; go(c, P_PASS_O) }
#endif
	:: d_step { at[c] == P_PASS_O -> if :: name[known[c]] == seen[c] -> name[known[c]] = NO_FILE :: else fi;
		unlock(c); forget(c); go(c, P_LOOK) }

	:: d_step { at[c] == P_RELOCK && name[c] != own[c] -> stop(c); go(c, P_OVER) }
	:: d_step { at[c] == P_RELOCK && name[c] == own[c] && address == NO_FILE && lock[own[c]] == NOBODY -> lock[own[c]] = c; go(c, P_LINK) }
	/* looks again when something may have changed; what waits for ever is no progress */
	:: d_step { at[c] == P_RELOCK && name[c] == own[c] && address != NO_FILE &&
		(name[rec[address]] != address || POD(rec[address]) == POD(c) || closing[address] ||
		!netns[rec[address]] || rec_life[address] != life[rec[address]]) -> go(c, P_CONTEND) }
	/* not in time: gives back */
	:: d_step { at[c] == P_RELOCK && name[c] == own[c] && lock[own[c]] == NOBODY -> name[c] = NO_FILE; stop(c); go(c, P_OVER) }

	:: d_step { at[c] == P_OK -> own[c] = NO_FILE; link[c] = ON; go(c, P_UP) }
	:: d_step { at[c] == P_UP -> go(c, P_OVER) }
#ifndef NO_KILLS
	:: d_step { IN_ADD(c) -> stop(c); go(c, P_OVER) }                /* killed */
#endif
	/* the namespace goes without a DEL, which may come later or never */
	:: d_step { at[c] == P_OVER -> netns[c] = false; link[c] = OFF; go(c, P_LOST) }
	:: d_step { at[c] == P_LOST -> go(c, P_OVER) }
#ifdef SAME_ID
	:: d_step { at[c] == P_LOST && !life[c] && MAY_ADD(c) -> life[c] = true; netns[c] = true; go(c, P_LOOK) }
#endif

	/* DEL */
	:: d_step { at[c] == P_OVER -> go(c, D_LOOK) }
	:: d_step { at[c] == D_LOOK && name[c] == NO_FILE -> link[c] = OFF; netns[c] = false; go(c, P_GONE) }
	:: d_step { at[c] == D_LOOK && CAN_LOCK(name[c]) ->
		if
		:: rec[name[c]] == c -> go(c, D_QUIET)
		:: else -> name[c] = NO_FILE /* of a killed take-over */
		fi }
#ifdef NO_DOWN_FIRST
	:: d_step { at[c] == D_QUIET -> go(c, D_OPEN) }
#else
	:: d_step { at[c] == D_QUIET -> if :: link[c] == ON -> link[c] = DOWN :: else fi; go(c, D_OPEN) }
#endif
#ifndef NO_CLOSING
	/* could not be set down: stays as closing; the runtime clears up, DEL returned 0 */
	:: d_step { at[c] == D_QUIET && CAN_LOCK(name[c]) ->
		if :: rec[name[c]] == c -> closing[name[c]] = true :: else fi;
		link[c] = OFF; netns[c] = false; go(c, P_LOST) }
#endif
	:: d_step { at[c] == D_OPEN && name[c] == NO_FILE -> go(c, D_LOOK) }
	:: d_step { at[c] == D_OPEN && CAN_LOCK(name[c]) ->
		if
		:: rec[name[c]] == c -> seen[c] = name[c]; lock[seen[c]] = c; go(c, D_END_A)
		:: else -> go(c, D_LOOK)
		fi }
#ifdef NO_NAME_LAST
	:: d_step { at[c] == D_END_A -> if :: name[c] == seen[c] -> name[c] = NO_FILE :: else fi; go(c, D_END_N) }
	:: d_step { at[c] == D_END_N -> if :: address == seen[c] -> address = NO_FILE :: else fi; unlock(c); go(c, D_LOOK) }
#else
#ifdef NO_OWN_ADDRESS
	:: d_step { at[c] == D_END_A -> address = NO_FILE; go(c, D_END_N) }
#else
	:: d_step { at[c] == D_END_A -> if :: address == seen[c] -> address = NO_FILE :: else fi; go(c, D_END_N) }
#endif
	:: d_step { at[c] == D_END_N -> if :: name[c] == seen[c] -> name[c] = NO_FILE :: else fi; unlock(c); go(c, D_LOOK) }
#endif
#ifndef NO_KILLS
	:: d_step { at[c] > D_LOOK && at[c] <= D_END_N -> unlock(c); go(c, P_OVER) }
#endif
	od
}

bool two_users, used_without_lease, stuck;          /* names for what pan prints; never true */
#define HAS_LEASE(c) (name[c] != NO_FILE && address == name[c] && rec[name[c]] == c)

active proctype monitor() {
	do
	:: d_step { link[2] == ON && (link[0] == ON || link[1] == ON) -> assert(two_users) }
	:: d_step { (link[0] == ON && at[0] == P_UP && !HAS_LEASE(0) || link[1] == ON && at[1] == P_UP && !HAS_LEASE(1) ||
		link[2] == ON && at[2] == P_UP && !HAS_LEASE(2)) -> assert(used_without_lease) }
	:: timeout -> assert(address == NO_FILE && name[0] == NO_FILE && name[1] == NO_FILE && name[2] == NO_FILE || stuck); break
	od
}

#ifdef SAME_ID
init { atomic { run sandbox(0); run sandbox(2) } }
#else
init { atomic { run sandbox(0); run sandbox(1); run sandbox(2) } }
#endif
