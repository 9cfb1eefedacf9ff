"""The chained role in real namespaces: "node" is the node, "pod" the pod; a veth
pair joins them, a second one is the node's way out."""
import json
import os
import subprocess

from harness import CHAINED, VERSIONS, expect

NODE4, NODE6 = "10.0.32.2", "fd00:32::2"
POD4, POD6 = "10.131.0.43/23", "fd00:131::43/64"


def ip(namespace, *words, check=True):
    done = subprocess.run(["ip", "-n", namespace] + " ".join(words).split(), capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError("ip -n %s %s: %s" % (namespace, " ".join(words), done.stderr))
    return done.stdout


def setup(h):
    for name in ("node", "pod"):
        subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "netns", "add", name], check=True)
        ip(name, "link set lo up")
    ip("node", "link add br-ex type veth peer name wire")
    ip("node", "link add host0 type veth peer name eth0 netns pod")
    for namespace, link in (("node", "br-ex"), ("node", "wire"), ("node", "host0"), ("pod", "eth0")):
        ip(namespace, "link set %s up" % link)
    ip("node", "addr add %s/20 dev br-ex" % NODE4)
    ip("node", "addr add %s/64 dev br-ex nodad" % NODE6)
    ip("node", "route add default via 10.0.32.1")
    ip("node", "route add default via fd00:32::1")
    give_pod("pod", "eth0", POD4, POD6)
    h.netns = "/run/netns/node"


def give_pod(namespace, link, *addresses):
    ip(namespace, "addr flush dev %s scope global" % link)
    for address in addresses:
        ip(namespace, "addr add %s dev %s%s" % (address, link, " nodad" if ":" in address else ""))


def prev(version="1.0.0", ips=(POD4, POD6), ifname="eth0", **more):
    if version in ("0.1.0", "0.2.0"):
        return {"cniVersion": version,
                **{"ip6" if ":" in a else "ip4": {"ip": a, "routes": [{"dst": "192.0.2.0/24"}]} for a in ips}}
    ips = [{"address": a, "interface": 1} for a in ips]
    if version.startswith("0."):
        ips = [dict(entry, version="6" if ":" in entry["address"] else "4") for entry in ips]
    return {"cniVersion": version, "interfaces": [
        {"name": "host0", "mac": "aa:bb:cc:dd:ee:01"}, {"name": ifname, "mac": "aa:bb:cc:dd:ee:02",
                                                       "sandbox": "/run/netns/pod"}], "ips": ips, **more}


def call(h, routes, verb="ADD", version="1.0.0", prevResult=None, env=None, **more):
    conf = {"cniVersion": version, "name": "mynet", "type": "staticip", "prevResult": prevResult or prev(version)}
    if routes is not None:
        conf["routes"] = routes
    conf.update(more)
    return h.call(verb, {k: v for k, v in conf.items() if v != "absent"},
                  dict({"CNI_NETNS": "/run/netns/pod", "CNI_ARGS": ""}, **(env or {})))


def routes_of(namespace="pod"):
    """What "static" routes are there: those that we and these tests add."""
    lines = (ip(namespace, "-4 route show table all") + ip(namespace, "-6 route show table all")).splitlines()
    return sorted(" ".join(l.split()) for l in lines if "proto static" in l)


def all_routes(family, namespace="pod"):
    """In full; but for those of link-local addresses, which come at a time of their own."""
    lines = ip(namespace, family, "-d route show table all").splitlines()
    return "\n".join(l for l in lines if "fe80:" not in l and "ff00:" not in l)


def gateways(version="1.0.0"):
    return [{"dst": "10.9.0.0/16", "gw": "10.131.0.1"}, {"dst": "fd09::/32", "gw": "fd00:131::1"}]


def test_SR_01_host_and_auto_are_this_nodes_address_and_the_first_of_the_subnet(h):
    result = call(h, [{"dst": "host", "gw": "auto"}]).result("1.0.0")
    expect(result["routes"] == [{"dst": NODE4 + "/32", "gw": "10.131.0.1"},
                                {"dst": NODE6 + "/128", "gw": "fd00:131::1"}], "routes", result)
    expect(len(routes_of()) == 2, "installed", routes_of())
    expect("%s via 10.131.0.1 dev eth0 proto static" % NODE4 in routes_of()[0], "IPv4", routes_of())
    expect("%s via fd00:131::1 dev eth0 proto static metric 1024" % NODE6 in routes_of()[1], "IPv6", routes_of())


