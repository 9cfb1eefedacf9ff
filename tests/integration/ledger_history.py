#!/usr/bin/env python3
"""ledger_history.py [--etcd URL] [--since REVISION] [--from-compaction] [--by-hand] [--at-rest] [--least WHAT=N]...
                     [--only RULE,...]
   ledger_history.py --revision

Reads the whole history of StaticIPBlocks, StaticIPNodes and Pods from etcd and judges each
revision from --since on by the rules J1 to J5 of ledger_rules.py. Prints what it counted; fails with
the revisions that are wrong. --by-hand: people deleted blocks or StaticIPNodes meanwhile.
--at-rest: nothing moves any more, so nothing may be left of pods that are over. --least: so many
at least of what is counted ("entries freed=50"), else the history shows nothing. --only: by these rules
alone. After a restore these are J1, J3 and J4: what etcd forgot proves nothing any more. --from-compaction:
what was compacted away is not asked for; the objects as they were then are where it begins. --revision prints
the revision of now, for --since.

The API server must keep the history: --etcd-compaction-interval=0."""
import argparse
import base64
import http.client
import json
import sys

import ledger_rules

# Every key from / to before 0: the API server's, and our mark after them.
FIRST, BEHIND, MARK = b"/", b"0", b"/staticip-history-mark"
KINDS = {"staticip.dev/staticipblocks": "blocks", "staticip.dev/staticipnodes": "nodes", "pods": "pods"}
PROTOBUF = b"k8s\0"


def post(etcd, path, body):
    connection = http.client.HTTPConnection(etcd.split("//")[1], timeout=60)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"ledger_history: etcd answers {answer.status} to {path}: {answer.read()[:300]}")
    return answer


def text(data):
    return base64.b64encode(data).decode()


def put_mark(etcd):
    """Returns the revision of now: our mark's."""
    with post(etcd, "/v3/kv/put", {"key": text(MARK), "value": ""}) as answer:
        return int(json.load(answer)["header"]["revision"])


# ---- Pods are stored as protobuf (runtime.Unknown around core/v1) -----------------
def fields(data):
    """{number: last value}: an int, or the bytes of a text or message."""
    found, at = {}, 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at, number, shift = at + 1, number | (byte & 127) << shift, shift + 7
            if byte < 128:
                return number

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            found[tag >> 3] = varint()
            continue
        length = {1: 8, 5: 4}.get(tag & 7) or varint()
        found[tag >> 3] = data[at:at + length]
        at += length
    return found


def pod_of(data):
    """What the rules look at, from generated.proto of meta/v1 and core/v1."""
    pod = fields(fields(data[len(PROTOBUF):])[2])
    metadata, status = fields(pod[1]), fields(pod.get(3, b""))
    return {"metadata": {"uid": metadata[5].decode()}, "status": {"phase": status.get(1, b"").decode()}}


def decode(kind, data):
    if data.startswith(PROTOBUF):
        return pod_of(data)
    return json.loads(data)


# ---- the history -------------------------------------------------------------------
def batches(etcd, first, end):
    """The lists of events of a watch from revision first until end; an int instead when all
    before that revision is compacted away."""
    request = {"create_request": {"key": text(FIRST), "range_end": text(BEHIND), "start_revision": str(first)}}
    with post(etcd, "/v3/watch", request) as answer:
        for line in answer:
            result = json.loads(line).get("result", {})
            if int(result.get("compact_revision", 0)):
                yield int(result["compact_revision"])
                return
            if result.get("canceled"):
                sys.exit(f"ledger_history: etcd ends the watch: {result.get('cancel_reason')}")
            events = result.get("events", [])
            yield events
            if events and int(events[-1]["kv"]["mod_revision"]) >= end:
                return


def as_of(etcd, revision):
    """The objects that there were at this revision, as events, in the order of their last change."""
    found = []
    for folder in KINDS:
        key = f"/registry/{folder}/".encode()
        request = {"key": text(key), "range_end": text(key[:-1] + b"0"), "revision": str(revision)}
        with post(etcd, "/v3/kv/range", request) as answer:
            found += [{"kv": kv} for kv in json.load(answer).get("kvs", [])]
    return sorted(found, key=lambda event: int(event["kv"]["mod_revision"]))


def all_batches(etcd, from_compaction):
    """Yields (lists of events, revision before which nothing is known)."""
    end = put_mark(etcd)
    for events in batches(etcd, 1, end):
        if not isinstance(events, int):
            yield events, 0
            continue
        if not from_compaction:
            sys.exit(f"ledger_history: history before revision {events} is gone; "
                     "the API server needs --etcd-compaction-interval=0")
        yield as_of(etcd, events), events
        for later in batches(etcd, events + 1, end):
            if isinstance(later, int):
                sys.exit("ledger_history: etcd was compacted meanwhile")
            yield later, events


def history(etcd, from_compaction):
    """((revision, whether it is only known as the beginning), kind, name, value or None), in the
    order of the revisions."""
    last = 0
    for events, compacted in all_batches(etcd, from_compaction):
        for event in events:
            key = base64.b64decode(event["kv"]["key"]).decode()
            revision = int(event["kv"]["mod_revision"])
            if revision < last:
                sys.exit(f"ledger_history: etcd told revision {revision} after {last}")
            last = revision
            folder = next((f for f in KINDS if key.startswith(f"/registry/{f}/")), None)
            if folder is None:
                continue
            kind, name = KINDS[folder], key[len(f"/registry/{folder}/"):]
            gone = event.get("type") == "DELETE"
            yield (revision, revision <= compacted), kind, name, None if gone else decode(kind, base64.b64decode(event["kv"]["value"]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--etcd", default="http://127.0.0.1:2379")
    parser.add_argument("--since", type=int, default=0)
    parser.add_argument("--least", action="append", default=[])
    parser.add_argument("--only", default="")
    for flag in ("--from-compaction", "--by-hand", "--at-rest", "--revision"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    if options.revision:
        print(put_mark(options.etcd))
        return
    rules = ledger_rules.Rules(options.since, options.by_hand, tuple(filter(None, options.only.split(","))))
    for (revision, compacted), *event in history(options.etcd, options.from_compaction):
        # a beginning out of order breaks rules that it cannot know better
        rules.since = max(rules.since, revision + 1 if compacted else 0)
        rules.feed(revision, *event)
    if options.at_rest:
        rules.at_rest()
    print(f"ledger history from revision {rules.since} to {rules.revision}: "
          + ", ".join(f"{n} {what}" for what, n in sorted(rules.counts.items())))
    for line in rules.wrong[:20]:
        print("\n".join([line, *rules.stories_of(line)]))
    if rules.wrong:
        sys.exit(f"{len(rules.wrong)} violations")
    for what, least in (words.split("=") for words in options.least):
        if rules.counts[what] < int(least):
            sys.exit(f"only {rules.counts[what]} {what}, not {least}")


main()
