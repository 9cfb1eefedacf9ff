/* One address passes from pod 0 on node 0 to pod 1 on node 1: two controllers that both
 * believe they lead, agents, plugins; requests lost, caches late, anybody killed, node 0
 * rebooted. DESIGN.md, "who holds an address", is the prose; README.md has the rules that
 * can be switched off (-DNO_...) and what goes wrong then.
 *
 * I1:    the pods never both use the address.
 * stuck: pod 0 goes and pod 1 stays; when nothing can move any more, something hangs.
 *
 * A resourceVersion is what it is for: each reader has a bit "changed since I read". That is
 * exact for compare and swap, and finite without a bound on the number of writes.
 * -DASSERTION adds a partition of node 0 and the operator's word that it is dead. */

#ifndef CONTROLLERS
#define CONTROLLERS 2
#endif
#define NOBODY 2
#define OTHER(n) (1 - (n))

/* ---- the API server --------------------------------------------------------- */

#define UNBORN 0
#define PENDING 1
#define BOUND 2
#define GONE 3
byte pod[2];
#define EXISTS(n) (pod[n] == PENDING || pod[n] == BOUND)

byte holder = NOBODY;           /* the ledger's entry: whose, and whether it names a node */
bool placed;
bool entry_old[CONTROLLERS];    /* ... changed since this controller read it */

#define NONE 0
#define GRANT 1
#define REVOKE 2
#define SILENCE 3               /* revoked without proof: also take it off the interface */
byte row[2];                    /* StaticIPNode.spec */
bool row_old[CONTROLLERS * 2];

/* ---- the nodes -------------------------------------------------------------- */

/* Node 0 in steps. Node 1 at its worst: as pod 1 stays, nothing there ever waits, so it
 * uses the address from the moment that the grant is written. */
byte file;                      /* what the agent published */
bool file_old = true;           /* ... is not the present spec */
#define A_IDLE 0
#define A_LOOK 1                /* published, has not looked at the leases yet */
#define A_FREE 2                /* looked: no lease */
#define A_BUSY 3
byte agent_at;
bool answered;                  /* StaticIPNode.status: the answer is to the present spec */
bool busy;
byte late;                      /* the answer of an agent that was killed, still on its way */
bool late_current;              /* ... is to the present spec */

#define K_IDLE 0
#define K_READ 1                /* the plugin has read a grant */
#define K_LEASED 2              /* ... and written the lease */
#define K_OK 3                  /* ... and read the grant again: it answers */
#define K_UP 4                  /* the main plugin has put the address on the link */
#define K_DOWN 5                /* the lease is left */
#define K_NAKED 6               /* the address is left (only without a rule) */
byte at;
bool forgot;                    /* the kubelet has seen that its pod is gone */
#define LEASED (at >= K_LEASED && at <= K_DOWN)
#define UP (at == K_UP || at == K_NAKED)

/* ---- what may go wrong ------------------------------------------------------- */

/* Whoever is killed goes back to a state that waits for work, so what waits then is what
 * waits when all are up again. */
bool rebooted;                  /* once or never */
bool cut, healed;               /* node 0 is partitioned: once or never */
bool asserted;                  /* somebody said that node 0 is dead, be it true or not */
bool ever_granted;              /* an old list may still say so */

/* ---- controllers ------------------------------------------------------------- */

#define C_IDLE 0
#define C_CLAIM 1
#define C_PLACE 2
#define C_GRANT 3               /* holder read; the node's rows not yet */
#define C_GRANT2 4              /* rows read; the entry not again yet */
#define C_GRANT3 5
#define C_REVOKE 6
#define C_REVOKE2 7
#define C_FREE 8
#define C_DROP 9
#define C_DROP2 10
#define C_CLAIM_PLACED 11       /* claim and node in one write */
#define C_PASS 12               /* what pod 0 gives up is pod 1's in the same write */
#define C_PASS_PLACED 13
byte ctl[CONTROLLERS];
byte subject[CONTROLLERS];           /* the pod that it is about */
bool knows[CONTROLLERS];        /* its watch has brought pod 0's end */
#define ALIVE(c, n) (EXISTS(n) || (n) == 0 && pod[0] == GONE && !knows[c])
#define WAS_BOUND(n) (pod[n] == BOUND || pod[n] == GONE && placed)

inline entry_write(who, where) {
	holder = who; placed = where;
	entry_old[0] = (ctl[0] != C_IDLE); entry_old[1] = (ctl[1] != C_IDLE);
#if CONTROLLERS > 2
	entry_old[2] = (ctl[2] != C_IDLE);
#endif
}

