"""The controller's word on a pod's UID: the file `node`, as the agent writes it."""
import json
import os
import time

import tables
from harness import expect
from leases import attachments, conf, environment, leased, nothing_is_leased, start

ROWS = {"mynet/default/p": {"p": "default/a", "ips": ["10.0.2.40/24"]}}
PROFILE = ("!default/a", {"uid": "u-a", "gw": ["10.0.2.1"]})


def setup(h):
    h.netns = None
    cluster()
    node()
    mark()


def cluster(grants=True, handover=None, keep_leases=False):
    profile = {"uid": "u-a", "handover": handover} if handover else {"uid": "u-a"}
    tables.publish({"mynet": tables.network("mynet", grants)}, ROWS, {"default/a": profile}, keep_leases=keep_leases)


def mark(there=True):
    """The agent's word that all leases of this boot are there."""
    if there:
        open(tables.ROOT + "/marker", "w").close()
    elif os.path.exists(tables.ROOT + "/marker"):
        os.unlink(tables.ROOT + "/marker")


def node(*rows, serial=1):
    """Replaces the file as the agent does: by rename."""
    head = ("@", {"node": "n1", "object": "u-n1", "epoch": "e1", "serial": serial})
    lines = [(k, json.dumps(v, separators=(",", ":"))) for k, v in (PROFILE, head) + rows]
    with open(tables.ROOT + "/node.new", "w") as f:
        f.write(tables.text(lines, serial))
    os.rename(tables.ROOT + "/node.new", tables.ROOT + "/node")


def given(uid="u-1", ip="10.0.2.40/24", key="mynet/default/p"):
    return ("%s@%s" % (key, uid), {"state": "Granted", "domain": "network/mynet", "p": "default/a", "ips": [ip]})


def held(uid="u-1", why="10.0.2.40 is held by pod default/p (u-0) on node n2 since 12:00; it is free when n2 answers"):
    return ("mynet/default/p@" + uid, {"state": "Held", "why": why})


def add(h, wait=0, uid="u-1", **env):
    return h.call("ADD", conf(wait), environment("c1", uid=uid, netns="/nowhere", **env))


def test_a_granted_pod_gets_what_the_grant_says(h):
    node(given(ip="10.0.2.77/24"))
    ips = add(h).result()["ips"]
    # holders outlive allocations: the grant counts, not what the table says by now
    expect(ips == [{"address": "10.0.2.77/24", "gateway": "10.0.2.1"}], "ips", ips)
    expect(sorted(leased()) == ["10.0.2.77"], "leases", leased())
    tables.clear()
    expect(add(h).result()["ips"] == ips, "without any cluster table")


def test_I8_a_grant_is_for_one_UID(h):
    node(given("u-2"))
    add(h).error(11, "has not granted pod default/p its address on network mynet")
    nothing_is_leased()
    expect(add(h, uid="u-2").result()["ips"][0]["address"] == "10.0.2.40/24", "the granted one")


def test_a_grant_for_an_interface_counts_more_than_one_for_the_pod(h):
    node(given(), given(ip="10.0.2.41/24", key="mynet/default/p/net1"))
    ips = add(h, CNI_IFNAME="net1").result()["ips"]
    expect(ips[0]["address"] == "10.0.2.41/24", "ips", ips)


def test_a_row_is_no_grant_where_grants_are_required(h):
    add(h).error(11, "has not granted", "kubectl describe")
    os.unlink(tables.ROOT + "/node")
    add(h).error(11, "has not granted")
    nothing_is_leased()
    cluster(grants=False)
    add(h).ok()


def test_a_held_pod_waits_and_is_told_who_holds_its_address(h):
    node(held())
    add(h).error(11, "10.0.2.40 is held by pod default/p (u-0) on node n2", "it is free when n2 answers")
    cluster(grants=False)  # the hold counts more than the row
    add(h).error(11, "is held by")
    nothing_is_leased()


