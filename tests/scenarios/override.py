"""The cases of cni.jsonl that come from route-override, under their ids: our keys are
flushRoutes, flushGateway, delRoutes and routes, and what comes in args.cni needs
allowArgs. The interface is a veth by the name of dummy0."""
import json
import os

import chain
import harness
from chain import ip
from harness import expect

KEYS = {"flushroutes": "flushRoutes", "flushgateway": "flushGateway", "delroutes": "delRoutes",
        "addroutes": "routes", "skipcheck": "skipcheck"}
POD = {"A4": "10.0.0.2/24", "A6": "2001:db8:1::2/64"}
GATEWAY = {"A4": "10.0.0.1", "A6": "2001:db8:1::1"}
ROUTES = {"A4": [("default", "10.0.0.1"), ("30.0.0.0/24", "10.0.0.1"), ("20.0.0.0/24", "10.0.0.254")],
          "A6": [("default", "2001:db8:1::1"), ("2001:db8:2::/64", "2001:db8:1::ffff")]}
PREV = {"prev4": [{"dst": "0.0.0.0/0"}, {"dst": "30.0.0.0/24"}, {"dst": "20.0.0.0/24", "gw": "10.0.0.254"}],
        "prev6": [{"dst": "::/0"}, {"dst": "2001:db8:2::/64", "gw": "2001:db8:1::ffff"}]}


def make_pod(h, address, routes):
    chain.setup(h)
    ip("node", "link add peer0 type veth peer name dummy0 netns pod")
    ip("node", "link set peer0 up")
    ip("pod", "link set dummy0 up")
    chain.give_pod("pod", "dummy0", address)
    for dst, gw in routes:
        ip("pod", "-6" if ":" in gw else "-4", "route add %s via %s dev dummy0" % (dst, gw))


def prev_result(address, gateway, routes):
    return {"cniVersion": "0.3.1", "interfaces": [{"name": "dummy0", "sandbox": "/run/netns/pod"}],
            "ips": [{"version": "6" if ":" in address else "4", "address": address, "gateway": gateway, "interface": 0}],
            "routes": routes}


def kernel(family):
    lines = ip("pod", "-%d" % family, "route show dev dummy0").splitlines()
    found = [l.split() for l in lines if not l.startswith("fe80")]
    return sorted(" ".join(w[:3] if w[1] == "via" else w[:1]) for w in found)


