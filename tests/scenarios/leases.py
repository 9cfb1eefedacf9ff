"""Leases: who has an address on this node, in real network namespaces."""
import json
import os
import random
import signal
import subprocess
import time

import tables
from chain import ip
from harness import VERSIONS, Failure, expect, ipam_conf

ROOT = tables.ROOT
DUAL = ["10.0.2.40/24", "fec0:aaaa:1::40/64"]


def setup(h):
    h.netns = None
    forget("a", "b", "c")
    tables.publish({"mynet": tables.network("mynet")}, {
        "mynet/default/p": {"p": "default/a", "ips": DUAL},
        "mynet/default/q": {"p": "default/a", "ips": DUAL},
        "mynet/default/r": {"p": "default/a", "ips": ["10.0.2.41/24"]}})


def forget(*names):
    for name in names:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def pod_netns(name, ifname="eth0", addresses=DUAL):
    """A namespace with an interface that is up and has the addresses, as after ADD."""
    forget(name)
    subprocess.run(["ip", "netns", "add", name], check=True)
    ip(name, "link add %s type veth peer name peer0" % ifname)
    ip(name, "link set peer0 up")
    ip(name, "link set %s up" % ifname)
    for address in addresses:
        ip(name, "addr add %s dev %s%s" % (address, ifname, " nodad" if ":" in address else ""))


def environment(container, pod="p", uid="u-1", netns="a", ifname="eth0", **more):
    args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=%s;K8S_POD_UID=%s" % (pod, uid)
    path = netns if netns.startswith("/") else "/run/netns/" + netns
    return dict({"CNI_CONTAINERID": container, "CNI_NETNS": path, "CNI_IFNAME": ifname, "CNI_ARGS": args}, **more)


def conf(wait=0, version="1.1.0", **more):
    made = ipam_conf(version, **more)
    made["ipam"]["wait"] = wait
    return made


def leased(domain="network/mynet"):
    """{address: record}, and the attachments that have a file."""
    folder = "%s/leases/%s" % (ROOT, domain)
    names = [n for n in (os.listdir(folder) if os.path.isdir(folder) else []) if not n.startswith(".")]
    return {n: json.load(open(os.path.join(folder, n))) for n in names}


def attachments(network="mynet"):
    folder = "%s/leases/by-attachment/%s" % (ROOT, network)
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def nothing_is_leased():
    expect(leased() == {} and attachments() == [], "something is left", leased(), attachments())


def link_is_up(netns, ifname="eth0"):
    return "UP" in json.loads(ip(netns, "-j link show " + ifname))[0]["flags"]