def test_a_refused_pod_is_refused_at_once(h):
    node(("mynet/default/p@u-1", {"state": "Refused", "why": "the name is that of StatefulSet ex's ordinal 0"}))
    begin = time.monotonic()
    add(h, wait=60).error(102, "StatefulSet ex")
    expect(time.monotonic() - begin < 30, "it waited")


def waits_for(h, act, wrap=()):
    """Starts an ADD that has to wait, acts, and returns its answer."""
    env = environment("c1", netns="/nowhere", ASAN_OPTIONS="detect_leaks=0")
    waiting = start(h, "ADD", conf(60), env, wrap)
    time.sleep(0.4)
    expect(waiting.poll() is None, "it did not wait")
    act()
    out = json.loads(waiting.communicate(timeout=30)[0])
    return waiting.returncode, out


def test_a_held_pod_takes_its_grant_as_soon_as_it_comes(h):
    node(held())
    code, out = waits_for(h, lambda: node(given(), serial=2))
    expect(code == 0 and out["ips"][0]["address"] == "10.0.2.40/24", "the answer", out)


def test_a_pod_without_a_word_takes_its_grant_as_soon_as_it_comes(h):
    code, out = waits_for(h, lambda: node(given(), serial=2))
    expect(code == 0 and out["ips"][0]["address"] == "10.0.2.40/24", "the answer", out)


def test_a_held_pod_is_refused_as_soon_as_that_is_known(h):
    node(held())
    code, out = waits_for(h, lambda: node(("mynet/default/p@u-1", {"state": "Refused", "why": "no"}), serial=2))
    expect(code == 1 and out["code"] == 102, "the answer", out)


def test_it_waits_without_inotify_too(h):
    wrap = ["unshare", "--user", "--map-root-user", "sh", "-c",
            'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"', "sh"]
    code, out = waits_for(h, lambda: node(given(), serial=2), wrap)
    expect(code == 0, "the answer", out)


def test_a_grant_revoked_between_lease_and_answer_is_not_answered(h):
    node(given())
    # held at the end of its first link(2): the lease is written, the word not looked at again
    wrap = ["strace", "-f", "-o", "/run/work/trace", "-e", "trace=linkat", "-e", "inject=linkat:delay_exit=1500000:when=2"]
    code, out = waits_for(h, lambda: node(serial=2), wrap)
    expect(code == 1 and out["code"] == 101, "the answer", out, open("/run/work/trace").read()[:300])
    nothing_is_leased()


def test_a_hold_that_comes_between_lease_and_answer_counts_more_than_the_row(h):
    cluster(grants=False)
    wrap = ["strace", "-f", "-o", "/run/work/trace", "-e", "trace=linkat", "-e", "inject=linkat:delay_exit=1500000:when=2"]
    code, out = waits_for(h, lambda: (node(held(), serial=2), time.sleep(1.4), node(given(), serial=3)), wrap)
    expect(code == 0, "the answer", out)
    expect(attachments() == ["c1:eth0"], "leases", attachments())


def test_a_grant_given_anew_while_leasing_is_answered(h):
    node(given())
    wrap = ["strace", "-f", "-o", "/run/work/trace", "-e", "trace=linkat", "-e", "inject=linkat:delay_exit=1500000:when=2"]
    code, out = waits_for(h, lambda: node(given(), serial=2), wrap)
    expect(code == 0, "another serial of the same grant is the same grant", out)


def test_a_damaged_node_table_is_an_error_and_no_grant(h):
    for rubbish in ("", "rubbish", tables.text([("@", "{}"), given_text('{"state":"Granted"}')]),
                    tables.text([given_text(json.dumps(given()[1]))])):
        with open(tables.ROOT + "/node", "w") as f:
            f.write(rubbish)
        add(h).error(5, "node's table on this node is damaged")
    nothing_is_leased()


def given_text(text):
    return ("mynet/default/p@u-1", text)