def call(h, result, opts, verb="ADD", **more):
    conf = {"cniVersion": "0.4.0" if verb == "CHECK" else "0.3.1", "name": "mynet", "type": "staticip",
            "prevResult": dict(result, cniVersion="0.4.0" if verb == "CHECK" else "0.3.1")}
    conf.update({KEYS[k]: v for k, v in opts.items()}, **more)
    return h.call(verb, conf, {"CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "dummy0", "CNI_ARGS": ""})


def add(h, case):
    setup, prev = case["setup"].rstrip("-"), case["prev"].rstrip("-")
    cut = -1 if case["prev"].endswith("-") else None
    before = PREV[prev][:cut]
    make_pod(h, POD[setup], ROUTES[setup][:cut])
    result = prev_result(POD[setup], GATEWAY[setup], before)
    args = case.get("args.cni")
    more = {"allowArgs": True, "args": {"cni": {KEYS[k]: v for k, v in args.items()}}} if args else {}
    for repeated in range(2):
        got = call(h, result, case.get("opts", {}), **more).result("0.3.1")
        wanted = case.get("routes", "as prev4")
        if case["id"] == "RO13":
            wanted = before + args["addroutes"]
        elif isinstance(wanted, str):
            wanted = before
        expect(got.get("routes", []) == wanted, "routes of the result", got.get("routes"), wanted)
        if "ips0.gateway" in case:
            # there it is 0.0.0.0 or ::, which a later plugin would take for a gateway
            expect("gateway" not in got["ips"][0], "a gateway is left", got["ips"])
        else:
            expect(got["ips"] == result["ips"], "addresses", got["ips"])
        if "kernel" in case:
            want = sorted(r.replace(" dev dummy0", "") for r in case["kernel"])
            expect(kernel(4 if setup == "A4" else 6) == want, "kernel", kernel(4 if setup == "A4" else 6), want)
    call(h, result, case.get("opts", {}), "CHECK", **more).silent()


def check(h, case):
    gateway = {"RO16": "10.0.0.254", "RO17": "10.0.0.1", "RO18": "10.0.0.1", "RO19": "10.0.0.1"}[case["id"]]
    routes = [("default", gateway)] + ([] if case["id"] == "RO19" else [("30.0.0.0/24", gateway)])
    make_pod(h, "10.0.0.2/24", routes)
    listed = case["prevRoutes"] if isinstance(case.get("prevRoutes"), list) else [
        {"dst": "0.0.0.0/0", "gw": "10.0.0.254"}, {"dst": "30.0.0.0/24"}]
    result = prev_result("10.0.0.2/24", listed[0]["gw"], listed)
    return call(h, result, case["opts"], "CHECK")


def check_RO16(h, case):
    """There a route of the configuration is not looked for as long as prevResult does not
    name it, so it may be missing. Ours looks: it is what ADD installed."""
    check(h, case).error(105, "20.0.0.0/24 is not in the pod any more")
    ip("pod", "route add 20.0.0.0/24 dev dummy0")
    result = prev_result("10.0.0.2/24", "10.0.0.254", case["prevRoutes"])
    call(h, result, case["opts"], "CHECK").silent()


def check_RO17(h, case):
    """There the other plugins' routes are compared. That is their own CHECK; ours fails as
    its own route is missing."""
    check(h, dict(case, opts={"addroutes": [{"dst": "20.0.0.0/24"}]})).error(105, "20.0.0.0/24")


def check_RO18(h, case):
    """There skipcheck makes CHECK say yes. The runtime has disableCheck for this, and a key
    that is not ours is refused instead of ignored."""
    check(h, case).error(7, "skipcheck", "disableCheck")


def check_RO19(h, case):
    check(h, case).silent()


def run(h):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cni.jsonl")
    for line in open(path):
        case = json.loads(line)
        if not case["id"].startswith("RO"):
            continue
        act = globals().get("check_" + case["id"], add)
        h.case("%s %s" % (case["id"], json.dumps(case.get("opts", case.get("args.cni")))), lambda: act(h, case))


def a4(h):
    make_pod(h, POD["A4"], ROUTES["A4"])
    return prev_result(POD["A4"], GATEWAY["A4"], PREV["prev4"])


def test_a_route_that_prevResult_does_not_name_is_deleted_too(h):
    """route-override touches the kernel for destinations of prevResult only."""
    result = a4(h)
    ip("pod", "route add 40.0.0.0/24 via 10.0.0.9")
    ip("pod", "route add 40.0.0.0/24 via 10.0.0.8 metric 7")
    ip("pod", "route add 40.0.0.0/24 via 10.0.0.8 table 7")
    got = call(h, result, {"delroutes": [{"dst": "40.0.0.1/24"}]}).result()
    expect(got["routes"] == PREV["prev4"], "routes", got)
    expect("40.0.0.0/24" not in " ".join(kernel(4)), "kernel", kernel(4))
    expect("40.0.0.0/24" in ip("pod", "route show table 7"), "another table was touched")


def test_a_route_to_delete_is_known_by_its_gateway_where_written(h):
    result = a4(h)
    got = call(h, result, {"delroutes": [{"dst": "20.0.0.0/24", "gw": "10.0.0.9"}]}).result()
    expect(got["routes"] == PREV["prev4"], "routes", got)
    got = call(h, result, {"delroutes": [{"dst": "20.0.0.0/24", "gw": "10.0.0.254"}]}).result()
    expect(got["routes"] == PREV["prev4"][:2], "routes", got)
    ip("pod", "route add 50.0.0.0/24 nexthop via 10.0.0.8 nexthop via 10.0.0.9")
    before = kernel(4)
    call(h, result, {"delroutes": [{"dst": "50.0.0.0/24", "gw": "10.0.0.8"}]}).error(105, "one of several gateways")
    expect(kernel(4) == before, "kernel", kernel(4))
    call(h, result, {"delroutes": [{"dst": "50.0.0.0/24"}]}).ok()
    expect("50.0.0.0/24" not in ip("pod", "route"), "kernel", ip("pod", "route"))


def test_flush_delete_and_add_in_this_order_and_again(h):
    result = a4(h)
    opts = {"flushroutes": True, "delroutes": [{"dst": "10.0.0.0/24"}], "flushgateway": True,
            "addroutes": [{"dst": "10.0.0.1/32"}, {"dst": "0.0.0.0/0", "gw": "10.0.0.1"}, {"dst": "30.0.0.0/24", "gw": "10.0.0.1"}]}
    # the subnet's own route is taken away as well: gateways are reached by the first route added
    for repeated in range(2):
        got = call(h, result, opts).result()
        expect(got["routes"] == opts["addroutes"], "routes", got)
        expect(kernel(4) == ["10.0.0.1", "30.0.0.0/24 via 10.0.0.1", "default via 10.0.0.1"], "kernel", kernel(4))
    call(h, result, opts, "CHECK").silent()


def test_a_written_route_that_is_there_survives_the_flush(h):
    result = a4(h)
    opts = {"flushroutes": True, "addroutes": [{"dst": "20.0.0.0/24", "gw": "10.0.0.254"}]}
    got = call(h, result, opts).result()
    expect(got["routes"] == [{"dst": "20.0.0.0/24", "gw": "10.0.0.254"}], "routes", got)
    expect(kernel(4) == ["10.0.0.0/24", "20.0.0.0/24 via 10.0.0.254"], "kernel", kernel(4))


def test_what_was_deleted_comes_back_when_something_fails(h):
    result = a4(h)
    ip("pod", "route add 60.0.0.0/24 via 10.0.0.9 metric 5 mtu 1300 advmss 1200 proto 99 src 10.0.0.2")
    ip("pod", "route add 61.0.0.0/24 nexthop via 10.0.0.8 weight 3 nexthop via 10.0.0.9")
    whole = chain.all_routes("-4")
    call(h, result, {"flushroutes": True, "addroutes": [{"dst": "20.0.0.0/24", "gw": "203.0.113.1"}]}).error(105, "203.0.113.1")
    after = chain.all_routes("-4")
    expect(sorted(after.split("\n")) == sorted(whole.split("\n")), "not as before", after, whole)
    make_pod(h, POD["A6"], ROUTES["A6"])
    ip("pod", "-6 route add 2001:db8:3::/64 nexthop via 2001:db8:1::3 weight 2 nexthop via 2001:db8:1::4")
    whole = chain.all_routes("-6")
    result = prev_result(POD["A6"], GATEWAY["A6"], PREV["prev6"])
    call(h, result, {"flushroutes": True, "addroutes": [{"dst": "fd99::/64", "gw": "fd98::1"}]}).error(105, "fd98::1")
    after = chain.all_routes("-6")
    expect(sorted(after.split("\n")) == sorted(whole.split("\n")), "not as before", after, whole)


def test_the_result_is_pruned_in_every_version(h):
    for version in harness.VERSIONS:
        result = dict(a4(h), cniVersion=version)
        if version in ("0.1.0", "0.2.0"):
            result = {"cniVersion": version, "ip4": {"ip": POD["A4"], "gateway": GATEWAY["A4"], "routes": PREV["prev4"]}}
        elif version[0] == "1":
            result["ips"] = [{"address": POD["A4"], "gateway": GATEWAY["A4"], "interface": 0}]
        conf = {"cniVersion": version, "name": "mynet", "type": "staticip", "prevResult": result,
                "flushGateway": True, "delRoutes": [{"dst": "20.0.0.0/24"}]}
        got = h.call("ADD", conf, {"CNI_NETNS": "/run/netns/pod", "CNI_IFNAME": "dummy0", "CNI_ARGS": ""}).result(version)
        flat = harness.canonical(got, version)
        expect(flat["routes"] == [{"dst": "30.0.0.0/24"}], "routes", got)
        expect("gateway" not in flat["ips"][0] and flat["ips"][0]["address"] == POD["A4"], "addresses", got)


def test_other_interfaces_keep_their_routes(h):
    result = a4(h)
    ip("pod", "route add 70.0.0.0/24 via 10.131.0.1")
    ip("pod", "route add default via 10.131.0.1 metric 9")
    ip("pod", "route add 71.0.0.0/24 nexthop via 10.131.0.1 nexthop via 10.0.0.1")
    result["interfaces"].append({"name": "eth0", "sandbox": "/run/netns/pod"})
    result["routes"] = result["routes"] + [{"dst": "70.0.0.0/24", "gw": "10.131.0.1"}]
    got = call(h, result, {"flushroutes": True, "flushgateway": True, "delroutes": [{"dst": "70.0.0.0/24"}]}).result()
    # the default route without a gateway in prevResult is eth0's now, as far as anybody can tell
    expect(got["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "70.0.0.0/24", "gw": "10.131.0.1"}], "routes", got)
    left = ip("pod", "route")
    for dst in ("70.0.0.0/24", "71.0.0.0/24", "default"):
        expect(dst in left, "gone", dst, left)


def test_args_of_a_pod_count_only_where_the_configuration_allows_it(h):
    result = a4(h)
    asked = {"delRoutes": [{"dst": "20.0.0.0/24"}], "flushRoutes": True, "flushGateway": True,
             "routes": [{"dst": "8.8.8.0/24"}], "rules": [{"to": "8.8.8.8/32", "table": 7}], "sourceRouting": True}
    before = kernel(4)
    for key, value in asked.items():
        for allowed in ({}, {"allowArgs": False}):
            call(h, result, {}, args={"cni": {key: value}}, **allowed).error(102, "args.cni." + key, "allowArgs")
    for key in ("rules", "sourceRouting"):
        call(h, result, {}, args={"cni": {key: asked[key]}}, allowArgs=True).error(102, "args.cni." + key, "itself")
    call(h, result, {}, args={"cni": {"delroutes": []}}, allowArgs=True).error(7, "args.cni.delroutes", "delRoutes")
    call(h, result, {}, args={"cni": {"ips": ["10.0.0.2"], "delroutes": []}}).ok()
    call(h, result, {}, allowArgs="yes").error(7, "allowArgs")
    expect(kernel(4) == before, "kernel", kernel(4))
    # one key of args stands for the same key of the configuration; the others stay
    got = call(h, result, {"delroutes": [{"dst": "30.0.0.0/24"}], "addroutes": [{"dst": "80.0.0.0/24"}]},
               args={"cni": {"delRoutes": [{"dst": "20.0.0.0/24"}]}}, allowArgs=True).result()
    expect(got["routes"] == PREV["prev4"][:2] + [{"dst": "80.0.0.0/24"}], "routes", got)


def test_another_plugins_spelling_is_refused_by_name(h):
    result = a4(h)
    for key in ("flushroutes", "flushgateway", "delroutes", "addroutes", "addecmproutes", "delecmproutes", "skipcheck"):
        call(h, result, {}, **{key: []}).error(7, key, "route-override")


def test_wrong_removals_are_refused(h):
    result = a4(h)
    for more, words in (({"delRoutes": {}}, "delRoutes"), ({"delRoutes": [7]}, "delRoutes[0]"), ({"flushRoutes": 1}, "flushRoutes"),
                        ({"flushGateway": "true"}, "flushGateway"), ({"delRoutes": [{"gw": "10.0.0.1"}]}, "dst"),
                        ({"delRoutes": [{"dst": "10.0.0.0/8", "table": 7}]}, "delRoutes[0].table"),
                        ({"delRoutes": [{"dst": "10.0.0.0/8", "gw": "fd00::1"}]}, "two families"),
                        ({"delRoutes": [{"dst": "10.0.0.0/8"}] * 129}, "delRoutes")):
        call(h, result, {}, **more).error(7, words)
    expect(len(kernel(4)) == 4, "kernel", kernel(4))
