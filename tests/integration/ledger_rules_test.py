#!/usr/bin/env python3
"""Hand-made histories for ledger_rules.py: the right ones must pass, and each wrong one must break
the rule that it names, with the words given, and no other."""
import sys

import ledger_rules

DOMAIN, A, B = "network/podnet", "10.0.0.1", "10.0.0.2"


def entry(uid, node=None, address=A, **more):
    placed = {"node": node, "nodeUID": "uid-of-" + node} if node else {}
    return {"address": address, "uid": uid, "pod": f"d/{uid}", "since": "2026-01-01T00:00:00Z", **placed, **more}


def block(*entries, name="b", cidr="10.0.0.0/26"):
    return "blocks", name, {"spec": {"domain": DOMAIN, "cidr": cidr, "entries": list(entries)}}


def row(uid, *addresses, state="Granted"):
    return {"key": f"podnet/d/{uid}", "uid": uid, "state": state, "domain": DOMAIN,
            "ips": [f"{a}/24" for a in addresses or (A,)]}


def node(serial, rows=(), revoked=(), answer=None, name="n1", epoch="e1", uid="o1", busy=(), attached=None, silence=()):
    """answer: its serial."""
    status = {}
    if answer is not None:
        status["answer"] = {"objectUID": "o1", "epoch": epoch, "serial": answer, "busy": list(busy)}
    if attached is not None:
        status |= {"attachments": [{"uid": u} for u in attached], "attachmentCount": len(attached)}
    spec = {"epoch": epoch, "serial": serial, "rows": list(rows),
            "revoked": [{"uid": u, "silence": u in silence} for u in revoked]}
    return "nodes", name, {"metadata": {"uid": uid}, "spec": spec, "status": status}


def pod(uid, phase="Running", name=None):
    return "pods", name or f"d/{uid}", {"metadata": {"uid": uid}, "status": {"phase": phase}}


def gone(kind, name):
    return kind, name, None


# a has the address on n1, and is gone
GRANTED = [pod("a"), block(entry("a")), block(entry("a", "n1")), node(1, [row("a")])]
OVER = GRANTED + [gone("pods", "d/a"), node(2, revoked=["a"])]
ANSWERED = OVER + [node(2, revoked=["a"], answer=2)]
BOTH = [pod("a"), block(entry("a", "n1"), entry("a", "n1", B))]

RIGHT = {
    "a whole hand-over": ANSWERED + [pod("b"), block(), node(3, answer=2), block(entry("b")), block(entry("b", "n2")),
                                     node(1, [row("b")], name="n2")],
    "busy first": OVER + [node(2, revoked=["a"], answer=2, busy=["a"]), node(2, revoked=["a"], answer=2), block(), node(3, answer=2)],
    "an answer that a late PATCH took back": ANSWERED + [node(2, revoked=["a"], answer=1), block(), node(3, answer=1)],
    "a terminal pod": GRANTED + [pod("a", "Succeeded"), node(2, revoked=["a"], answer=2), block(), node(3, answer=2)],
    "two addresses": BOTH + [node(1, [row("a", A, B)])],
    "an entry without a node, rolled back": [pod("a"), block(entry("a")), block()],
    "silence": OVER + [node(3, revoked=["a"], silence=["a"]), block(), block(entry("b")), node(3, revoked=["a"], silence=["a"], answer=3),
                       node(4, answer=3)],
    "handed over in one write": ANSWERED + [block(entry("b"))],
    "a new epoch": GRANTED + [node(1, [row("a")], epoch="e2")],
    "a pod's name used again": GRANTED + [pod("c", name="d/a"), node(2, revoked=["a"], answer=2), block(), node(3, answer=2)],
}

BY_HAND = {
    "adopted again": GRANTED + [gone("blocks", "b"), block(entry("a", "n1"))],
    "shown to be gone": GRANTED + [gone("blocks", "b"), gone("pods", "d/a"), node(1, epoch="e2", answer=1, attached=[]),
                                   block(entry("b"))],
    "shown to be gone, and asked again": GRANTED + [gone("blocks", "b"), gone("pods", "d/a"), node(1, epoch="e2", answer=1, attached=[]),
                                                    node(1, epoch="e3"), block(entry("b"))],
    "StaticIPNode deleted after its answer": ANSWERED + [gone("nodes", "n1"), block()],
    "StaticIPNode made again": OVER + [gone("nodes", "n1"), node(1, revoked=["a"], epoch="e2", answer=1), block(), node(2, epoch="e2", answer=1)],
}