def test_ADD_leases_the_addresses_and_DEL_gives_them_back(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    expect(sorted(leased()) == ["10.0.2.40", "fec0:aaaa:1::40"], "addresses", leased())
    record = leased()["10.0.2.40"]
    expect(record["container"] == "c1" and record["uid"] == "u-1" and record["cookie"] > 0, "record", record)
    expect(attachments() == ["c1:eth0"], "attachments", attachments())
    mode = os.stat(ROOT + "/leases").st_mode & 0o777
    expect(mode == 0o700, "mode of the leases", oct(mode))
    h.call("DEL", conf(), environment("c1")).silent()
    nothing_is_leased()
    h.call("DEL", conf(), environment("c1")).silent()


def test_I5_a_repeated_ADD_answers_the_same_and_leases_once(h):
    pod_netns("a")
    first = h.call("ADD", conf(), environment("c1")).result()
    inode = os.stat(ROOT + "/leases/network/mynet/10.0.2.40").st_ino
    expect(h.call("ADD", conf(), environment("c1")).result() == first, "another answer")
    expect(os.stat(ROOT + "/leases/network/mynet/10.0.2.40").st_ino == inode, "another lease")
    expect(link_is_up("a"), "the repeated ADD disturbed the pod")


def test_I1_another_pod_is_refused_by_name_and_gets_none_of_its_addresses(h):
    pod_netns("a")
    pod_netns("b")
    h.call("ADD", conf(), environment("c1")).ok()
    # KI-11: the predecessor gave one address to two live containers
    error = h.call("ADD", conf(), environment("c2", "q", "u-2", "b")).error(
        11, "10.0.2.40", "default/p", "u-1", "c1", "eth0")
    expect("waited 0 s" in error["details"], "details", error)
    expect(attachments() == ["c1:eth0"], "the refused one left something", attachments())
    expect(link_is_up("a"), "the holder was disturbed")


def test_ADD_waits_for_an_address_that_is_being_deleted(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    waiting = start(h, "ADD", conf(wait=30), environment("c2", "q", "u-2", "b"))
    time.sleep(0.3)
    expect(waiting.poll() is None, "it did not wait")
    h.call("DEL", conf(), environment("c1")).silent()
    out = waiting.communicate(timeout=20)[0]
    expect(waiting.returncode == 0, "the waiting ADD", out)
    expect(leased()["10.0.2.40"]["container"] == "c2", "holder", leased())


def test_ADD_waits_without_inotify_too(h):
    """fs.inotify.max_user_instances is 128 by default and others use them up."""
    tables_ok = "echo 0 >/proc/sys/user/max_inotify_instances && exec \"$@\""
    wrap = ["unshare", "--user", "--map-root-user", "sh", "-c", tables_ok, "sh"]
    for path in ("/run/netns/a", "/run/netns/b"):
        forget(os.path.basename(path))
    h.call("ADD", conf(), environment("c1", netns="/nowhere/1"), wrap=wrap).ok()
    with open("/run/work/trace", "w"):
        pass
    waiting = start(h, "ADD", conf(wait=30),
                    environment("c2", "q", "u-2", "/nowhere/2", ASAN_OPTIONS="detect_leaks=0"), wrap=wrap + ["strace", "-f", "-e", "inotify_init1,poll", "-o", "/run/work/trace"])
    time.sleep(0.5)
    expect(waiting.poll() is None, "it did not wait")
    h.call("DEL", conf(), environment("c1", netns="/nowhere/1")).silent()
    out = waiting.communicate(timeout=20)[0]
    trace = open("/run/work/trace").read()
    expect(waiting.returncode == 0, "the waiting ADD", out, trace[:500])
    expect("EMFILE" in trace, "inotify was there after all", trace[:500])


def start(h, verb, configuration, env, wrap=()):
    whole = dict({"CNI_COMMAND": verb, "CNI_PATH": "/x", "PATH": os.environ["PATH"]}, **env)
    process = subprocess.Popen(list(wrap) + [h.plugin], env=whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(json.dumps(configuration).encode())
    process.stdin.close()
    process.stdin = None
    return process


def test_an_ADD_that_waits_dies_with_its_parent_and_leaves_its_lease_to_DEL(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere/1")).ok()
    with open("/run/work/conf", "w") as f:
        json.dump(conf(wait=60), f)
    env = dict(environment("c2", "q", "u-2", "/nowhere/2"), CNI_COMMAND="ADD", CNI_PATH="/x", PATH=os.environ["PATH"])
    parent = subprocess.Popen(["sh", "-c", '"$0" </run/work/conf & echo $!; wait', h.plugin], env=env,
                              stdout=subprocess.PIPE)
    child = int(parent.stdout.readline())
    time.sleep(0.3)
    expect(os.path.exists("/proc/%d" % child), "it does not wait")
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not os.path.exists("/proc/%d" % child) or "Z" in open("/proc/%d/stat" % child).read().split(")")[1][:3]:
            break
        time.sleep(0.05)
    else:
        os.kill(child, signal.SIGKILL)
        raise Failure("the plugin lived on")
    parent.stdout.close()
    h.call("DEL", conf(), environment("c2", "q", "u-2", "/nowhere/2")).silent()
    expect(attachments() == ["c1:eth0"], "attachments", attachments())


def test_a_new_sandbox_of_the_same_pod_takes_the_lease_over_at_once(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    inode = os.stat(ROOT + "/leases/network/mynet/10.0.2.40").st_ino
    h.call("ADD", conf(), environment("c2", netns="b")).ok()
    expect(os.stat(ROOT + "/leases/network/mynet/10.0.2.40").st_ino == inode, "not in place")
    expect(attachments() == ["c2:eth0"], "attachments", attachments())
    expect(not link_is_up("a"), "the old sandbox can still answer for the address")
    # I5: the late DEL of the old sandbox frees nothing of the new one
    h.call("DEL", conf(), environment("c1")).silent()
    expect(sorted(leased()) == ["10.0.2.40", "fec0:aaaa:1::40"], "the late DEL took", leased())
    expect(link_is_up("b"), "the late DEL disturbed the new sandbox")
    h.call("DEL", conf(), environment("c2", netns="b")).silent()
    nothing_is_leased()


def test_a_new_sandbox_whose_row_changed_gets_the_new_addresses_only(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    tables.publish({"mynet": tables.network("mynet")},
                   {"mynet/default/p": {"p": "default/a", "ips": [DUAL[0], "10.0.2.99/24"]}}, keep_leases=True)
    got = h.call("ADD", conf(), environment("c2", netns="b")).result()["ips"]
    expect([i["address"] for i in got] == [DUAL[0], "10.0.2.99/24"], "addresses", got)
    expect(sorted(leased()) == ["10.0.2.40", "10.0.2.99"], "leases", leased())


def test_two_interfaces_of_a_pod_cannot_have_one_address(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    h.call("ADD", conf(wait=60), environment("c1", ifname="net1")).error(11, "two interfaces", "eth0")


def test_DEL_sets_the_link_down_and_leaves_its_addresses_on_it(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    h.call("DEL", conf(), environment("c1")).silent()
    expect(not link_is_up("a"), "the address is still usable")
    # ptp reads the addresses afterwards to take its masquerading back
    shown = ip("a", "addr show dev eth0")
    expect(all(a in shown for a in DUAL), "addresses", shown)


def test_DEL_finds_a_link_that_was_renamed(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    ip("a", "link set eth0 down")
    ip("a", "link set eth0 name other0")
    ip("a", "link set other0 up")
    h.call("DEL", conf(), environment("c1")).silent()
    expect(not link_is_up("a", "other0"), "the renamed link is still up")
    nothing_is_leased()


def test_DEL_does_not_touch_another_namespace_at_the_old_path(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    pod_netns("a")  # deleted and made anew: same path, another namespace
    h.call("DEL", conf(), environment("c1")).silent()
    expect(link_is_up("a"), "it set down somebody else's link")
    nothing_is_leased()


def test_DEL_finds_the_namespace_by_its_processes_when_its_path_is_gone(h):
    pod_netns("a")
    inside = subprocess.Popen(["ip", "netns", "exec", "a", "sleep", "60"])
    try:
        time.sleep(0.2)
        h.call("ADD", conf(), environment("c1")).ok()
        ip_of_inside = ["nsenter", "--net=/proc/%d/ns/net" % inside.pid, "ip", "link", "show", "eth0"]
        subprocess.run(["ip", "netns", "del", "a"], check=True)
        expect(b"state UP" in subprocess.run(ip_of_inside, capture_output=True).stdout, "set-up")
        h.call("DEL", conf(), environment("c1", netns="/run/netns/a")).silent()
        expect(b"state DOWN" in subprocess.run(ip_of_inside, capture_output=True).stdout, "still up")
        nothing_is_leased()
    finally:
        inside.kill()
        inside.wait()


def test_an_address_whose_namespace_is_gone_is_free(h):
    pod_netns("a")
    pod_netns("b", addresses=[])
    h.call("ADD", conf(), environment("c1")).ok()
    forget("a")
    h.call("ADD", conf(), environment("c2", "q", "u-2", "b")).ok()
    expect(attachments() == ["c2:eth0"], "attachments", attachments())


def test_a_lease_that_never_had_a_namespace_ends_with_its_DEL_only(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    h.call("ADD", conf(), environment("c2", "q", "u-2", "/nowhere")).error(11, "c1")
    h.call("DEL", conf(), environment("c1", netns="/nowhere")).silent()
    h.call("ADD", conf(), environment("c2", "q", "u-2", "/nowhere")).ok()


def test_DEL_needs_no_namespace_no_table_and_no_arguments(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    tables.clear()
    h.call("DEL", ipam_conf("0.2.0"), {"CNI_CONTAINERID": "c1", "CNI_NETNS": "", "CNI_ARGS": "rubbish"}).silent()
    nothing_is_leased()


def test_the_hosts_own_namespace_is_never_set_down(h):
    h.call("ADD", conf(), environment("c1", netns="/proc/self/ns/net", ifname="lo")).ok()
    before = subprocess.run(["ip", "link", "show", "lo"], capture_output=True).stdout
    h.call("DEL", conf(), environment("c1", netns="/proc/self/ns/net", ifname="lo")).silent()
    expect(subprocess.run(["ip", "link", "show", "lo"], capture_output=True).stdout == before, "lo changed")
    nothing_is_leased()


def test_a_row_that_goes_away_while_its_address_is_waited_for_is_not_answered(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    waiting = start(h, "ADD", conf(wait=30), environment("c2", "q", "u-2", "/nowhere"))
    time.sleep(0.3)
    tables.publish({"mynet": tables.network("mynet")}, {}, keep_leases=True)
    h.call("DEL", conf(), environment("c1")).silent()
    out = json.loads(waiting.communicate(timeout=20)[0])
    expect(waiting.returncode == 1 and out["code"] == 100, "the answer", out)
    nothing_is_leased()


def gc(valid, **more):
    return dict(conf(**more), **{"cni.dev/valid-attachments": valid})


def test_GC_ends_what_is_neither_valid_nor_alive(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    h.call("ADD", conf(), environment("c3", "r", "u-3", "/nowhere")).ok()
    h.call("GC", conf()).silent()  # no list: nothing to go by
    expect(attachments() == ["c1:eth0", "c3:eth0"], "attachments", attachments())
    h.call("GC", gc([{"containerID": "c1", "ifname": "eth0"}])).silent()
    expect(attachments() == ["c1:eth0"], "attachments", attachments())
    h.call("GC", gc([{"containerID": "c1", "ifname": "eth1"}])).error(11, "c1", "network namespace")
    expect(attachments() == ["c1:eth0"] and link_is_up("a"), "a living pod was collected", attachments())
    forget("a")
    h.call("GC", gc(None)).silent()  # a Go nil slice: nobody is valid
    nothing_is_leased()


def test_GC_with_a_list_that_cannot_be_read_ends_nothing(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    for wrong in ("x", {}, [7], [{"containerID": "c1"}], [{"ifname": "eth0"}]):
        h.call("GC", gc(wrong)).error(7, "cni.dev/valid-attachments")
    expect(attachments() == ["c1:eth0"], "attachments", attachments())


def test_GC_in_a_list_of_plugins_reaches_the_leases_of_its_network(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    h.call("GC", {"cniVersion": "1.1.0", "name": "mynet", "type": "staticip", "cni.dev/valid-attachments": []}).silent()
    nothing_is_leased()


def test_a_damaged_lease_is_an_error_and_is_not_given_away(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    with open(ROOT + "/leases/network/mynet/10.0.2.40", "r+") as f:
        f.write("rubbish")
    h.call("ADD", conf(), environment("c2", "q", "u-2", "/nowhere")).error(5, "10.0.2.40", "damaged")
    h.call("DEL", conf(), environment("c1", netns="/nowhere")).ok()


def test_leases_on_a_disk_are_refused(h):
    with open("/run/work/conf", "w") as f:
        json.dump(conf(), f)
    script = 'mount -t tmpfs etc /etc && mkdir /etc/staticip && echo "{\\"root\\":\\"$2\\"}" >/etc/staticip/plugin.json && exec "$0" <"$1"'
    where = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leases-on-disk")
    tables.publish({"mynet": tables.network("mynet")}, {"mynet/default/p": {"p": "default/a", "ips": DUAL}}, root=where)
    try:
        h.call("ADD", b"", environment("c1"), wrap=("unshare", "-m", "sh", "-c", script),
               more=("/run/work/conf", where)).error(7, "tmpfs")
    finally:
        subprocess.run(["rm", "-rf", where])


def test_a_killed_take_over_leaves_names_that_DEL_and_GC_clear_up(h):
    pod_netns("a")
    h.call("ADD", conf(), environment("c1")).ok()
    folder = ROOT + "/leases/by-attachment/mynet/"
    os.link(folder + "c1:eth0", folder + "c2:eth0")  # killed after its first step
    h.call("DEL", conf(), environment("c2")).silent()
    expect(attachments() == ["c1:eth0"] and len(leased()) == 2, "DEL of the second took the first's", leased())
    os.link(folder + "c1:eth0", folder + "c2:eth0")
    h.call("DEL", conf(), environment("c1")).silent()
    expect(leased() == {}, "the addresses are not free", leased())
    h.call("GC", gc([{"containerID": "c3", "ifname": "eth0"}])).silent()
    nothing_is_leased()


def test_an_address_that_a_killed_ADD_did_not_write_down_is_freed(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    os.link(ROOT + "/leases/network/mynet/10.0.2.40", ROOT + "/leases/network/mynet/10.0.2.77")
    h.call("DEL", conf(), environment("c1", netns="/nowhere")).silent()
    nothing_is_leased()


def test_an_address_file_without_an_attachment_is_nobodys(h):
    h.call("ADD", conf(), environment("c1", netns="/nowhere")).ok()
    os.unlink(ROOT + "/leases/by-attachment/mynet/c1:eth0")
    h.call("ADD", conf(), environment("c2", "q", "u-2", "/nowhere")).ok()
    expect(attachments() == ["c2:eth0"], "attachments", attachments())


def test_names_that_are_too_long_for_a_lease_are_refused(h):
    long = environment("c" * 201, netns="/nowhere")
    h.call("ADD", conf(), long).error(4, "CNI_CONTAINERID")
    h.call("DEL", conf(), long).silent()
    h.call("ADD", conf(), environment("c1", uid="u" * 65, netns="/nowhere")).error(4, "K8S_POD_UID")
    h.call("ADD", conf(), environment("c1", netns="/" + "n" * 1024)).error(4, "CNI_NETNS")
    nothing_is_leased()


def test_a_wait_that_is_none_is_refused(h):
    for wrong in (-1, 181, "15", 1.5, [], True):
        h.call("ADD", conf(wait=wrong), environment("c1", netns="/nowhere")).error(7, "ipam.wait")
    nothing_is_leased()