def test_SR_02_a_second_ADD_succeeds_and_there_is_one_route(h):
    entries = [{"dst": "host", "gw": "auto"}, dict(gateways()[0], priority=7, table=10, mtu=1400, advmss=1300)]
    first = call(h, entries).result()
    before = routes_of()
    second = call(h, entries)
    expect(second.result() == first and second.stderr == b"", "another answer", second.text, second.stderr)
    expect(routes_of() == before and len(before) == 3, "routes", before, routes_of())


def test_a_hundred_routes_are_installed_and_told(h):
    many = [{"dst": "10.%d.0.0/16" % i, "gw": "10.131.0.1"} for i in range(20, 120)]
    got = call(h, many).result()
    expect(got["routes"] == many, "told", got["routes"])
    expect(len(routes_of()) == 100, "installed", len(routes_of()))
    expect(call(h, many).result() == got and len(routes_of()) == 100, "a second ADD", len(routes_of()))


def test_SR_03_other_addresses_of_the_pod_do_not_confuse_it(h):
    result = prev(ips=(POD4, "172.16.5.9/24"))
    result["interfaces"].append({"name": "net1", "sandbox": "/run/netns/pod"})
    result["ips"].insert(0, {"address": "192.168.7.7/24", "interface": 2})
    got = call(h, [{"dst": "host", "gw": "auto"}], prevResult=result).result()
    expect(got["routes"] == [{"dst": NODE4 + "/32", "gw": "10.131.0.1"}], "routes", got)


def test_SR_04_of_several_addresses_of_the_node_the_primary_is_taken(h):
    ip("node", "addr add 10.0.32.3/20 dev br-ex")
    ip("node", "addr add 10.99.0.3/24 dev br-ex")
    got = call(h, [{"dst": "host", "gw": "auto"}]).result()
    expect(got["routes"][0]["dst"] == NODE4 + "/32", "routes", got)
    ip("node", "route replace default via 10.0.32.1 src 10.99.0.3")
    got = call(h, [{"dst": "host", "gw": "auto"}]).result()
    expect(got["routes"][0]["dst"] == "10.99.0.3/32", "preferred source", got)


def test_SR_05_a_pod_without_an_address_is_a_retriable_error(h):
    for routes in ([{"dst": "host", "gw": "auto"}], [{"dst": "host"}], [{"dst": "10.9.0.0/16", "gw": "auto"}]):
        call(h, routes, prevResult=prev(ips=())).error(11, "prevResult has none")
    expect(routes_of() == [], "routes", routes_of())


def test_SR_06_a_single_address_takes_the_default_gateway_or_fails(h):
    auto = [{"dst": "10.9.0.0/16", "gw": "auto"}]
    give_pod("pod", "eth0", "10.131.0.43/32")
    ip("pod", "route add 169.254.1.1 dev eth0")
    single = prev(ips=("10.131.0.43/32",))
    call(h, auto, prevResult=single).error(105, "10.131.0.43/32", "write the gateway")
    with_gateway = dict(single, ips=[dict(single["ips"][0], gateway="169.254.1.1")])
    for result in (with_gateway, dict(single, routes=[{"dst": "0.0.0.0/0", "gw": "169.254.1.1"}])):
        got = call(h, auto, prevResult=result).result()
        expect(got["routes"][-1]["gw"] == "169.254.1.1", "gateway of prevResult", got)
    ip("pod", "route add default via 169.254.1.1 dev eth0")
    got = call(h, auto, prevResult=single).result()
    expect(got["routes"][-1]["gw"] == "169.254.1.1", "gateway of the kernel", got)


def test_SR_07_a_node_with_IPv6_only(h):
    ip("node", "-4 addr flush dev br-ex")
    got = call(h, [{"dst": "host", "gw": "auto"}]).result()
    expect(got["routes"] == [{"dst": NODE6 + "/128", "gw": "fd00:131::1"}], "routes", got)
    call(h, [{"dst": "host", "gw": "auto"}], prevResult=prev(ips=(POD4,))).error(105, "no IPv4 address of this node")


def test_SR_08_a_default_route_without_a_next_hop_is_accepted(h):
    ip("node", "route replace default dev br-ex")
    got = call(h, [{"dst": "host", "gw": "auto"}]).result()
    expect(got["routes"][0]["dst"] == NODE4 + "/32", "routes", got)