def test_CHECK_goes_by_the_grant(h):
    node(given(ip="10.0.2.77/24"))
    result = add(h).result()
    prev = dict(result, cniVersion="1.0.0", interfaces=[{"name": "eth0", "sandbox": "/nowhere"}])
    env = environment("c1", netns="/nowhere")
    h.call("CHECK", dict(conf(version="1.0.0"), prevResult=prev), env).silent()
    node(serial=2)
    h.call("CHECK", dict(conf(version="1.0.0"), prevResult=prev), env).error(11, "has not granted")


def test_an_Available_pod_takes_its_row_once_it_has_waited(h):
    cluster(handover="Available")
    begin = time.monotonic()
    ips = add(h, wait=1).result()["ips"]
    expect(time.monotonic() - begin >= 1, "it did not wait")
    expect(ips == [{"address": "10.0.2.40/24"}], "ips", ips)
    expect(sorted(leased()) == ["10.0.2.40"], "leases", leased())
    os.unlink(tables.ROOT + "/node")  # with the agent away, too
    expect(add(h).result()["ips"] == ips, "the same question has the same answer")


def test_an_Available_pod_takes_nothing_where_leases_may_be_lost(h):
    cluster(handover="Available")
    mark(there=False)
    add(h).error(11, "/marker is not there, so nobody knows which addresses this node's pods have")
    nothing_is_leased()
    node(given())
    add(h).result()  # a grant says that nobody has it


def test_an_Available_pod_that_gets_its_word_in_time_goes_by_it(h):
    cluster(handover="Available")
    code, out = waits_for(h, lambda: node(given(ip="10.0.2.77/24"), serial=2))
    expect(code == 0 and out["ips"][0]["address"] == "10.0.2.77/24", "the grant", out)
    node(("mynet/default/p@u-2", {"state": "Refused", "why": "no"}), serial=3)
    add(h, uid="u-2").error(102, "no")


def test_an_Available_pod_is_held_by_a_live_holder_all_the_same(h):
    cluster(handover="Available")
    node(held())
    add(h).error(11, "10.0.2.40 is held by pod default/p (u-0) on node n2")
    nothing_is_leased()
    node(held("u-9"), serial=2)  # another's hold is not ours
    add(h).ok()


def test_an_Available_pod_needs_a_UID_where_grants_are_required(h):
    cluster(handover="Available")
    add(h, uid="").error(4, "K8S_POD_UID")
    nothing_is_leased()


def test_a_hold_that_comes_while_an_Available_pod_leases_its_row_counts(h):
    cluster(handover="Available")
    wrap = ["strace", "-f", "-o", "/run/work/trace", "-e", "trace=linkat", "-e", "inject=linkat:delay_exit=1500000:when=2"]
    env = environment("c1", netns="/nowhere", ASAN_OPTIONS="detect_leaks=0")
    waiting = start(h, "ADD", conf(0), env, wrap)
    time.sleep(0.7)
    node(held(), serial=2)
    out = json.loads(waiting.communicate(timeout=30)[0])
    expect(waiting.returncode == 1 and out["code"] == 11 and "is held by" in out["msg"] + out.get("details", ""), "the answer", out)
    nothing_is_leased()


def test_an_Available_pod_does_not_get_what_another_on_its_node_has(h):
    cluster(handover="Available")
    add(h).ok()
    cluster(handover="Available", keep_leases=True)
    h.call("ADD", conf(0), environment("c2", uid="u-2")).error(11, "c1")


def test_only_Available_is_Available(h):
    cluster(handover="Strict")
    add(h).error(11, "has not granted")
    cluster(handover="available")
    add(h).error(5, "neither Strict nor Available")
    nothing_is_leased()


def test_CHECK_knows_an_Available_pod_by_its_lease(h):
    cluster(handover="Available")
    result = add(h).result()
    prev = dict(result, cniVersion="1.0.0", interfaces=[{"name": "eth0", "sandbox": "/nowhere"}])
    env = environment("c1", netns="/nowhere")
    h.call("CHECK", dict(conf(wait=60, version="1.0.0"), prevResult=prev), env).silent()
    h.call("DEL", conf(), env).silent()
    h.call("CHECK", dict(conf(version="1.0.0"), prevResult=prev), env).error(102)
