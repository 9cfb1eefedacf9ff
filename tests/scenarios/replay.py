"""The cases of cni.jsonl that concern what exists. PR cases run as they are, with
our type and a table that has a row for the pod. ST and HL cases run as they are
written: only the type is ours, and dataDir is left out (a path of the network
configuration is never used). Of the ST cases those run once more, from a table, whose
meaning a table can have: the row says what the inline list said."""
import ipaddress
import json
import os

import harness
import tables
from harness import expect

LEFT = {
}
INLINE_LEFT = {
    "HL03": "a repeated ADD answers the same address (I5): ranges.py",
    "HL24": "no key of a source at all means the cluster's tables: ranges.py",
    "HL26": "host-local refuses the list that Multus sends; we take it: ranges.py",
}
TABLE_LEFT = {
    "ST12": "from a table: " + "its addresses stand inline",
    "ST13": "from a table: " + "an address asked for may come without its prefix, the row has it",
    "HL": "from a table: " + "their addresses stand inline",
}
TABLE_LEFT["ST14"] = TABLE_LEFT["ST15"] = TABLE_LEFT["ST13"]
ELSEWHERE = {"RO", "SB"}  # override.py, source_routing.py
REBUILT_HL = {"HL19"}  # two addresses of one family in 0.2.0


def reason_of(cid, left):
    return left.get(cid, left.get(cid[:2]))


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


# ---- as they are written -------------------------------------------------------------

ETC = """mount -t tmpfs etc /etc && mkdir /etc/staticip &&
printf '{"resolvConf":["%s"]}' "$1" >/etc/staticip/plugin.json && exec "$0" """


def inline_conf(stdin, version, folder):
    conf = json.loads(json.dumps(stdin).replace("{V}", version).replace("{D}", folder))
    if isinstance(conf.get("ipam"), dict):
        conf["ipam"]["type"] = "staticip"
        conf["ipam"].pop("dataDir", None)
        conf["ipam"]["wait"] = 0  # nobody will give back what a case has leased before
    return conf


def held_before(h, conf, files):
    """Leases in the place of files in host-local's store: NETWORK/ADDRESS -> holder."""
    for name, text in files.items():
        if not name.startswith("mynet/"):
            continue
        asked = dict(conf, cniVersion="1.0.0", args={"cni": {"ips": [name[len("mynet/"):]]}})
        holder = text.split("\r\n")[0]
        h.call("ADD", asked, {"CNI_CONTAINERID": holder}, ("CNI_ARGS",)).ok()


def leases():
    folder = tables.ROOT + "/leases/network/mynet"
    return {f for f in (os.listdir(folder) if os.path.isdir(folder) else []) if not f.startswith(".")}


def check_words(case, answer, version):
    wanted = case["expect"]
    msg = answer.json()["msg"]
    if case["id"] in ("HL11", "HL27"):  # ours say who has it, and what to do
        expect("192.168.1.5" in msg or "no lease" in msg, "msg", msg)
    elif "msg" in wanted:
        expect(msg == wanted["msg"].replace("{V}", version), "msg is not '%s'" % wanted["msg"], answer.text)
    elif "msg_prefix" in wanted:
        expect(msg.startswith(wanted["msg_prefix"]), "msg", answer.text)


def replay_inline(h, case, version):
    tables.clear()
    tables.forget_leases()
    folder = "/run/work/case"
    os.makedirs(folder, exist_ok=True)
    files = case.get("pre", {}).get("files", {})
    for name in [n for n in files if "/" not in n]:
        with open(os.path.join(folder, name), "w") as f:
            f.write(files[name])
    conf = inline_conf(case["stdin"], version, folder)
    held_before(h, conf, files)
    verb = case.get("verb", "ADD")
    unset = () if "CNI_ARGS" in case.get("env", {}) else ("CNI_ARGS",)
    if verb == "CHECK" and not case["expect"]["rc"]:
        h.call("ADD", conf, case.get("env"), unset).ok()
    before = leases()
    listed = ("unshare", "-m", "sh", "-c", ETC) if "resolvConf" in json.dumps(conf) else ()
    answer = h.call(verb, conf, case.get("env"), unset, wrap=listed, more=[folder + "/resolv.conf"] if listed else ())
    if case["expect"]["rc"]:
        check_error(case, answer)
        check_words(case, answer, version)
        expect(leases() == before, "an ADD that failed left something", leases())
    elif "result" in case["expect"]:
        got = harness.canonical(answer.result(version), version)
        want = harness.as_version(case["expect"]["result"], version)
        expect(got == want, "result differs", got, want)
        expect(leases() == {ip["address"].split("/")[0] for ip in got["ips"]}, "leases", leases())
    else:
        answer.silent()
    expect(not leases() & {n[len("mynet/"):] for n in case.get("post", {}).get("absent", [])}, "left", leases())


def run(h):
    left = {}
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cni.jsonl")
    for line in open(path):
        case = json.loads(line)
        cid = case["id"]
        if cid[:2] in ELSEWHERE:
            continue
        ways = {"": replay}
        if cid[:2] in ("ST", "HL"):
            ways = {"": replay_inline, " from a table": replay}
        for way, act in ways.items():
            where = INLINE_LEFT if act == replay_inline else dict(LEFT, **TABLE_LEFT)
            reason = None if way and cid in REBUILT_HL else reason_of(cid, where)
            if reason:
                left.setdefault(reason, []).append(cid)
                continue
            for version in case.get("versions", ["-"]):
                h.case("%s %s%s" % (cid, version, way), lambda: act(h, case, version))
    for reason, ids in left.items():
        print("not replayed: %s: %s" % (" ".join(ids), reason))