def test_without_a_default_route_the_first_link_that_is_no_port_counts(h):
    for f in ("-4", "-6"):
        ip("node", f, "route del default")
    ip("node", "link add br0 type bridge")
    ip("node", "link set wire master br0")
    ip("node", "addr add 10.77.0.1/24 dev wire")
    ip("node", "link set br-ex down")
    ip("node", "addr add 10.78.0.1/24 dev br0")
    ip("node", "link set br0 up")
    got = call(h, [{"dst": "host", "gw": "auto"}], prevResult=prev(ips=(POD4,))).result()
    expect(got["routes"][0]["dst"] == "10.78.0.1/32", "routes", got)


def test_SR_09_prevResult_passes_unharmed_in_every_version(h):
    for version in VERSIONS:
        before = prev(version)
        if version in CHAINED:
            before.update(routes=[{"dst": "192.0.2.0/24", "gw": "10.131.0.9", "unknown": [1]}], dns={"domain": "x"}, other=7)
        after = call(h, gateways(), version=version, prevResult=before).result(version)
        if version in CHAINED:
            expect(after["routes"][1:] == gateways(), "appended", after)
            expect(dict(after, routes=after["routes"][:1]) == before, "the rest", after, before)
        else:
            for key, route in zip(("ip4", "ip6"), gateways()):
                expect(after[key]["routes"].pop() == route, "appended", after)
            expect(after == before, "the rest", after, before)


def test_RO01_without_routes_prevResult_is_the_result(h):
    for routes in (None, []):
        for netns in ("/run/netns/pod", "/gone"):
            answer = call(h, routes, env={"CNI_NETNS": netns})
            expect(answer.result() == prev(), "result", answer.text)
    expect(routes_of() == [], "routes", routes_of())


def test_RO13_a_route_without_a_gateway_is_on_the_link(h):
    got = call(h, [{"dst": "20.0.0.0/24"}, {"dst": "fd20::/64"}]).result()
    expect(got["routes"] == [{"dst": "20.0.0.0/24"}, {"dst": "fd20::/64"}], "routes", got)
    expect(routes_of()[0] == "20.0.0.0/24 dev eth0 proto static scope link", "kernel", routes_of())
    expect(routes_of()[1].startswith("fd20::/64 dev eth0 proto static"), "kernel", routes_of())


def test_SR_10_DEL_succeeds_without_anything_and_CHECK_sees_every_change(h):
    entries = [{"dst": "host", "gw": "auto"}] + [dict(r, priority=50, table=10) for r in gateways()]
    call(h, entries).ok()
    call(h, entries, "CHECK").silent()
    changes = ["del 10.9.0.0/16 table 10", "replace 10.9.0.0/16 via 10.131.0.2 metric 50 table 10 proto static",
               "replace 10.9.0.0/16 dev eth0 metric 50 table 10", "del %s" % NODE4,
               "-6 del fd09::/32 table 10", "-6 del %s" % NODE6]
    for change in changes:
        setup(h)
        call(h, entries).ok()
        family, words = ("-6", change[3:]) if change.startswith("-6") else ("-4", change)
        ip("pod", family, "route", words)
        call(h, entries, "CHECK").error(105, "is not in the pod any more")
    for wrong in (dict(gateways()[0], priority=51, table=10), dict(gateways()[0], priority=50, table=11),
                  dict(gateways()[0], priority=50, table=10, mtu=1300), dict(gateways()[0], gw="10.131.0.2")):
        setup(h)
        call(h, entries).ok()
        call(h, [wrong], "CHECK").error(105)
    call(h, entries, "CHECK", prevResult="absent").error(7, "Required prevResult missing")
    subprocess.run(["ip", "netns", "del", "pod"], check=True)
    for netns in ("/run/netns/pod", "", "/proc/self/ns/net"):
        call(h, entries, "DEL", env={"CNI_NETNS": netns}).silent()
    call(h, entries, "DEL", prevResult="absent", env={"CNI_NETNS": "/gone"}).silent()
    call(h, [{"dst": 7}], "DEL").silent()
    expect(not os.path.exists("/run/netns/pod"), "DEL made a file")
    call(h, entries, "CHECK").error(4, "CNI_NETNS")


