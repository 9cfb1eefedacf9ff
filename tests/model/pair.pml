/* Two addresses for each pod: all or none. Pod 0 wants both and may go; pod 1 wants both
 * or one of them, and stays. Two controllers, killed at any step; the ledger's entries of
 * the two addresses are in two objects, so nothing changes or reads both at once.
 *
 * What one node does is handover.pml's and node.pml's: here a node uses the addresses from
 * the moment that the grant is written until it has answered the revocation.
 *
 * I1:    no address is used by two pods; who uses an address has the entries of all of its.
 * stuck: when nothing can move any more, a pod that stays has its addresses. */

#ifndef CONTROLLERS
#define CONTROLLERS 2
#endif

/* ---- the API server --------------------------------------------------------- */

#define UNBORN 0
#define PENDING 1
#define BOUND 2
#define GONE 3
byte pod[2];
bool stays;                     /* pod 0 too */
byte wants1;                    /* set of addresses: 1, 2 or 3 (both); pod 0 wants both */
#define WANTS(u, a) ((u) == 0 || (wants1 >> (a)) & 1)
#define EXISTS(u) (pod[u] == PENDING || pod[u] == BOUND)

#define FREE 0
#define CLAIMING 1
#define HELD 2
#define PLACED 3                /* held, and names the node */
byte entry[2];
bool owner[2];
bool entry_old[CONTROLLERS * 2];

#define NONE 0
#define GRANT 1
#define REVOKE 2
byte row[2];
bool row_old[CONTROLLERS * 2];
bool used, answered;            /* by node 0 */
#ifdef LIVELOCK
bool calm;                      /* from now on nobody is killed */
#else
#define calm false
#endif

/* ---- controllers ------------------------------------------------------------- */

#define C_IDLE 0
#define C_READ 1                /* has read one entry, reads the other */
#define C_CLAIM 2               /* from here: the next write */
#define C_BACK 3
#define C_HOLD 4
#define C_PLACE 5
#define C_ROW 6                 /* reads the node's row */
#define C_AGAIN 7               /* reads the entries again, one by one */
#define C_AGAIN2 8
#define C_GRANT 9
#define C_REVOKE 10
#define C_FREE 11
#define C_DROP 12
#define C_DROP2 13
#define C_DROP3 14
#define C_CLAIM_PLACED 15       /* claim and node in one write */
#define C_PASS 16               /* what pod 0 gives up is pod 1's in the same write */
#define C_PASS_PLACED 17
byte ctl[CONTROLLERS];
bool subject[CONTROLLERS];      /* pod */
bool which[CONTROLLERS];        /* address */
byte seen[CONTROLLERS];         /* the entry that was read first, as the pod sees it */
bool knows[CONTROLLERS];        /* its watch has brought pod 0's end */
#define ALIVE(c, u) (EXISTS(u) || (u) == 0 && pod[0] == GONE && !knows[c])

#define S_FREE 0
#define S_CLAIMING 1
#define S_HELD 2
#define S_PLACED 3
#define S_OTHER 4
#define S_UNWANTED 5
#define SEEN(u, a) (!WANTS(u, a) -> S_UNWANTED : (entry[a] != FREE && owner[a] != (u) -> S_OTHER : entry[a]))
#define OWNS(u, a) (entry[a] != FREE && owner[a] == (u))

inline entry_write(a, state, u) {
	entry[a] = state; owner[a] = (state != FREE && u);
	entry_old[a] = (ctl[0] != C_IDLE); entry_old[2 + a] = (ctl[1] != C_IDLE);
#if CONTROLLERS > 2
	entry_old[4 + a] = (ctl[2] != C_IDLE);
#endif
}

inline row_write(u, value) {
	row[u] = value;
	if :: u == 0 -> answered = false :: else fi;
	row_old[u] = (ctl[0] != C_IDLE); row_old[2 + u] = (ctl[1] != C_IDLE);
#if CONTROLLERS > 2
	row_old[4 + u] = (ctl[2] != C_IDLE);
#endif
}

inline done(c) {
	ctl[c] = C_IDLE; subject[c] = 0; which[c] = 0; seen[c] = 0;
	entry_old[c * 2] = false; entry_old[c * 2 + 1] = false;
	row_old[c * 2] = false; row_old[c * 2 + 1] = false
}

inline next(c, what, a) { ctl[c] = what; which[c] = a; seen[c] = 0 }

#ifdef NO_LEDGER_CAS
#define ENTRY_SAME(c) true
#else
#define ENTRY_SAME(c) (!entry_old[(c) * 2 + which[c]])
#endif
#define ROW_SAME(c) (!row_old[(c) * 2 + subject[c]])