inline row_write(n, value) {
	row[n] = value;
	if :: n == 0 -> answered = false; file_old = true; late_current = false :: else fi;
	row_old[n] = (ctl[0] != C_IDLE); row_old[2 + n] = (ctl[1] != C_IDLE);
#if CONTROLLERS > 2
	row_old[4 + n] = (ctl[2] != C_IDLE);
#endif
#ifdef OLD_LISTS
	if :: n == 0 && value == GRANT -> ever_granted = true :: else fi;
#endif
}

inline done(c) {
	ctl[c] = C_IDLE; subject[c] = 0; entry_old[c] = false;
	row_old[c * 2] = false; row_old[c * 2 + 1] = false
}

/* one read of the entry, live; what follows rests on it */
inline begin(c, what, who) {
	ctl[c] = what; subject[c] = who; entry_old[c] = false
}

#ifdef NO_LEDGER_CAS
#define ENTRY_SAME(c) true
#else
#define ENTRY_SAME(c) (!entry_old[c])
#endif
#ifdef NO_ROW_CAS
#define ROW_SAME(c, n) true
#else
#define ROW_SAME(c, n) (!row_old[(c) * 2 + (n)])
#endif
#define REVOKED(n) (row[n] == REVOKE || row[n] == SILENCE)
#ifdef NO_SERIAL_IN_ANSWER
#define PROVEN(n) ((n) == 0 && !busy)
#else
#define PROVEN(n) ((n) == 0 && answered && !busy)
#endif
#ifdef NO_REVOKE_BEFORE_ASSERTION
#define ASSERTED(n) ((n) == 0 && asserted)
#else
#define ASSERTED(n) ((n) == 0 && asserted && row[0] == SILENCE)
#endif
#define WANTED_REVOCATION(n) ((n) == 0 && asserted -> SILENCE : REVOKE)
#ifdef NO_DROP_AFTER_ANSWER
#define DROPPABLE(n) (REVOKED(n))
#else
#define DROPPABLE(n) (REVOKED(n) && PROVEN(n))
#endif

proctype controller(byte c) {
	do
	:: d_step { pod[0] == GONE && !knows[c] -> knows[c] = true }
	/* read the ledger and decide; the guards only keep it from turning in vain */
	:: d_step { ctl[c] == C_IDLE && holder == NOBODY && ALIVE(c, 0) -> begin(c, C_CLAIM, 0) }
	:: d_step { ctl[c] == C_IDLE && holder == NOBODY && ALIVE(c, 1) -> begin(c, C_CLAIM, 1) }
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && ALIVE(c, holder) && !placed && pod[holder] == BOUND -> begin(c, C_PLACE, holder) }
#ifdef NO_NODE_FIRST
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && ALIVE(c, holder) && pod[holder] == BOUND && row[holder] == NONE -> begin(c, C_GRANT, holder) }
#else
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && ALIVE(c, holder) && placed && row[holder] == NONE -> begin(c, C_GRANT, holder) }
#endif
#ifdef NO_LIVE_GET
	/* its cache does not have the pod yet: gone, it thinks */
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && placed && !REVOKED(holder) -> begin(c, C_REVOKE, holder) }
#endif
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && !ALIVE(c, holder) && !placed -> begin(c, C_FREE, holder) }
	:: d_step { ctl[c] == C_IDLE && holder != NOBODY && !ALIVE(c, holder) && placed &&
		(PROVEN(holder) || ASSERTED(holder) || row[holder] != WANTED_REVOCATION(holder)) -> begin(c, C_REVOKE, holder) }

#ifdef TOGETHER
	:: d_step { ctl[c] == C_IDLE && holder == NOBODY && ALIVE(c, 0) && pod[0] == BOUND -> begin(c, C_CLAIM_PLACED, 0) }
	:: d_step { ctl[c] == C_IDLE && holder == NOBODY && ALIVE(c, 1) && pod[1] == BOUND -> begin(c, C_CLAIM_PLACED, 1) }
	:: d_step { ctl[c] == C_IDLE && holder == 0 && !ALIVE(c, 0) && !placed && pod[1] == BOUND -> begin(c, C_PASS, 0) }
	:: d_step { ctl[c] == C_IDLE && holder == 0 && !ALIVE(c, 0) && !placed && pod[1] == BOUND -> begin(c, C_PASS_PLACED, 0) }
	:: d_step { ctl[c] == C_CLAIM_PLACED -> if :: ENTRY_SAME(c) -> entry_write(subject[c], true) :: else fi; done(c) }
	:: d_step { ctl[c] == C_FREE && subject[c] == 0 && pod[1] == BOUND -> ctl[c] = C_PASS }
	:: d_step { ctl[c] == C_FREE && subject[c] == 0 && pod[1] == BOUND -> ctl[c] = C_PASS_PLACED }
	:: d_step { ctl[c] == C_PASS -> if :: ENTRY_SAME(c) -> entry_write(1, false) :: else fi; done(c) }
	:: d_step { ctl[c] == C_PASS_PLACED -> if :: ENTRY_SAME(c) -> entry_write(1, true) :: else fi; done(c) }