def test_CHECK_tolerates_the_routes_of_others(h):
    call(h, gateways()).ok()
    ip("pod", "route add default via 10.131.0.1")
    ip("pod", "route add 10.9.0.0/16 via 10.131.0.7 metric 5")
    ip("pod", "-6 route append fd09::/32 via fd00:131::7")  # makes one route of two next hops
    call(h, gateways(), "CHECK").silent()


def test_SR_11_the_first_address_of_each_kind_of_subnet(h):
    for pod, gateway in (("10.131.0.43/23", "10.131.0.1"), ("10.0.0.6/30", "10.0.0.5"), ("10.0.0.5/31", "10.0.0.4"),
                         ("10.0.0.4/31", "10.0.0.5"), ("2001:db8::43/64", "2001:db8::1"),
                         ("2001:db8::3/127", "2001:db8::2"), ("2001:db8::2/127", "2001:db8::3")):
        give_pod("pod", "eth0", pod)
        dst = "fd09::/32" if ":" in pod else "10.9.0.0/16"
        got = call(h, [{"dst": dst, "gw": "auto"}], prevResult=prev(ips=(pod,))).result()
        expect(got["routes"] == [{"dst": dst, "gw": gateway}], pod, got)
        ip("pod", "-6" if ":" in pod else "-4", "route flush proto static")
    for pod in ("10.0.0.5/30", "2001:db8::1/64", "10.0.0.5/32", "2001:db8::1/128"):  # the pod has the first itself
        dst = "fd09::/32" if ":" in pod else "10.9.0.0/16"
        call(h, [{"dst": dst, "gw": "auto"}], prevResult=prev(ips=(pod,))).error(105, pod)


def test_SR_12_the_interface_is_that_of_CNI_IFNAME(h):
    ip("pod", "link add net7 type veth peer name peer7")
    for link in ("net7", "peer7"):
        ip("pod", "link set %s up" % link)
    give_pod("pod", "net7", "10.55.0.5/24")
    result = prev(ips=("10.55.0.5/24",), ifname="net7")
    got = call(h, [{"dst": "host", "gw": "auto"}], prevResult=result, env={"CNI_IFNAME": "net7"}).result()
    expect(got["routes"] == [{"dst": NODE4 + "/32", "gw": "10.55.0.1"}], "routes", got)
    expect(routes_of() == ["%s via 10.55.0.1 dev net7 proto static" % NODE4], "kernel", routes_of())
    call(h, gateways(), env={"CNI_IFNAME": "net8"}).error(105, "cannot find interface net8")


def test_all_routes_or_none(h):
    many = [{"dst": "10.%d.0.0/16" % i, "gw": "10.131.0.1"} for i in range(60, 100)]
    call(h, many + [{"dst": "10.9.0.0/16", "gw": "203.0.113.1"}]).error(105, "10.9.0.0/16 via 203.0.113.1", "Nexthop")
    expect(routes_of() == [], "left behind", routes_of())
    ip("pod", "route add 10.9.0.0/16 via 10.131.0.7 proto static")
    before = routes_of()
    call(h, many + [gateways()[0]]).error(105, "another route to this destination")
    expect(routes_of() == before, "left behind, or another's route touched", routes_of())
    ip("pod", "link set eth0 down")
    call(h, many).error(105)
    expect(routes_of() == [], "left behind", routes_of())


def test_a_route_that_was_there_is_not_rolled_back(h):
    ip("pod", "route add 10.9.0.0/16 via 10.131.0.1 proto static")
    before = routes_of()
    call(h, [{"dst": "10.8.0.0/16", "gw": "10.131.0.1"}, gateways()[0], {"dst": "10.7.0.0/16", "gw": "203.0.113.1"}]).error(105)
    expect(routes_of() == before, "routes", routes_of())


def test_every_attribute_reaches_the_kernel(h):
    entry = {"dst": "10.9.0.1/16", "gw": "10.131.0.1", "priority": 100, "table": 1000, "scope": 0, "mtu": 1400, "advmss": 1360}
    got = call(h, [entry, {"dst": "0.0.0.0/0", "gw": "10.131.0.1", "table": 1000}, {"dst": "::/0", "gw": "fd00:131::1"}])
    expect(got.result()["routes"][0] == dict(entry, dst="10.9.0.0/16"), "result", got.text)
    expect(routes_of() == ["10.9.0.0/16 via 10.131.0.1 dev eth0 table 1000 proto static metric 100 mtu 1400 advmss 1360",
                           "default via 10.131.0.1 dev eth0 table 1000 proto static",
                           "default via fd00:131::1 dev eth0 proto static metric 1024 pref medium"], "kernel", routes_of())


