"""What must be so when nothing moves any more (pods_churn.py): nobody has what another has, what is over
is gone from nodes and ledger, and what is there has its addresses, and only it."""
import json
import time

from pods_api import SIP

SILENT_S, EMPTY_S, WHOLE_S = 30, 120, 120


class Rest:
    def __init__(self, churn):
        self.churn, self.cluster, self.api = churn, churn.cluster, churn.cluster.api

    def objects(self, path):
        return self.api.must("GET", path)["items"]

    def entries(self):
        return [e for b in self.objects(SIP + "/staticipblocks") for e in b["spec"].get("entries") or []]

    def not_yet_silent(self):
        """Sandboxes that have an address of another pod although all nodes can be reached: then not
        even a person's word lets two pods have it."""
        users, found = {}, []
        for node in self.cluster.nodes.values():
            for sandbox in list(node.sandboxes):
                for address in sandbox.live():
                    users.setdefault(address, []).append(sandbox)
        for address, several in users.items():
            if len({s.uid for s in several}) > 1:
                found.append(f"{address} is in {' and in '.join(map(str, several))}")
        return "; ".join(found)

    def not_yet_empty(self):
        """What is still there when all pods were deleted; "" when nothing is."""
        nodes = [(n["metadata"]["name"], n["spec"].get("rows"), n["spec"].get("revoked"), (n.get("status") or {}).get("answer"))
                 for n in self.objects(SIP + "/staticipnodes") if n["spec"].get("rows") or n["spec"].get("revoked")]
        for pod in list(self.churn.pods.values()):
            if "deletionTimestamp" not in pod["metadata"]:
                self.churn.delete(pod, 30 if pod["spec"].get("nodeName") else 0)
        sandboxes = [str(s) for n in self.cluster.nodes.values() for s in list(n.sandboxes)]
        found = {"pods": sorted(self.churn.pods), "entries": self.entries(), "nodes": nodes, "sandboxes": sandboxes}
        return "" if not any(found.values()) else json.dumps(found)

    def wanted(self):
        return {s.name: sorted(self.churn.addresses_of(s)) for s in self.churn.slots}

    def not_yet_whole(self):
        """How what is there differs from what all pods should have; "" when it does not."""
        live, wanted = {}, self.wanted()
        for node in self.cluster.nodes.values():
            for sandbox in list(node.sandboxes):
                live[sandbox.pod] = sorted(sandbox.live())
        if live != wanted:
            words = {w.pod["metadata"]["name"]: w.words for n in self.cluster.nodes.values() for w in list(n.workers.values()) if not w.sandbox}
            return "addresses: " + json.dumps({k: (wanted.get(k), live.get(k), words.get(k)) for k in set(live) | set(wanted) if live.get(k) != wanted.get(k)})
        pods = list(self.churn.pods.values())
        held = {(e["uid"], e.get("node"), e["address"]) for e in self.entries()}
        should = {(p["metadata"]["uid"], p["spec"]["nodeName"], a) for p in pods for a in wanted[p["metadata"]["name"]]}
        return "" if held == should else f"ledger: too much {sorted(held - should)}, too little {sorted(should - held)}"

    def must_become(self, what, look, seconds):
        """"" as soon as look() finds nothing, else what is still wrong."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            words = look()
            if not words:
                return ""
            time.sleep(0.3)
        return f"not {what} in {seconds} s: {words[:6000]}"

    def fill(self):
        """"" or what is wrong: a pod for each slot, all of which must have their addresses."""
        for slot in self.churn.slots:
            self.churn.bind(self.churn.create(slot))
        return (self.must_become("whole", self.not_yet_whole, WHOLE_S)
                or self.cluster.outside.must_see({a for addresses in self.wanted().values() for a in addresses}))

    def settle(self):
        """"" or what is wrong: silent, then empty, then whole."""
        wrong = self.must_become("silent", self.not_yet_silent, SILENT_S)
        if wrong:
            return wrong
        self.cluster.no_more_late.set()
        self.churn.come_home()
        wrong = self.must_become("empty", self.not_yet_empty, EMPTY_S)
        if wrong:
            return wrong
        return self.fill()