#endif

	:: d_step { ctl[c] == C_CLAIM -> if :: ENTRY_SAME(c) -> entry_write(subject[c], false) :: else fi; done(c) }
	:: d_step { ctl[c] == C_PLACE -> if :: ENTRY_SAME(c) -> entry_write(subject[c], true) :: else fi; done(c) }

	:: d_step { ctl[c] == C_GRANT ->
		row_old[c * 2 + subject[c]] = false;
		if
		:: row[subject[c]] == NONE -> ctl[c] = C_GRANT2
		:: else -> done(c)
		fi }
#ifdef NO_ENTRY_AGAIN
	:: d_step { ctl[c] == C_GRANT2 -> ctl[c] = C_GRANT3 }
#else
	:: d_step { ctl[c] == C_GRANT2 ->
		if
#ifdef NO_NODE_FIRST
		:: holder == subject[c] -> ctl[c] = C_GRANT3
#else
		:: holder == subject[c] && placed -> ctl[c] = C_GRANT3
#endif
		:: else -> done(c)
		fi }
#endif
	:: d_step { ctl[c] == C_GRANT3 -> if :: ROW_SAME(c, subject[c]) -> row_write(subject[c], GRANT) :: else fi; done(c) }

	:: d_step { ctl[c] == C_REVOKE ->
		row_old[c * 2 + subject[c]] = false;
		if
#ifdef NO_REVOCATION
		:: subject[c] == 0 && !busy -> ctl[c] = C_FREE
#endif
		:: REVOKED(subject[c]) && PROVEN(subject[c]) -> ctl[c] = C_FREE
		:: ASSERTED(subject[c]) -> ctl[c] = C_FREE
		:: !REVOKED(subject[c]) || row[subject[c]] != WANTED_REVOCATION(subject[c]) -> ctl[c] = C_REVOKE2
		:: else -> done(c)
		fi }
	:: d_step { ctl[c] == C_REVOKE2 -> if :: ROW_SAME(c, subject[c]) -> row_write(subject[c], WANTED_REVOCATION(subject[c])) :: else fi; done(c) }
	:: d_step { ctl[c] == C_FREE -> if :: ENTRY_SAME(c) -> entry_write(NOBODY, false) :: else fi; done(c) }

	/* housekeeping: a revocation goes when it was answered and the entry is another's */
	:: d_step { ctl[c] == C_IDLE && DROPPABLE(0) && holder != 0 -> begin(c, C_DROP, 0); row_old[c * 2] = false }
#ifdef NO_ENTRY_BEFORE_DROP
	:: d_step { ctl[c] == C_IDLE && DROPPABLE(0) -> begin(c, C_DROP2, 0); row_old[c * 2] = false }
#endif
	:: d_step { ctl[c] == C_DROP -> if :: holder != 0 -> ctl[c] = C_DROP2 :: else -> done(c) fi }
	:: d_step { ctl[c] == C_DROP2 -> if :: ROW_SAME(c, 0) -> row_write(0, NONE) :: else fi; done(c) }

	/* killed, or the request is lost */
	:: d_step { ctl[c] != C_IDLE -> done(c) }
	od
}

/* ---- agents ------------------------------------------------------------------ */

/* The agent looks at what it is to silence for as long as there is a lease: what it
 * finds without the address may be an ADD that has not come that far. */
#if defined(NO_SILENCE) || defined(NO_SILENCE_AGAIN)
#define TO_SILENCE false
#else
#define TO_SILENCE (file == SILENCE && at == K_UP)
#endif

inline silence_once() {
#ifdef NO_SILENCE_AGAIN
	if :: file == SILENCE && at == K_UP -> at = K_DOWN :: else fi
#else
	skip
#endif
}

