"""The cases of cni.jsonl that concern what exists. PR cases run as they are, with
our type and a table that has a row for the pod. Of the ST and HL cases those run
whose meaning a table can have: the row says what the inline list said."""
import ipaddress
import json
import os

import harness
import tables
from harness import expect

INLINE = "its addresses stand inline; that source comes with a later release"
LEFT = {
    "ST12": INLINE, "ST13": "an address without prefix is accepted here: the row has it "
    "(asked for addresses may come without their prefix)",
    "RO": "options of another plugin; `delRoutes` and `flushRoutes` come with a later release; "
    "RO01 and RO13 are rebuilt in chain.py",
    "SB": "source routing comes with a later release",
    "HL": INLINE,
}
LEFT["ST14"] = LEFT["ST15"] = LEFT["ST13"]
REBUILT_HL = {"HL19"}  # two addresses of one family in 0.2.0


def reason_left(cid):
    if cid in LEFT:
        return LEFT[cid]
    return LEFT.get(cid[:2]) if cid not in REBUILT_HL else None


def masked(dst):
    """Rows have no host bits in destinations; the reference passes them on."""
    return str(ipaddress.ip_network(dst, strict=False))


def table_result(result):
    """The expected result as far as a table can give it: no dns."""
    out = {"ips": result["ips"]}
    if "routes" in result:
        out["routes"] = [dict(r, dst=masked(r["dst"])) for r in result["routes"]]
    return out


def table_for(case):
    """Publishes the row that the case needs, and says what is expected of it."""
    expected = case["expect"].get("result")
    if expected:
        expected = table_result(expected)
        gateways = [ip["gateway"] for ip in expected["ips"] if "gateway" in ip]
        tables.one_pod([ip["address"] for ip in expected["ips"]], gateways, expected.get("routes", ()))
    elif case["id"] in ("ST06", "HL19"):
        tables.one_pod(["10.10.0.1/24", "11.11.0.1/24"])
    else:
        tables.one_pod(["10.10.0.1/24"], ["10.10.0.254"])
    return expected


def our_conf(stdin, version):
    conf = json.loads(json.dumps(stdin).replace("{V}", version))
    if isinstance(conf.get("ipam"), dict):
        conf["ipam"] = {"type": "staticip"}
    return conf


def environment(case):
    env = {k: v for k, v in case.get("env", {}).items()}
    if case["id"].startswith("PR"):
        env.setdefault("CNI_CONTAINERID", "some-container-id")
        env.setdefault("CNI_NETNS", "/some/netns/path")
    if "CNI_ARGS" in env and "K8S_POD_NAME" not in env["CNI_ARGS"]:
        env["CNI_ARGS"] = harness.POD + ";" + env["CNI_ARGS"]
    return env


def check_error(case, answer):
    wanted = case["expect"]
    protocol = case["id"].startswith("PR")
    expect(answer.rc == 1, "exit %d instead of 1" % answer.rc, answer.text)
    error = answer.json()
    expect(isinstance(error["code"], int) and error["msg"], "no code or msg", answer.text)
    if "code" in wanted:
        expect(error["code"] == wanted["code"], "code", answer.text)
    if protocol:  # the words too: they are libcni's
        expect(error["msg"] == wanted["msg"], "msg is not '%s'" % wanted["msg"], answer.text)
        if "details" in wanted:
            expect(error["details"] == wanted["details"], "details", answer.text)


def replay(h, case, version):
    expected = table_for(case)
    if case.get("verb") == "CHECK" and not case["expect"]["rc"]:
        h.call("ADD", our_conf(case["stdin"], version), environment(case)).ok()
    answer = h.call(case.get("verb", "ADD"), our_conf(case["stdin"], version),
                    environment(case), case.get("unset", ()))
    wanted = case["expect"]
    if wanted["rc"]:
        return check_error(case, answer)
    answer.ok()
    if expected:
        got = harness.canonical(answer.result(version), version)
        want = harness.as_version(expected, version)
        expect(got == want, "result differs", got, want)
    if "json_has" in wanted:
        expect(all(k in answer.json() for k in wanted["json_has"]), "keys missing", answer.text)
    if wanted.get("stdout") == "":
        answer.silent()
    expect(not os.path.exists("/var/run/netns/does-not-exist"), "a file at the netns path")


def run(h):
    left = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cni.jsonl")
    for line in open(path):
        case = json.loads(line)
        reason = reason_left(case["id"])
        if reason:
            left.setdefault(reason, []).append(case["id"])
            continue
        for version in case.get("versions", ["-"]):
            h.case("%s %s" % (case["id"], version), lambda: replay(h, case, version))
    for reason, ids in left.items():
        print("not replayed: %s: %s" % (" ".join(ids), reason))
