#!/usr/bin/env python3
"""kubectl get staticipallocations -o json on stdin -> the rows that must be in the
tables, sorted as sip_tables prints them: KEY TAB ADDRESS,ADDRESS.

Checks on the way what makes a refusal right: a refused entry has an address (or a pod) that
another allocation's row has; a status is about the newest generation."""
import ipaddress
import json
import sys


def entries(spec):
    if "addresses" in spec:
        return [e["ips"] for e in spec["addresses"]]
    ranges = []
    for text in spec["addressRanges"]:
        first, rest = text.split("-")
        last, length = rest.split("/")
        first, last = ipaddress.ip_address(first), ipaddress.ip_address(last)
        ranges.append([f"{first + i}/{length}" for i in range(int(last) - int(first) + 1)])
    return [list(e) for e in zip(*ranges)]


def pod_of(spec, index):
    ref = spec["targetRef"]
    return ref["name"] if ref["kind"] == "Pod" else f"{ref['name']}-{index}"


def main():
    rows, taken, refused = {}, set(), []
    for item in json.load(sys.stdin)["items"]:
        spec, status = item["spec"], item.get("status", {})
        name = f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        if status.get("observedGeneration") != item["metadata"]["generation"]:
            sys.exit(f"{name}: status is about generation {status.get('observedGeneration')}, not {item['metadata']['generation']}")
        states = {a["index"]: a["state"] for a in status["addresses"]}
        for index, ips in enumerate(entries(spec)):
            key = f"{spec['network']}/{item['metadata']['namespace']}/{pod_of(spec, index)}"
            addresses = {(spec["network"], ip.split("/")[0]) for ip in ips}
            if states[index] == "Refused":
                refused.append((name, key, addresses))
                continue
            if key in rows or taken & addresses:
                sys.exit(f"{name}: {key} or one of {sorted(addresses)} is given twice")
            rows[key] = ips
            taken |= addresses
    for name, key, addresses in refused:
        if key not in rows and not taken & addresses:
            sys.exit(f"{name}: {key} is refused, but nobody has {sorted(addresses)}")
    for key in sorted(rows, key=lambda k: k.encode()):
        print(f"{key}\t{','.join(rows[key])}")


main()
