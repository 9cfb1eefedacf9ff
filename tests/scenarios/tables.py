"""Writes tables as the agent publishes them: /run/staticip/table/{live,K/N}."""
import json
import os
import shutil

ROOT = "/run/staticip"


def fnv(data, value=0xCBF29CE484222325):
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def bucket_of(key, count):
    """lib/table/key.c, key_bucket: the interface does not count."""
    value = fnv("/".join(key.split("/")[:3]).encode())
    return (value ^ value >> 32) % count


def text(lines, generation=1):
    body = "".join("%s\t%s\n" % line for line in sorted(lines, key=lambda l: l[0].encode()))
    header = "staticip-table 1 generation=%d rows=%d" % (generation, len(lines))
    return "%s sum=%016x\n%s" % (header, fnv((header + body).encode()), body)


def clear(root=ROOT):
    shutil.rmtree(root + "/table", ignore_errors=True)


def forget_leases(root=ROOT):
    shutil.rmtree(root + "/leases", ignore_errors=True)


def publish(networks, rows, profiles=None, count=64, root=ROOT, keep_leases=False):
    """networks: {name: row}; rows: {key: row}; profiles: {allocation: profile}."""
    clear(root)
    if not keep_leases:
        forget_leases(root)
    directory = "%s/table/%d" % (root, count)
    os.makedirs(directory)
    buckets = [{} for _ in range(count)]
    for name, row in networks.items():
        buckets[bucket_of(name, count)][name] = row
    for key, row in rows.items():
        bucket = buckets[bucket_of(key, count)]
        bucket[key] = row
        profile = (profiles or {}).get(row["p"], {"uid": "u-1"})
        if profile is not None:
            bucket["!" + row["p"]] = profile
    for number, bucket in enumerate(buckets):
        lines = [(k, json.dumps(v, separators=(",", ":"))) for k, v in bucket.items()]
        with open("%s/%d" % (directory, number), "w") as f:
            f.write(text(lines))
    os.symlink(str(count), root + "/table/live")


def network(name, grants=False):
    return {"domain": "network/" + name, "grants": grants}


def one_pod(ips, gateways=(), routes=(), net="mynet", pod="default/p", count=64):
    """The usual table: one network, one pod."""
    row = {"p": "default/a", "ips": list(ips)}
    if gateways:
        row["gw"] = list(gateways)
    profile = {"uid": "u-1"}
    if routes:
        profile["routes"] = list(routes)
    publish({net: network(net)}, {"%s/%s" % (net, pod): row}, {"default/a": profile}, count)