#ifdef NO_ORDER
#define IN_ORDER(first) true
#else
#define IN_ORDER(first) (first)
#endif
#ifdef NO_PLACED_STAYS
#define ROLLS_BACK_PLACED(s) || (s) == S_PLACED
#define MAY_PLACE(t) true
#else
#define ROLLS_BACK_PLACED(s)
#define MAY_PLACE(t) SETTLED(t)
#endif
#ifdef EARLY
/* a claim of address 0 names the node before address 1 is claimed */
#define MAY_PLACE_FIRST(t) ((t) != S_OTHER)
#else
#define MAY_PLACE_FIRST(t) MAY_PLACE(t)
#endif
#if defined(EARLY) && defined(NO_ORDER)
#define MAY_PLACE_LAST(s) ((s) != S_OTHER)
#else
#define MAY_PLACE_LAST(s) MAY_PLACE(s)
#endif
#ifdef NO_CLAIMING
#define CLAIM_AS HELD
#define ROLLS_BACK(s) ((s) == S_HELD)
#else
#ifdef NO_ROLL_BACK
#define ROLLS_BACK(s) false
#else
#define ROLLS_BACK(s) ((s) == S_CLAIMING ROLLS_BACK_PLACED(s))
#endif
#define CLAIM_AS CLAIMING
#endif
#ifdef NO_WHOLE_CLAIM
#define MAY_HOLD(s, t) ((s) == S_CLAIMING)
#else
#define MAY_HOLD(s, t) ((s) == S_CLAIMING && (t) != S_FREE && (t) != S_OTHER)
#endif
#define MINE(s) ((s) >= S_CLAIMING && (s) <= S_PLACED)
#define SETTLED(s) ((s) == S_HELD || (s) == S_PLACED || (s) == S_UNWANTED)
#ifdef NO_WHOLE_GRANT
#define MAY_GRANT(s, t) ((s) == S_PLACED || (t) == S_PLACED)
#else
#define MAY_GRANT(s, t) (((s) == S_PLACED || (s) == S_UNWANTED) && ((t) == S_PLACED || (t) == S_UNWANTED))
#endif

/* a pod that is there: s is address 0, t is address 1 */
inline decide_alive(c, u, s, t) {
	if
	:: t == S_OTHER && ROLLS_BACK(s) -> next(c, C_BACK, 0)
	:: s == S_OTHER && ROLLS_BACK(t) -> next(c, C_BACK, 1)
	:: s == S_FREE && t != S_OTHER -> next(c, C_CLAIM, 0)
	:: t == S_FREE && s != S_OTHER && IN_ORDER(s != S_FREE) -> next(c, C_CLAIM, 1)
#ifdef NO_ALL
	:: s == S_FREE && t == S_OTHER && !ROLLS_BACK(s) -> next(c, C_CLAIM, 0)
	:: t == S_FREE && s == S_OTHER && !ROLLS_BACK(t) -> next(c, C_CLAIM, 1)
#endif
	:: MAY_HOLD(s, t) -> next(c, C_HOLD, 0)
	:: MAY_HOLD(t, s) -> next(c, C_HOLD, 1)
	:: pod[u] != PENDING && s == S_HELD && MAY_PLACE(t) -> next(c, C_PLACE, 0)
	:: pod[u] != PENDING && t == S_HELD && MAY_PLACE(s) -> next(c, C_PLACE, 1)
#ifdef TOGETHER
	:: pod[u] != PENDING && s == S_FREE && MAY_PLACE_FIRST(t) -> next(c, C_CLAIM_PLACED, 0)
	:: pod[u] != PENDING && t == S_FREE && MAY_PLACE_LAST(s) -> next(c, C_CLAIM_PLACED, 1)
#endif
	:: MAY_GRANT(s, t) -> next(c, C_ROW, 0)
	:: else -> done(c)
	fi
}

#ifdef NO_SUCCESSOR
#define UNUSED(s) ((s) == S_HELD)
#else
#define UNUSED(s) ((s) == S_CLAIMING || (s) == S_HELD)
#endif

/* whether pod 1 claims what pod 0 gives up: in the order of the addresses */
#define PASSES(c) (pod[1] == BOUND && WANTS(1, which[c]) && (which[c] == 0 || !WANTS(1, 0) || OWNS(1, 0)))

#ifdef EARLY
/* what else pod 1 wants is pod 0's, which gives that up next; or another's by now: at its worst */
#define MAY_PASS_PLACED(c) (which[c] == 0 || MAY_PLACE_LAST(SEEN(1, 0)))
#else
#define MAY_PASS_PLACED(c) MAY_PLACE(SEEN(1, 1 - which[c]))
#endif

