"""What the history of ledger and nodes must never show, judged revision by revision.

Feed it the events of etcd in their order (feed); what is wrong is in wrong, as sentences
that begin with the rule's name and the revision. Rules:

J1 An address of a domain has one entry, in the block that it belongs to. It goes from one
   pod to another, in one write or by way of no entry, only when the first one's may go (J2).
J2 An entry with a node goes only when its pod is gone or terminal, and the node's
   StaticIPNode has it revoked, with the agent's answer or with silence.
J3 A Granted row is there only while each of its addresses has an entry of that pod and
   node; never beside a revocation of its pod; no address is in Granted rows of two pods.
J4 Within an epoch the serial never goes back and grows with each change of spec; an
   epoch never comes back. Nothing of an entry changes in place, except that a node comes.
J5 A revocation goes only after the node's answer, and when its pod has no entry.

Each write is one revision: the API server never writes two objects at once. So a rule that
holds after each event holds at every moment.

What a person deletes (a block with entries, a StaticIPNode with revocations) breaks J2 and
J5, unless by_hand. Then the entries are remembered as lost: they count for J3, and the address
goes to another pod only when the node shows that the lost holder is not there (J2)."""
import collections
import ipaddress

Entry = collections.namedtuple("Entry", "uid node node_uid pod since allocation block")
TERMINAL = ("Succeeded", "Failed")


class Node:
    """A StaticIPNode as of the last revision."""

    def __init__(self, value):
        spec, status = value.get("spec") or {}, value.get("status") or {}
        self.uid, self.spec = value["metadata"]["uid"], spec
        self.epoch, self.serial = spec.get("epoch"), spec.get("serial", 0)
        self.answer = status.get("answer") or {}
        self.attached = {a.get("uid") for a in status.get("attachments") or []}
        self.all_listed = len(status.get("attachments") or []) == status.get("attachmentCount", 0)
        self.granted = collections.defaultdict(set)
        for row in spec.get("rows") or []:
            if row["state"] == "Granted":
                self.granted[row["uid"]] |= {(row.get("domain"), ip.split("/")[0]) for ip in row.get("ips") or []}
        self.revoked = {r["uid"]: bool(r.get("silence")) for r in spec.get("revoked") or []}

    def answered(self, serial):
        return (self.answer.get("objectUID") == self.uid and self.answer.get("epoch") == self.epoch
                and self.answer.get("serial", -1) >= serial)


class Revocation:
    """first: the serial that brought it. answered, silenced: were so at some revision, and
    stay so: who is revoked never gets a lease again, whatever a late PATCH says afterwards."""

    def __init__(self, node):
        self.first, self.object, self.epoch = node.serial, node.uid, node.epoch
        self.answered = self.silenced = False

    def __str__(self):
        return f"revokes it since {self.first} of {self.epoch}" + ", answered" * self.answered + ", silenced" * self.silenced

    def look(self, node, uid):
        if node.uid != self.object or node.epoch != self.epoch:
            self.first, self.object, self.epoch = node.serial, node.uid, node.epoch
        self.silenced = self.silenced or node.revoked[uid]
        if node.answered(self.first) and uid not in (node.answer.get("busy") or []):
            self.answered = True