def test_the_nodes_own_namespace_and_other_files_are_refused(h):
    for netns, words in (("/proc/self/ns/net", "own network namespace"), ("/run/netns/node", "own network namespace"),
                         ("/proc/self/ns/mnt", "is not a network namespace"), ("/dev/null", "is not a network namespace"),
                         ("/run/netns/gone", "cannot open network namespace"), ("/run", "is not a network namespace")):
        call(h, gateways(), env={"CNI_NETNS": netns}).error(4, "CNI_NETNS", words)
    os.mkfifo("/run/work/fifo")
    call(h, gateways(), env={"CNI_NETNS": "/run/work/fifo"}).error(4, "is not a network namespace")
    os.remove("/run/work/fifo")
    expect(routes_of("node") == [], "routes of the node", routes_of("node"))


def test_wrong_routes_are_refused_before_anything_is_touched(h):
    for bad, words in (({"dst": "10.9.0.0/16", "gw": "fd00::1"}, "two families"), ({"gw": "10.0.0.1"}, "dst"), ({}, "dst"),
                       ({"dst": "default"}, "dst"), ({"dst": "10.9.0.0/33"}, "dst"), ({"dst": 7}, "dst"), (7, "routes[1]"),
                       ({"dst": "10.9.0.0/16", "dev": "eth0"}, "dev"), ({"dst": "10.9.0.0/16", "table": -1}, "table"),
                       ({"dst": "10.9.0.0/16", "scope": 256}, "scope"), ({"dst": "10.9.0.0/16", "gw": "Auto"}, "gw"),
                       ({"dst": "host", "gw": "x"}, "gw"), ({"dst": "host", "src": "x"}, "src")):
        call(h, [gateways()[0], bad]).error(7, "routes", words)
    call(h, {}).error(7, "routes")
    call(h, [gateways()[0]] * 129).error(7, "routes", "128")
    call(h, gateways(), prevResult="absent").error(7, "Required prevResult missing")
    call(h, gateways(), prevResult=prev("0.2.0")).error(7, "prevResult is of CNI version 0.2.0")
    expect(routes_of() == [], "routes", routes_of())


def test_host_with_a_written_gateway_is_of_that_family(h):
    got = call(h, [{"dst": "host", "gw": "fd00:131::9"}, {"dst": "host", "gw": "10.131.0.9"}]).result()
    expect(got["routes"] == [{"dst": NODE6 + "/128", "gw": "fd00:131::9"}, {"dst": NODE4 + "/32", "gw": "10.131.0.9"}],
           "routes", got)


def test_the_same_route_twice_is_one_route(h):
    got = call(h, [gateways()[0], gateways()[0], {"dst": "10.9.0.0/16", "gw": "auto"}]).result()
    expect(got["routes"] == gateways()[:1], "routes", got)


def test_a_hundred_pods_at_once_get_their_routes(h):
    names = ["crowd%d" % i for i in range(40)]
    running = []
    for name in names:
        subprocess.run(["ip", "netns", "add", name], check=True)
        ip(name, "link add eth0 type veth peer name other")
        ip(name, "link set eth0 up")
        give_pod(name, "eth0", POD4, POD6)
    conf = json.dumps({"cniVersion": "1.0.0", "name": "mynet", "type": "staticip", "prevResult": prev(),
                       "routes": [{"dst": "host", "gw": "auto"}] + gateways()}).encode()
    for name in names:
        env = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": name, "CNI_NETNS": "/run/netns/" + name,
               "CNI_IFNAME": "eth0", "CNI_PATH": "/x"}
        p = subprocess.Popen(["nsenter", "--net=" + h.netns, h.plugin], env=dict(env, PATH=os.environ["PATH"]),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdin.write(conf)
        p.stdin.close()
        running.append(p)
    for p in running:
        text = p.stdout.read()
        p.stdout.close()
        expect(p.wait(timeout=20) == 0, "exit", text)
    for name in names:
        expect(len(routes_of(name)) == 4, name, routes_of(name))
        subprocess.run(["ip", "netns", "del", name], check=True)