/* a pod that is gone */
inline decide_gone(c, u, s, t) {
	if
	:: UNUSED(s) -> next(c, C_FREE, 0)
	:: UNUSED(t) -> next(c, C_FREE, 1)
	:: s == S_PLACED && (row[0] != REVOKE || answered) -> next(c, C_REVOKE, 0)
	:: t == S_PLACED && (row[0] != REVOKE || answered) -> next(c, C_REVOKE, 1)
	:: else -> done(c)
	fi
}

inline decide(c, u, s, t) {
	if
	:: ALIVE(c, u) -> decide_alive(c, u, s, t)
	:: else -> decide_gone(c, u, s, t)
	fi
}

/* whether there is anything to do for a pod; keeps the controllers from turning in vain */
#define BLOCKED(u, a) (SEEN(u, a) == S_OTHER)
#define HAS_SOME(u) (ROLLS_BACK(SEEN(u, 0)) || ROLLS_BACK(SEEN(u, 1)))
#define WORK_BLOCKED(u) HAS_SOME(u)
#define WORK_ALIVE(c, u) (BLOCKED(u, 0) || BLOCKED(u, 1) -> WORK_BLOCKED(u) : \
	(row[u] == NONE && (pod[u] != PENDING || SEEN(u, 0) < S_HELD || SEEN(u, 1) < S_HELD)))
#define TO_REVOKE(a) (SEEN(0, a) == S_PLACED && (row[0] != REVOKE || answered))
#define WORK_GONE(u) ((u) == 0 && (UNUSED(SEEN(0, 0)) || UNUSED(SEEN(0, 1)) || TO_REVOKE(0) || TO_REVOKE(1)))
#define WORK(c, u) (ALIVE(c, u) && !(calm && pod[u] == GONE) && WORK_ALIVE(c, u) || pod[u] == GONE && knows[c] && WORK_GONE(u))