class Rules:
    def __init__(self, since=0, by_hand=False, only=()):
        self.since, self.by_hand, self.only, self.wrong = since, by_hand, only, []
        self.stories = collections.defaultdict(list)  # uid -> what happened to it, for people
        self.counts = collections.Counter()
        self.revision = 0
        self.entries = {}      # (domain, address) -> Entry
        self.blocks = {}       # name -> (domain, cidr, set of addresses)
        self.lost = {}         # (domain, address) -> (Entry, epoch of its node then)
        self.nodes = {}        # name -> Node
        self.revocations = {}  # (node, uid) -> Revocation
        self.proven = {}       # the same, of StaticIPNodes deleted by hand: what was proven stays so
        self.grants = collections.defaultdict(set)  # (domain, address) -> {(uid, node)}
        self.epochs = collections.defaultdict(dict)  # node -> epoch -> highest serial
        self.pods = {}         # uid -> phase
        self.pod_names = {}    # key -> uid

    # kind: blocks, nodes or pods; value: the object, None when it was deleted.
    def feed(self, revision, kind, name, value):
        self.revision = revision
        self.counts["revisions"] += revision >= self.since
        {"blocks": self.block, "nodes": self.node, "pods": self.pod}[kind](name, value)

    def must(self, rule, truth, words):
        """Says words() when truth is not so; nothing is judged before since, nor by a rule that was left out."""
        if self.revision < self.since or (self.only and rule not in self.only):
            return
        self.counts[rule] += 1
        if not truth:
            self.wrong.append(f"{rule} revision {self.revision}: {words()}")

    def tell(self, uid, words):
        if not self.stories[uid] or self.stories[uid][-1][1] != words:
            self.stories[uid].append((self.revision, words))

    def stories_of(self, wrong):
        """What happened to the pods that a sentence of wrong names."""
        return [f"  {uid}: " + "; ".join(f"{r} {words}" for r, words in story) for uid, story in self.stories.items() if uid in wrong]

    def count(self, what):
        self.counts[what] += self.revision >= self.since

    # ---- pods ---------------------------------------------------------------
    def pod(self, name, value):
        old = self.pod_names.pop(name, None)
        if old and (value is None or value["metadata"]["uid"] != old):
            self.pods.pop(old, None)
            self.tell(old, "pod gone")
        if value is not None:
            uid = value["metadata"]["uid"]
            self.pod_names[name] = uid
            self.pods[uid] = (value.get("status") or {}).get("phase")
            self.tell(uid, f"pod {self.pods[uid]}")

    def pod_is_over(self, uid):
        return uid not in self.pods or self.pods[uid] in TERMINAL

    # ---- the ledger ---------------------------------------------------------
    def block(self, name, value):
        spec = (value or {}).get("spec") or {}
        old = self.blocks.pop(name, None)
        made = {}
        if value is not None:
            made = self.read_block(name, spec)
            self.blocks[name] = (spec["domain"], spec["cidr"], set(made))
            if old:
                self.must("J4", old[:2] == (spec["domain"], spec["cidr"]), lambda: f"block {name} became another's: {old[:2]}")
        before = {key: self.entries.pop(key) for key in (old[2] if old else ())}
        for key in [k for k in before if k not in made]:
            self.entry_gone(key, before[key], whole_block=value is None)
        for key, entry in made.items():
            self.entry_there(key, before.get(key), entry)
        self.entries.update(made)
        for key in set(before) | set(made):
            self.grants_have_entries(key)

    def read_block(self, name, spec):
        network, made = ipaddress.ip_network(spec["cidr"]), {}
        for e in spec.get("entries") or []:
            key = (spec["domain"], e["address"])
            self.must("J1", key not in made, lambda: f"block {name} has {key} twice")
            self.must("J1", ipaddress.ip_address(e["address"]) in network, lambda: f"block {name} of {network} has {e['address']}")
            made[key] = Entry(e["uid"], e.get("node"), e.get("nodeUID"), e.get("pod"), e.get("since"), e.get("allocation"), name)
        return made

    def entry_there(self, key, old, new):
        if old is None or old.node != new.node:
            self.tell(new.uid, f"entry {key[1]} node {new.node}")
        other = self.entries.get(key)
        self.must("J1", other is None, lambda: f"{key} has an entry in block {other.block} and in block {new.block}")
        if old is None:
            self.count("entries made")
            self.entry_made(key, new)
        elif old.uid != new.uid:
            self.count("entries handed over in one write")
            self.entry_gone(key, old, False)
            self.count("entries made")
            self.entry_made(key, new)
        else:
            self.entry_kept(key, old, new)

    def entry_made(self, key, new):
        lost, epoch = self.lost.pop(key, (None, None))
        if lost and lost.uid != new.uid:
            self.must("J2", self.not_there(lost, epoch), lambda: f"{key} was {who(lost)} when the ledger was lost, who is "
                      f"not shown to be gone; now it is {who(new)}")

    def entry_kept(self, key, old, new):
        self.must("J4", old.node is None or (old.node, old.node_uid) == (new.node, new.node_uid),
                  lambda: f"{key} of {old.uid} went from node {old.node} ({old.node_uid}) to {new.node} ({new.node_uid})")
        self.must("J4", (old.since, old.pod, old.allocation) == (new.since, new.pod, new.allocation),
                  lambda: f"{key} of {old.uid}: {old} became {new}")
        if old.node is None and new.node:
            self.count("entries placed")

    def entry_gone(self, key, old, whole_block):
        self.tell(old.uid, f"entry {key[1]} gone" + (" with its block" if whole_block else ""))
        if whole_block and self.by_hand:
            self.count("entries lost")
            node = self.nodes.get(old.node)
            self.lost[key] = (old, node.epoch if node else None)
        elif old.node is None:
            self.count("entries freed without a node" if self.pod_is_over(old.uid) else "entries rolled back")
        else:
            self.entry_freed(key, old)

    def entry_freed(self, key, old):
        proof = self.proof_of(old)
        self.count("entries freed")
        self.must("J2", self.pod_is_over(old.uid), lambda: f"{key} was taken from {who(old)}, which is there and not terminal")
        self.must("J2", proof is not None, lambda: f"{key} was taken from {who(old)}, which is not revoked there")
        self.must("J2", proof is None or proof.answered or proof.silenced, lambda: f"{key} was taken from {who(old)}, which is "
                  f"revoked since serial {proof.first}, without an answer: the last is {self.nodes[old.node].answer if old.node in self.nodes else None}")
        if proof:
            self.count("freed by answer" if proof.answered else "freed by silence")

    def proof_of(self, entry):
        return self.proven.get((entry.node, entry.uid)) or self.revocations.get((entry.node, entry.uid))

    def not_there(self, lost, epoch):
        """Whether the node of a holder whose entry was lost shows that it has no address."""
        node, proof = self.nodes.get(lost.node), self.proof_of(lost)
        if lost.node is None or (proof and (proof.answered or proof.silenced)):
            return True
        return (node is not None and node.epoch != epoch and node.answered(0) and node.all_listed
                and lost.uid not in node.attached and lost.uid not in node.granted)

    # ---- the nodes ----------------------------------------------------------
    def node(self, name, value):
        old, new = self.nodes.pop(name, None), Node(value) if value is not None else None
        if new:
            self.nodes[name] = new
            self.serials(name, old, new)
        self.update_grants(name, old, new)
        for uid in [u for u in (old.revoked if old else ()) if not new or u not in new.revoked]:
            self.revocation_gone(name, uid, whole_node=new is None)
        for uid in new.revoked if new else ():
            if (name, uid) not in self.revocations:
                self.count("revocations")
                self.revocations[name, uid] = Revocation(new)
            self.revocations[name, uid].look(new, uid)
            self.tell(uid, f"{name} {self.revocations[name, uid]}")
            self.must("J3", uid not in new.granted, lambda: f"StaticIPNode {name} grants and revokes {uid} at serial {new.serial}")

        self.show_gone(name)

    def show_gone(self, name):
        """Lost holders of which the node's word of now shows that they are not there; that stays so."""
        for key, (entry, epoch) in list(self.lost.items()):
            if entry.node == name and self.not_there(entry, epoch):
                self.count("lost holders shown to be gone")
                del self.lost[key]

    def serials(self, name, old, new):
        highest = self.epochs[name].get(new.epoch)
        if old and old.uid == new.uid and old.spec == new.spec:
            return
        if highest is not None:
            self.must("J4", new.serial > highest, lambda: f"StaticIPNode {name} changed with serial {new.serial} after {highest} of epoch {new.epoch}")
            self.must("J4", not old or old.epoch == new.epoch, lambda: f"StaticIPNode {name} goes back from epoch {old.epoch} to {new.epoch}")
        self.epochs[name][new.epoch] = max(new.serial, highest or 0)

    def update_grants(self, name, old, new):
        before, after = (old.granted if old else {}), (new.granted if new else {})
        keys = {k for u in before for k in before[u]} | {k for u in after for k in after[u]}
        for uid, addresses in before.items():
            for key in addresses:
                self.grants[key].discard((uid, name))
        for uid, addresses in after.items():
            self.tell(uid, f"{name} grants {sorted(a for _, a in addresses)}")
            if uid not in before:
                self.count("grants")
            for key in addresses:
                self.grants[key].add((uid, name))
        for key in keys:
            self.grants_have_entries(key)

    def grants_have_entries(self, key):
        given = self.grants[key]
        self.must("J3", len({uid for uid, _ in given}) <= 1, lambda: f"{key} is granted to {sorted(given)}")
        for uid, node in given:
            entry = self.entries.get(key) or (self.lost[key][0] if key in self.lost else None)
            self.must("J3", entry is not None and (entry.uid, entry.node) == (uid, node),
                      lambda: f"{key} is granted to {uid} on node {node}; its entry is {who(entry) if entry else 'not there'}")

    def revocation_gone(self, name, uid, whole_node):
        proof = self.revocations.pop((name, uid))
        self.tell(uid, f"{name} revokes it no more" + (": was deleted" if whole_node else ""))
        if whole_node and self.by_hand:
            self.count("revocations lost")
            if proof.answered or proof.silenced:
                self.proven[name, uid] = proof
            return
        self.count("revocations dropped")
        self.must("J5", proof.answered, lambda: f"StaticIPNode {name} drops the revocation of {uid} since serial {proof.first} without an answer")
        left = [key for key, entry in self.entries.items() if entry.uid == uid]
        self.must("J5", not left, lambda: f"StaticIPNode {name} drops the revocation of {uid}, which still has entries: {left}")

    # ---- at rest ------------------------------------------------------------
    def at_rest(self):
        """What must be so when nothing moves any more: the ledger is the live pods', nothing is revoked."""
        self.must("end", not self.revocations, lambda: f"revocations are left: {sorted(self.revocations)}")
        left = sorted(key for key, entry in self.entries.items() if self.pod_is_over(entry.uid))
        self.must("end", not left, lambda: f"entries of pods that are over are left: {left}")
        waiting = sorted({(n, r["key"], r["state"]) for n, node in self.nodes.items() for r in node.spec.get("rows") or []
                          if self.pod_is_over(r["uid"])})
        self.must("end", not waiting, lambda: f"rows of pods that are over are left: {waiting}")


def who(entry):
    return f"pod {entry.pod} ({entry.uid}) on node {entry.node}"