active proctype agent() {
	do
#ifdef NO_PUBLISH_FIRST
	:: d_step { !cut && agent_at == A_IDLE && (file_old || !answered || busy != LEASED) ->
		agent_at = (LEASED -> A_BUSY : A_FREE) }
	:: d_step { !cut && agent_at >= A_FREE && (file_old || !answered) ->
		busy = (agent_at == A_BUSY); file = row[0]; file_old = false;
		answered = true; agent_at = A_IDLE }
#else
	:: d_step { !cut && agent_at == A_IDLE && file_old ->
		file = row[0]; file_old = false; agent_at = A_LOOK }
	:: d_step { !cut && agent_at == A_IDLE && !file_old && (!answered || busy != LEASED) ->
		agent_at = A_LOOK }
#endif
	:: d_step { TO_SILENCE -> at = K_DOWN }
	:: d_step { agent_at == A_LOOK -> agent_at = (LEASED -> A_BUSY : A_FREE); silence_once() }
	:: d_step { !cut && agent_at >= A_FREE ->
		busy = (agent_at == A_BUSY); answered = !file_old; agent_at = A_IDLE }
	:: d_step { agent_at != A_IDLE -> agent_at = A_IDLE }
#ifdef LATE_ANSWERS
	:: d_step { agent_at >= A_FREE && late == 0 -> late = agent_at; late_current = !file_old; agent_at = A_IDLE }
	:: d_step { late != 0 && !cut ->
		busy = (late == A_BUSY); answered = late_current; late = 0; late_current = false }
#endif
#ifdef NO_FRESH_FIRST_LIST
	/* after a reboot the list comes from an API server's old cache */
	:: d_step { rebooted && file == NONE && file_old && ever_granted -> file = GRANT }
#endif
#ifdef NO_SERIAL_GUARD
	/* a list after a lost watch comes from an old cache */
	:: d_step { ever_granted && file != GRANT -> file = GRANT; file_old = true }
#endif
	od
}

/* ---- kubelet, runtime, plugin -------------------------------------------------- */

active proctype node() {
	do
	:: d_step { at == K_IDLE && !forgot && (pod[0] == BOUND || pod[0] == GONE) && file == GRANT -> at = K_READ }
	:: d_step { at == K_READ -> at = K_LEASED }
#ifdef NO_READ_AGAIN
	:: d_step { at == K_LEASED -> at = K_OK }
#else
	:: d_step { at == K_LEASED -> at = (file == GRANT -> K_OK : K_DOWN) }
#endif
	:: d_step { at == K_OK -> at = K_UP }
#ifdef NO_DOWN_FIRST
	:: d_step { at == K_UP -> at = K_NAKED }
	:: d_step { at == K_NAKED -> at = K_IDLE }
#else
	:: d_step { at == K_UP -> at = K_DOWN }
#endif
	:: d_step { at == K_DOWN -> at = K_IDLE }
	:: d_step { at == K_READ -> at = K_IDLE }
	:: d_step { (at == K_LEASED || at == K_OK) -> at = K_DOWN }
	:: d_step { at == K_IDLE && pod[0] == GONE && !forgot -> forgot = true }
	od
}

/* ---- the world ------------------------------------------------------------------ */

active proctype world() {
	do
	:: d_step { pod[0] == UNBORN -> pod[0] = PENDING }
	:: d_step { pod[0] == PENDING -> pod[0] = BOUND }
	:: d_step { EXISTS(0) -> pod[0] = GONE }         /* at once, by force */
	:: d_step { pod[1] == UNBORN -> pod[1] = BOUND }
	/* nothing of node 0 survives; its kubelet may list what is gone already */
	:: d_step { !rebooted ->
		rebooted = true; at = K_IDLE; agent_at = A_IDLE;
		file = NONE; file_old = true; forgot = false }
#ifdef ASSERTION
	:: d_step { !cut && !healed -> cut = true }
	:: d_step { cut -> cut = false; healed = true }
	:: d_step { pod[0] == GONE && !asserted -> asserted = true }
#endif
	od
}

/* node 0 is back, and its agent sees nothing left to do */
#define EXCUSE_OVER (!cut && !file_old && agent_at == A_IDLE && answered && busy == LEASED && !TO_SILENCE)
#define BOTH (UP && row[1] == GRANT)

bool two_users, stays_silenced, stuck;           /* names for what pan prints; never true */

active proctype monitor() {
	do
	:: d_step { BOTH && !asserted -> assert(two_users) }
	:: d_step { BOTH && asserted && (EXCUSE_OVER || answered && !busy) -> assert(stays_silenced) }
	:: timeout -> assert(row[1] == GRANT || stuck); break
	od
}

init {
	byte c = 0;
	atomic {
		if :: rebooted = true :: skip fi;
		if :: healed = true :: skip fi;
		do :: c < CONTROLLERS -> run controller(c); c++ :: else -> break od
	}
}