WRONG = {
    ("J1", "twice"): [block(entry("a"), entry("b"))],
    ("J1", "in block"): [block(entry("a")), block(entry("a"), name="c")],
    ("J1", "has 10.0.0.200"): [block(entry("a", address="10.0.0.200"))],
    ("J2", "from pod d/a (a) on node n1, which is revoked since serial 2, without an answer"): OVER + [block(entry("b"))],
    ("J2", "on node n1, which is not revoked there"): GRANTED + [gone("pods", "d/a"), node(2), block(entry("b"))],
    ("J2", "not revoked there"): GRANTED + [gone("pods", "d/a"), node(2), block()],
    ("J2", "without an answer: the last is {}"): OVER + [block()],
    ("J2", "'serial': 1"): OVER + [node(2, revoked=["a"], answer=1), block()],
    ("J2", "'busy': ['a']"): OVER + [node(2, revoked=["a"], answer=2, busy=["a"]), block()],
    ("J2", "'objectUID': 'o1'"): GRANTED + [gone("pods", "d/a"), gone("nodes", "n1"), node(3, revoked=["a"], answer=3, uid="o2"), block()],
    ("J2", "since serial 3, without"): OVER + [node(3, revoked=["a"], answer=3, busy=["a"]), node(3, revoked=["a"], answer=2, epoch="e2"), block()],
    ("J2", "not terminal"): GRANTED + [node(2, revoked=["a"], answer=2), block()],
    ("J3", "its entry is not there"): [pod("a"), node(1, [row("a")])],
    ("J3", "its entry is pod d/a (a) on node None"): [pod("a"), block(entry("a")), node(1, [row("a")])],
    ("J3", "on node n2"): [pod("a"), block(entry("a", "n2")), node(1, [row("a")])],
    ("J3", "its entry is pod d/c"): BOTH[:1] + [block(entry("a", "n1"), entry("c", "n1", B)), node(1, [row("a", A, B)])],
    ("J3", "grants and revokes a"): GRANTED + [node(2, [row("a")], revoked=["a"])],
    ("J3", "is granted to [('a', 'n1'), ('b', 'n2')]"): GRANTED + [node(1, [row("b")], name="n2")],
    ("J4", "with serial 1 after 2"): [node(2), node(1, [row("x", state="Held")])],
    ("J4", "with serial 2 after 2"): [node(2), node(2, [row("x", state="Held")])],
    ("J4", "goes back from epoch e2 to e1"): [node(2), node(2, epoch="e2"), node(3)],
    ("J4", "after 2 of epoch e1"): [node(2), gone("nodes", "n1"), node(1, uid="o2")],
    ("J4", "went from node n1"): [block(entry("a", "n1")), block(entry("a", "n2"))],
    ("J4", "to None"): [block(entry("a", "n1")), block(entry("a"))],
    ("J4", "became Entry"): [block(entry("a")), block(entry("a", since="2026-01-01T00:00:09Z"))],
    ("J4", "became another's"): [block(), block(cidr="10.0.0.64/26")],
    ("J5", "without an answer"): OVER + [node(3, revoked=["a"], silence=["a"]), block(), node(4)],
    ("J5", "still has entries"): ANSWERED + [node(3, answer=2)],
    ("end", "revocations are left"): OVER + [node(3, revoked=["a"], silence=["a"]), block()],
    ("end", "entries of pods that are over"): GRANTED + [gone("pods", "d/a")],
    ("end", "rows of pods that are over"): [node(1, [row("a", state="Held")])],
}

WRONG_BY_HAND = {
    ("J2", "is not shown to be gone"): GRANTED + [gone("blocks", "b"), node(1, epoch="e2", answer=1, attached=["a"]), block(entry("b"))],
    ("J2", "is not shown"): GRANTED + [gone("blocks", "b"), node(1, epoch="e2", attached=[]), block(entry("b"))],
}


def judge(events, by_hand=False, since=0, end=False):
    rules = ledger_rules.Rules(since, by_hand)
    for revision, event in enumerate(events, 1):
        rules.feed(revision, *event)
    if end:
        rules.at_rest()
    return rules.wrong


def main():
    passed, failed = 0, []
    for histories, by_hand in ((RIGHT, False), (BY_HAND, True)):
        for name, events in histories.items():
            wrong = judge(events, by_hand)
            passed, failed = passed + (not wrong), failed + [f"{name}: {w}" for w in wrong]
    for histories, by_hand in ((WRONG, False), (WRONG_BY_HAND, True)):
        for (rule, words), events in histories.items():
            wrong = judge(events, by_hand, end=rule == "end")
            fits = wrong and all(w.startswith(rule + " ") for w in wrong) and any(words in w for w in wrong)
            passed, failed = passed + bool(fits), failed + ([] if fits else [f"{rule}, {words}: {wrong}"])
    # what came before is not judged, but known
    early, late = OVER + [block(entry("b"))], WRONG[("J5", "still has entries")]
    for events, since, wanted in ((early, len(early) + 1, 0), (late, len(late), 1)):
        found = len(judge(events, since=since))
        passed, failed = passed + (found == wanted), failed + ([] if found == wanted else [f"since {since}: {found} violations, not {wanted}"])
    # a rule that is left out finds nothing, and hides nothing of another
    for (rule, _), events in WRONG.items():
        if rule == "end":
            continue
        for only in ("J1", "J2", "J3", "J4", "J5"):
            rules = ledger_rules.Rules(only=(only,))
            for revision, event in enumerate(events, 1):
                rules.feed(revision, *event)
            passed, failed = passed + (bool(rules.wrong) == (only == rule)), failed + (
                [] if bool(rules.wrong) == (only == rule) else [f"only {only}: {rules.wrong}"])
    print("\n".join(failed + [f"ledger rules: {passed} passed, {len(failed)} failed"]))
    sys.exit(bool(failed) or not passed)


main()
