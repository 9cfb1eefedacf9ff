#!/usr/bin/env python3
"""one_writer.py NAMESPACE [MINIMUM] <AUDIT-LOG: of the candidates whose writes are in the API server's
audit log, only the one wrote that led at that moment: whose write of the Lease in NAMESPACE was the
last one that succeeded before. Prints how many writes that were, and in how many terms; fails when
there are fewer than MINIMUM (1) writes, or when one came from another."""
import json
import sys

namespace, minimum = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1


def events():
    """(time, user, is a Lease, status, what), in order: a request when it was received, a write of the
    Lease when it was answered."""
    for line in sys.stdin:
        event = json.loads(line)
        if event["stage"] != "ResponseComplete":
            continue
        ref = event["objectRef"]
        lease = ref["resource"] == "leases"
        if lease and ref["namespace"] != namespace:
            continue
        yield (event["stageTimestamp" if lease else "requestReceivedTimestamp"], event["user"]["username"], lease,
               event["responseStatus"]["code"], f"{event['verb']} {event['requestURI']}")


leader, terms, writes, wrong = None, 0, 0, []
for when, who, lease, status, what in sorted(events()):
    if lease:
        if status < 300 and who != leader:
            leader, terms = who, terms + 1
    else:
        writes += 1
        if who != leader:
            wrong.append(f"{when} {who} wrote while {leader} led: {what}: {status}")
print(f"{writes} writes in {terms} terms")
print("\n".join(wrong))
sys.exit(bool(wrong) or writes < minimum)