proctype controller(byte c) {
	do
	:: d_step { pod[0] == GONE && !knows[c] -> knows[c] = true }
	:: d_step { ctl[c] == C_IDLE && WORK(c, 0) -> ctl[c] = C_READ; subject[c] = 0; which[c] = 0; seen[c] = SEEN(0, 0) }
	:: d_step { ctl[c] == C_IDLE && WORK(c, 0) -> ctl[c] = C_READ; subject[c] = 0; which[c] = 1; seen[c] = SEEN(0, 1) }
	:: d_step { ctl[c] == C_IDLE && WORK(c, 1) -> ctl[c] = C_READ; subject[c] = 1; which[c] = 0; seen[c] = SEEN(1, 0) }
	:: d_step { ctl[c] == C_IDLE && WORK(c, 1) -> ctl[c] = C_READ; subject[c] = 1; which[c] = 1; seen[c] = SEEN(1, 1) }
	:: atomic { ctl[c] == C_READ && which[c] == 0 -> entry_old[c * 2 + 1] = false;
		decide(c, subject[c], seen[c], SEEN(subject[c], 1)) }
	:: atomic { ctl[c] == C_READ && which[c] == 1 -> entry_old[c * 2] = false;
		decide(c, subject[c], SEEN(subject[c], 0), seen[c]) }

	:: d_step { ctl[c] == C_CLAIM -> if :: ENTRY_SAME(c) -> entry_write(which[c], CLAIM_AS, subject[c]) :: else fi; done(c) }
	:: d_step { ctl[c] == C_HOLD -> if :: ENTRY_SAME(c) -> entry_write(which[c], HELD, subject[c]) :: else fi; done(c) }
	:: d_step { ctl[c] == C_PLACE -> if :: ENTRY_SAME(c) -> entry_write(which[c], PLACED, subject[c]) :: else fi; done(c) }
	:: d_step { ctl[c] == C_FREE -> if :: ENTRY_SAME(c) -> entry_write(which[c], FREE, 0) :: else fi; done(c) }
#ifdef TOGETHER
	:: d_step { ctl[c] == C_FREE && subject[c] == 0 && PASSES(c) -> ctl[c] = C_PASS }
	:: d_step { ctl[c] == C_FREE && subject[c] == 0 && PASSES(c) && MAY_PASS_PLACED(c) -> ctl[c] = C_PASS_PLACED }
	:: d_step { ctl[c] == C_CLAIM_PLACED -> if :: ENTRY_SAME(c) -> entry_write(which[c], PLACED, subject[c]) :: else fi; done(c) }
	:: d_step { ctl[c] == C_PASS -> if :: ENTRY_SAME(c) -> entry_write(which[c], CLAIM_AS, 1) :: else fi; done(c) }
	:: d_step { ctl[c] == C_PASS_PLACED -> if :: ENTRY_SAME(c) -> entry_write(which[c], PLACED, 1) :: else fi; done(c) }
#endif
#ifdef LIVELOCK
	/* a cycle through here: the controllers roll back for ever */
	:: atomic { ctl[c] == C_BACK && calm && ENTRY_SAME(c) -> entry_write(which[c], FREE, 0); done(c) };
accept_rolled_back: skip
	:: d_step { ctl[c] == C_BACK && !(calm && ENTRY_SAME(c)) ->
		if :: ENTRY_SAME(c) -> entry_write(which[c], FREE, 0) :: else fi; done(c) }
#else
	:: d_step { ctl[c] == C_BACK -> if :: ENTRY_SAME(c) -> entry_write(which[c], FREE, 0) :: else fi; done(c) }
#endif

	:: d_step { ctl[c] == C_ROW -> row_old[c * 2 + subject[c]] = false;
		if :: row[subject[c]] == NONE -> ctl[c] = C_AGAIN :: else -> done(c) fi }
#ifdef NO_ENTRY_AGAIN
	:: d_step { ctl[c] == C_AGAIN -> ctl[c] = C_GRANT }
#else
	:: d_step { ctl[c] == C_AGAIN -> if :: MAY_GRANT(SEEN(subject[c], 0), S_PLACED) -> ctl[c] = C_AGAIN2 :: else -> done(c) fi }
	:: d_step { ctl[c] == C_AGAIN2 -> if :: MAY_GRANT(SEEN(subject[c], 1), S_PLACED) -> ctl[c] = C_GRANT :: else -> done(c) fi }
#endif
	:: d_step { ctl[c] == C_GRANT -> if :: ROW_SAME(c) -> row_write(subject[c], GRANT) :: else fi; done(c) }

	:: d_step { ctl[c] == C_REVOKE ->
		if
		:: row[0] == REVOKE && answered -> ctl[c] = C_FREE
		:: row[0] == REVOKE && !answered -> done(c)
		:: else -> row_write(0, REVOKE); done(c)
		fi }

	:: d_step { ctl[c] == C_IDLE && row[0] == REVOKE && answered && !OWNS(0, 0) && !OWNS(0, 1) ->
		ctl[c] = C_DROP; row_old[c * 2] = false }
	:: d_step { ctl[c] == C_DROP -> if :: !OWNS(0, 0) -> ctl[c] = C_DROP2 :: else -> done(c) fi }
	:: d_step { ctl[c] == C_DROP2 -> if :: !OWNS(0, 1) -> ctl[c] = C_DROP3 :: else -> done(c) fi }
	:: d_step { ctl[c] == C_DROP3 -> if :: ROW_SAME(c) -> row_write(0, NONE) :: else fi; done(c) }

	:: d_step { !calm && ctl[c] != C_IDLE -> done(c) }
	od
}

/* ---- the nodes and the world ---------------------------------------------------- */

active proctype node() {
	do
	:: d_step { row[0] == GRANT && !used -> used = true }
	:: d_step { row[0] == REVOKE && !answered -> used = false; answered = true }
	od
}

active proctype world() {
	do
	:: d_step { pod[0] < BOUND -> pod[0]++ }
	:: d_step { EXISTS(0) && !stays -> pod[0] = GONE }
	:: d_step { pod[1] == UNBORN -> pod[1] = BOUND }
#ifdef LIVELOCK
	:: d_step { !calm -> calm = true }
#endif
	od
}

bool two_users, used_but_not_its_own, stuck;       /* names for what pan prints; never true */
#define LACKS(u, a) (WANTS(u, a) && !OWNS(u, a))

active proctype monitor() {
	do
	:: d_step { used && row[1] == GRANT -> assert(two_users) }
	:: d_step { used && (LACKS(0, 0) || LACKS(0, 1)) || row[1] == GRANT && (LACKS(1, 0) || LACKS(1, 1)) ->
		assert(used_but_not_its_own) }
	:: timeout -> assert(row[1] == GRANT || stays && row[0] == GRANT || stuck); break
	od
}

init {
	byte c = 0;
	atomic {
		if :: wants1 = 1 :: wants1 = 2 :: wants1 = 3 fi;
		if :: stays = true :: stays = false fi;
		do :: c < CONTROLLERS -> run controller(c); c++ :: else -> break od
	}
}
